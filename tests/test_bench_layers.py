"""The workloads of single layers, of losses and of a deep network: all contenders agree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from experiments.bench import sparse_rows
from experiments.bench.method import check_answers
from experiments.bench.workload import Found, Outcome, Row
from experiments.bench.workloads import convolution, deep, layers, losses, pooling
from experiments.common.failures import Failure
from jaxnn.layers.dropout import draw_mask
from tests.compare import KEY

ROWS = [
    *layers.others(),
    *layers.by_position(),
    *layers.random(),
    *layers.activations(),
    *layers.lookups(),
    *layers.combined(),
]


def compare(case, change=lambda name, result: result):
    """The answers of a case's JAX contenders to the same inputs, one of them perhaps changed."""
    inputs = case.draw(np.random.default_rng(0))
    there = [contender for contender in case.contenders if not contender.needs]
    answers = {one.name: one.answer(change(one.name, one.make(inputs)()), inputs) for one in there}
    check_answers(case, there, answers)
    return answers


@pytest.mark.parametrize("row", ROWS, ids=layers.title)
def test_a_layer_and_its_forms_for_autodiff_agree(row):
    compare(layers.race(row._replace(shape=(64, *(min(128, n) for n in row.shape[1:])))))


@pytest.mark.parametrize("row", convolution.ROWS, ids=convolution.title)
def test_a_convolution_and_its_forms_for_autodiff_agree(row):
    compare(convolution.race(row._replace(shape=(2, *row.shape[1:]))))


@pytest.mark.parametrize("row", list(pooling.pools()), ids=layers.title)
def test_a_pool_and_its_forms_for_autodiff_agree(row):
    compare(layers.race(row._replace(shape=(2, *row.shape[1:]))))


@pytest.mark.parametrize("row", [losses.SOFTMAX, losses.SIGMOID, losses.SQUARE])
def test_a_loss_and_its_forms_for_autodiff_agree(row):
    compare(losses.race(row, (3, 7)))


def test_with_many_classes_too():
    compare(losses.race(losses.SOFTMAX, (3, 300)))


def test_a_step_on_some_rows_of_a_table():
    compare(sparse_rows.case(quick=True))


def test_a_deep_network_unrolled_and_in_a_scan(monkeypatch):
    monkeypatch.setattr(deep, "DEPTH", 3)
    monkeypatch.setattr(deep, "BATCHES", 2)
    (case,) = deep.cases(quick=False)
    changes = compare(case)
    assert all(np.abs(change).max() > 0 for one in changes.values() for change in one)


def wrong(position):
    """What changes one array of our result by a factor of 1.1."""

    def change(name, result):
        if name != "jaxnn":
            return result
        leaves, structure = jax.tree.flatten(result)
        leaves[position] = leaves[position] * 1.1
        return structure.unflatten(leaves)

    return change


@pytest.mark.parametrize("position", [0, 1])
def test_random_masks_do_not_hide_a_mistake_of_dropout(position):
    (row,) = (row for row in ROWS if row.layer == nn.Dropout(0.4))
    with pytest.raises(Failure, match="does not compute"):
        compare(layers.race(row._replace(shape=(64, 128))), wrong(position))


@pytest.mark.parametrize("position", [0, 1, 2, 3])
def test_nor_one_of_dropconnect(position):
    (row,) = (row for row in ROWS if isinstance(row.layer, nn.DropConnect))
    with pytest.raises(Failure, match="does not compute"):
        compare(layers.race(row._replace(shape=(64, 128))), wrong(position))


WORKLOADS = [layers, losses, deep, convolution, pooling]


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda module: module.__name__)
def test_every_goal_finds_its_case_and_its_contenders(workload):
    figures = {"temp MB": 2.0, "compile CPU s": 2.0}
    found = Found()
    for case in workload.cases(quick=False):
        rows = [Row(one.name, one.role, [2.0], [2.0], figures) for one in case.contenders]
        found[case.title] = Outcome(case.title, rows)
    assert [goal.reach(found) for goal in workload.WORKLOAD.goals] == [1.0] * len(
        workload.WORKLOAD.goals
    )


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.4, 0.5, 1 / 512])
def test_the_bits_of_a_mask_give_the_rate_and_independent_entries(rate):
    m = np.asarray(draw_mask(KEY, rate, (2000, 333), "bernoulli"))
    variance = rate * (1 - rate)
    assert abs((~m).mean() - rate) <= 5 * np.sqrt(variance / m.size)
    for shifted in (m[:, 1:], m[:, 4:], m[:, 32:]):  # in the same byte, word, draw or beside it
        pairs = (shifted - (1 - rate)) * (m[:, : shifted.shape[1]] - (1 - rate))
        assert abs(pairs.mean()) <= 4e-6 + 5 * variance / np.sqrt(pairs.size)


def test_a_mask_drops_nothing_at_rate_zero_and_fits_any_shape():
    assert bool(draw_mask(KEY, 0.0, (5, 7), "bernoulli").all())
    for rate in (0.5, 0.3):
        for shape in ((3,), (2, 3, 5), (1, 1)):
            m = draw_mask(KEY, rate, shape, "bernoulli")
            assert (m.shape, m.dtype) == (shape, jnp.bool_)

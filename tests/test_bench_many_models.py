"""Many models, one after another or together: every contender trains the same ones."""

from importlib.util import find_spec
from typing import Any

import jax
import numpy as np
import pytest

from experiments.bench.method import check_answers
from experiments.bench.workload import Contender, Found, Outcome, Row
from experiments.bench.workloads import many_models
from experiments.common.failures import Failure


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Three models and two steps are enough."""
    monkeypatch.setattr(many_models, "MODELS", 3)


def answers(own, change=lambda name, result: result):
    """(contenders that are installed, their answers), some results perhaps changed."""
    inputs = many_models.draw(20, own)(np.random.default_rng(0))
    there = [c for c in many_models.contenders() if not c.needs or find_spec(c.needs)]
    return there, {c.name: answer(c, change(c.name, c.make(inputs)()), inputs) for c in there}


def answer(contender: Contender, result, inputs):
    """What must agree."""
    assert contender.answer
    return contender.answer(result, inputs)


def case(own):
    return list(many_models.cases(quick=True))[own]


@pytest.mark.parametrize("own", [False, True], ids=["one order", "orders of their own"])
def test_all_contenders_train_the_same_models(own):
    there, found = answers(own)
    check_answers(case(own), there, found)
    for moved in found.values():
        assert [a.shape for a in moved] == [(3, 784, 30), (3, 30), (3, 30, 10), (3, 10)]
        assert all(np.abs(one).max() > 0 for array in moved for one in array)


def test_one_model_that_is_one_percent_off_is_found():
    """The one with the lowest rate, in its smallest array."""

    def off(name, result):
        if name != "together":
            return result
        states, values = result
        params = jax.tree.map(np.array, states.params)
        start = many_models.draw(20, False)(np.random.default_rng(0)).states.params
        params[2].b[0] += 0.01 * (params[2].b[0] - start[2].b[0])
        return states._replace(params=params), values

    there, found = answers(False, off)
    with pytest.raises(Failure, match="'together' does not compute what 'jax"):
        check_answers(case(False), there, found)


def test_a_contender_goes_on_from_where_it_stopped():
    inputs = many_models.draw(20, False)(np.random.default_rng(0))
    for one in many_models.contenders()[:4]:
        run = one.make(inputs)
        first, second = (answer(one, run(), inputs) for _ in range(2))
        assert np.abs(second[-1] - first[-1]).max() > 0.1 * np.abs(first[-1]).max()


def test_another_rate_compiles_nothing():
    program: Any = many_models.by_grad
    program.clear_cache()
    inputs = many_models.draw(20, False)(np.random.default_rng(0))
    (one,) = (c for c in many_models.contenders() if c.role == "idiomatic")
    run = one.make(inputs)
    for _ in range(2):
        run()
    assert program._cache_size() == 1


def test_every_goal_finds_its_case_and_its_contenders():
    found = Found()
    for one in many_models.cases(quick=False):
        rows = [Row(c.name, c.role, [2.0], [2.0], {}) for c in one.contenders]
        found[one.title] = Outcome(one.title, rows)
    goals = many_models.WORKLOAD.goals
    assert [goal.reach(found) for goal in goals] == [1.0] * len(goals)

# ruff: noqa: RUF001 - numbers of equations in their own letters
"""The equations of the lecture notes: each keeps its verdict. And the judge is judged."""

import dataclasses
import pathlib
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.lectures.derivations.algebra import Misfit, contract, entrywise, plus, product
from experiments.lectures.derivations.equation import Equation
from experiments.lectures.derivations.judge import TOLERANCE, judge, relative_error
from experiments.lectures.derivations.network import ONE_EXAMPLE, make
from experiments.lectures.derivations.sources import SOURCES

ROOT = pathlib.Path(__file__).parent.parent
WRONG = {
    "ANN": "3 | 6, biases | 6 | 20, line 3 | 20a | 21, line 3 | 23b | 24, line 1",
    "Khan": "15 | 24 | 25 | 26 | 40 | 41 | 41, text",
    "Introduction": (
        "Feedforward, 3 | Feedforward, p_ij | q_1 (first) | 3, 4 (filled in) | "
        "Algorithm, 6 | Batches, tensor | Batch, 4 | Batch, 6, 7.4, 7.6 | Batch, 8 | "
        "L1 norm | L2 norm | Norms, λ | Dropout, W . α"
    ),
    "Punnen": "Update, l",
    "Neural networks": (
        "a_j^i | a^i | Figure 5, a^3 | Figure 5, Θ^3 | Binary output, Θ^L | "
        "Multinomial, Θ^L | Step 1 | Step 2, result | Step 3, z | Step 3, ∂z/∂θ | "
        "Step 3, result | Step 4, ∂C/∂a | All examples, 3.4"
    ),
    "jaxnn": "",
}
HOLDS = {
    "ANN": (
        "1 | 2 | 4, 5 | 6, weights | 7, 8 | 9 | 10a | 10b | 11a, 14a | 11b, 14b | "
        "11b (second) | 12a | 12b | 13 | 14b (second) | 15 | 16a | 16b | 17, 18 | 19 | "
        "20, lines 1, 2 | 20, line 4 | 21, lines 1, 2 | 21, line 4 | 22a | 22b | 23a | "
        "24, line 2 | 25a | 25b"
    ),
    "Khan": (
        "7, 9, 11 | 12 | 13, 17 | 18, 19 | 16, 20 | 21 | 22, 23 | 27, 32, 33 | 28-30 | 31 | "
        "34, 37 | 35 | 36, 38, 42 | 39 | 3 (program)"
    ),
    "Introduction": (
        "Softmax | Softmax, p_1 | Softmax, w | Cross-entropy | q_1, q_2, q_3 | ∂L/∂z_1 | "
        "∂q/∂z_1 | dz^3 | ∂L/∂W^3 | 1, 2 | ∂L/∂w_11 | ∂z/∂w_11 | ∂L/∂w_ij | dW^3 | 3, 4 | "
        "∂z/∂h | dh^2 | dz^2 | Steps 1-8 | Algorithm, 1-3 | Algorithm, 5, 7 | Total loss | "
        "Feedforward, batch | Batches, mean | Batch, 1-3 | Batch, 5 | Batch, 6 | "
        "Batch, 7.1 | Batch, 7.2 | Batch, 7.3, 7.5 | Dropout, text | Dropout, matrix"
    ),
    "Punnen": "Structure | Cost | Chain rule, l | Chain rule, l-1 | Update, l-1",
    "Neural networks": (
        "Softmax | dim Θ^i | Real output, RSS | Real output, MSE | Binary output, BCE | "
        "Binary output, log L | Multinomial, C | Multinomial, p_c | Step 2, chain | "
        "Step 2, σ' | Step 3, chain | Step 4, ∂C/∂z | Finished, (a) | Finished, (b) | "
        "Finished, (c)"
    ),
    "jaxnn": "factors | gradient | factors, softmax | l1 | l2",
}
EQUATIONS = {(s.name, e.number): e for s in SOURCES for e in s.equations}


def listed(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(source, n) for source, text in table.items() for n in text.split(" | ") if n]


def test_every_equation_is_listed_once():
    assert sorted(EQUATIONS) == sorted([*listed(WRONG), *listed(HOLDS)])
    assert len(EQUATIONS) == sum(len(source.equations) for source in SOURCES)


@pytest.mark.parametrize(("source", "number"), listed(HOLDS))
def test_an_equation_that_holds_still_does(source: str, number: str):
    equation = EQUATIONS[source, number]
    assert judge(equation).holds
    assert (equation.right, equation.wrong, equation.form) == (None, "", "")


@pytest.mark.parametrize(("source", "number"), listed(WRONG))
def test_a_wrong_equation_is_wrong_and_its_right_form_holds(source: str, number: str):
    equation = EQUATIONS[source, number]
    verdict = judge(equation)
    assert not verdict.holds
    assert verdict.right is not None
    assert verdict.right < 1e-12
    assert equation.wrong
    assert equation.form


@pytest.mark.parametrize(
    ("source", "number", "misfit"),
    [
        ("ANN", "3", "(6,) + (7,)"),
        ("ANN", "23b", "ip (2, 5), p (2,), p (2,)"),
        ("ANN", "24, line 1", "ip (3, 2), p (3,), p (3,)"),
        ("Introduction", "Algorithm, 6", "(3, 5) for (3, 2)"),
        ("Introduction", "Batch, 4", "(7, 7) for ()"),
        ("Introduction", "Dropout, W . α", "(4,) for (4, 3)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(source: str, number: str, misfit: str):
    verdict = judge(EQUATIONS[source, number])
    assert (verdict.error, verdict.misfit) == (None, misfit)


@pytest.mark.parametrize("number", ["23b", "24, line 1"])
def test_an_exchanged_index_is_wrong_in_equal_layers_too(number: str):
    equal = judge(EQUATIONS["ANN", number]).equal
    assert equal is not None
    assert equal > 0.1


def test_a_flipped_sign_is_an_error_of_two():
    assert judge(EQUATIONS["Neural networks", "Step 1"]).error == pytest.approx(2)


RIGHT = Equation("0", "∂C/∂w", truth=lambda c: c.dw, written=lambda c: c.dw)


def with_error(factor: float) -> Equation:
    """`RIGHT` with the gradient of one layer out of four off by a factor."""
    return dataclasses.replace(RIGHT, written=lambda c: {**c.dw, 3: factor * c.dw[3]})


def test_the_judge_accepts_what_is_right_and_finds_a_planted_error():
    assert judge(RIGHT).holds
    assert judge(with_error(1 + 1e-15)).holds
    verdict = judge(with_error(1.001))
    assert not verdict.holds
    assert verdict.error == pytest.approx(0.001)
    assert not judge(with_error(1 + 10 * TOLERANCE)).holds
    assert not judge(with_error(np.nan)).holds


def test_the_judge_wants_zero_where_zero_is_expected():
    assert relative_error(np.zeros(3), np.zeros(3)) == 0
    assert relative_error(np.full(3, 1e-30), np.zeros(3)) == np.inf


@pytest.mark.parametrize(
    "misfit",
    [
        lambda v, w: product(w, v[:-1]),
        lambda v, w: product(w.T, v),
        lambda v, w: plus(v, v[:1]),
        lambda v, w: entrywise(w, v),
        lambda v, w: contract("ij,i->j", w, v),
        lambda v, w: contract("i,j->ij", w, v),
        lambda v, w: relative_error(v, v[:1]),
        lambda v, w: relative_error({1: v}, {2: v}),
    ],
)
def test_nothing_is_broadcast(misfit):
    with pytest.raises(Misfit):
        misfit(np.ones(3), np.ones((2, 3)))


def test_the_truth_agrees_with_differences_and_leaves_the_precision_alone():
    c, step = make(ONE_EXAMPLE), 1e-6
    raised = c.a[c.last] + [step, 0, 0]
    difference = (np.sum((raised - c.y) ** 2) / 2 - c.cost) / step
    # C is a square in a: the slope is that of half a step further on
    np.testing.assert_allclose(difference, c.da[c.last][0] + step / 2, rtol=1e-9)
    assert c.dw[1].dtype == np.float64
    assert jnp.zeros(1).dtype == np.float32


def test_the_printed_table_is_plain_text_of_120_columns():
    command = [sys.executable, "-m", "experiments.lectures.derivations"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 120
    assert all(character.isprintable() for line in lines for character in line)
    assert f"{len(EQUATIONS)} rows: {len(listed(HOLDS))} hold" in done.stdout
    assert all(f"{source.name}: {source.title}" in done.stdout for source in SOURCES)

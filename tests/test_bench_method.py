"""How contenders are raced, and what speeds, goals and verdicts come of it.

The contenders here are plain functions: what is tested is the method, not a time.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.__main__ import main
from experiments.bench import NAMES, WORKLOADS, machine, method, record, suite, table
from experiments.bench.method import Program, distance, race
from experiments.bench.workload import (
    Case,
    Contender,
    Found,
    Goal,
    Outcome,
    Row,
    Settings,
    standing,
)
from experiments.common.failures import Failure

QUICK = Settings(quick=True)


def double(inputs):
    return lambda: 2 * inputs


def contender(name, make, role: Any = "peer", **options):
    return Contender(name, role, make, **options)


def case(*others, **options):
    ours = contender("by hand", double, "ours"), contender("autodiff", double, "idiomatic")
    return Case("a case", lambda rng: rng.normal(size=3), (*ours, *others), **options)


def test_everyone_there_is_timed_in_several_bursts():
    floor = contender("floor", lambda inputs: lambda: None, "floor", answer=None)
    missing = contender("missing", lambda inputs: 1 / 0, needs="no_such_package")
    outcome = race(case(floor, missing, rate=(3, "numbers/s")), QUICK)
    *there, last = outcome.rows
    assert [row.name for row in outcome.rows] == ["by hand", "autodiff", "floor", "missing"]
    for row in there:
        assert len(row.wall) == len(row.cpu) >= method.FEWEST
        assert min(row.wall) > 0
    assert last.wall == last.cpu == []
    assert outcome.time("missing") is None
    assert outcome.speed("missing") is None
    assert outcome.speed("autodiff") == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda inputs: lambda: 2.01 * inputs,
        lambda inputs: lambda: np.nan * inputs,
        lambda inputs: lambda: 2 * inputs[:2],
        lambda inputs: lambda: (2 * inputs, inputs),
    ],
)
def test_another_answer_is_an_error_that_names_the_contender(make):
    with pytest.raises(Failure, match=r"a case: 'wrong' does not compute what 'autodiff' does"):
        race(case(contender("wrong", make)), QUICK)


def test_answers_may_differ_by_the_tolerance():
    near = contender("near", lambda inputs: lambda: 2.01 * inputs)
    assert race(case(near, tolerance=0.006), QUICK).row("near")
    rest = contender("more", lambda i: lambda: (2 * i, 1), answer=lambda result, inputs: result[0])
    assert race(case(rest), QUICK).row("more")


def test_inputs_are_drawn_from_the_seed():
    drawn = []
    for seed in (0, 0, 1):
        race(
            case()._replace(draw=lambda rng: drawn.append(rng.normal()) or 1.0),
            Settings(True, seed),
        )
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_order_rotates_and_the_slow_drop_out(monkeypatch):
    said = []
    runs = {name: (lambda name=name: said.append(name)) for name in "abc"}
    cost = {"a": 0.005, "b": 0.005, "c": 0.1}
    turn = {name: Row(name, "ours", [], []) for name in "abc"}

    def seconds(run, calls):
        run()
        return cost[said[-1]], cost[said[-1]]

    monkeypatch.setattr(method, "_seconds", seconds)
    method.take_turns(runs, turn, 0.125)
    assert {name: len(row.wall) for name, row in turn.items()} == {"a": 5, "b": 5, "c": 3}
    assert "".join(said[3::2]) == "abcbcacababba"


def test_a_distance_is_relative_to_each_array():
    a = {"w": np.array([1.0, 100.0]), "b": np.array([1e-3])}
    b = {"w": np.array([2.0, 100.0]), "b": np.array([1e-3])}
    assert distance(a, b) == pytest.approx(0.01)
    assert distance({**b, "b": np.array([2e-3])}, b) == pytest.approx(1)
    assert distance(np.zeros(2), np.zeros(2)) == 0
    assert distance(np.zeros(2), np.zeros(3)) == np.inf


def test_a_program_has_its_memory_and_carries_its_state():
    run = Program(
        lambda state, x: (state + jnp.sort(x).sum(), x), jnp.zeros(()), jnp.ones(99), carry=True
    )
    assert [float(run()[0]) for _ in range(3)] == [99, 198, 297]
    assert run.figures["temp MB"] >= 99 * 4 / 1e6
    assert run.figures["compile CPU s"] > 0


def outcome(**seconds):
    roles: dict[str, Any] = {"ours": "ours", "grad": "idiomatic", "torch": "peer", "floor": "floor"}
    rows = [
        Row(name, roles[name], [2 * s, s], [s, s], {"temp MB": 1.5}) for name, s in seconds.items()
    ]
    return Outcome("a case", rows, "cpu", (10, "examples/s"))


def test_speeds_are_relative_to_the_idiomatic_baseline():
    found = Found({"a case": outcome(ours=2.0, grad=3.0), "alone": outcome(ours=2.0)})
    assert found.speed("a case", "ours") == found.speed("a case", "ours", "idiomatic") == 1.5
    assert found.speed("alone", "ours") == 1
    assert found.speed("alone", "ours", "torch") is None
    assert found.speed("elsewhere", "ours") is None
    assert found.least(lambda title: True, "ours") == 1
    assert found.figure("a case", "ours", "temp MB") == 1.5
    assert found.figure("a case", "ours", "other") is None


def test_it_says_where_we_lose():
    level = outcome(ours=2.0, grad=1.99, floor=1.0)
    assert standing(level)["level with"] == [("grad", 0.995)]
    assert table.losses([level]) == ["  nowhere here"]
    lost = outcome(ours=2.0, grad=3.0, torch=1.0)
    assert table.losses([level, lost]) == ["  a case: torch (0.500)"]
    assert table.sentence(lost) == "ours is faster than grad (1.50); slower than torch (0.500)."


def test_it_loses_at_single_sizes_too():
    rows = [Row("ours", "ours", figures={"1": 3.0, "9": 3.0, "slope": 1.0})]
    rows.append(Row("grad", "idiomatic", figures={"1": 1.5, "9": 6.0, "slope": 2.0}))
    rows.append(Row("grad, slope", "derived", figures={"9": 0.1}))
    sizes = Outcome("sizes", rows, ms=("1", "9"))
    assert table.losses([sizes]) == ["  sizes: grad at 1 (0.500)"]
    assert (
        table.sentence(sizes)
        == "ours is faster than grad at 9 (2.00); slower than grad at 1 (0.500)."
    )


@pytest.mark.parametrize(
    ("target", "reached", "verdict"),
    [
        (">= 1.4", 1.4, "met"),
        (">= 1.4", 1.39, "missed"),
        ("<= 0.6", 0.5, "met"),
        ("<= 0.6", 0.7, "missed"),
        ("<= 0.6", None, "not measured"),
    ],
)
def test_a_goal_is_met_or_missed(target, reached, verdict):
    goal = Goal(1, "a claim", target, lambda found: reached)
    assert record.goal_of(goal, reached)["verdict"] == verdict


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (0.01234, "0.0123"), (1.0, "1.00"), (99.99, "100."), (12345.6, "12,346")],
)
def test_numbers_have_three_digits(value, shown):
    assert table.number(value).rstrip(".") == shown.rstrip(".")


def test_the_machine_is_described():
    facts, others = machine.machine(), machine.Others()
    assert facts["cores"] == len(machine.cores()) >= 1
    assert facts["versions"]["jax"]
    assert any(facts["processor"] in line for line in machine.lines(facts))
    share = others.share()
    assert share is None or 0 <= share <= 1
    assert len(machine.load()) == 3
    assert "wall times mean little" in machine.busy([0.1], 0.5)
    assert machine.busy([0.1], 0.01).endswith("others used 1% of the cores meanwhile")
    assert "unknown" in machine.busy([0.1], None)


def test_names_are_found_without_being_told(capsys):
    assert {"mlp", "readings"} <= set(WORKLOADS) <= set(NAMES)
    assert main(["bench", "mpl"]) == 2
    assert "no bench is called 'mpl', did you mean 'mlp'?" in capsys.readouterr().err


def test_every_workload_is_complete():
    for name in WORKLOADS:
        workload = suite.load(name)
        assert workload.title
        assert workload.meaning.endswith(".")
        for goal in workload.goals:
            assert goal.met(0) != goal.met(1e9)
            assert goal.reach(Found()) is None

"""The diagnosis: kind and words of the cause, for planted mistakes, noise, and nothing to find."""

import numpy as np
import pytest

from jaxnn.check.diagnosis import diagnosis
from jaxnn.check.diagnosis.diagnosis import Cause, Evidence, chance, diagnose
from jaxnn.check.diagnosis.numbers import name_of
from tests.diagnosis_rows import CONSTANTS, ROWS, World


def cause_of(evidence: Evidence) -> Cause:
    """The cause, where there must be one."""
    cause = diagnose(evidence)
    assert cause is not None
    return cause


def is_named(row, cause):
    return cause is not None and cause.kind == row.kind and row.words in cause.text


@pytest.mark.parametrize(
    ("row", "dtype", "seed"),
    [
        pytest.param(row, dtype, seed, id=f"{row.name}-{dtype}-{seed}")
        for row in ROWS
        for dtype, seed in (("float64", 0), ("float64", 1), ("float32", 2))
        if row.kind != "precision" or dtype == "float64"  # float32 rounds what was rounded before
    ],
)
def test_the_cause_is_named(row, dtype, seed):
    world = World(seed)
    evidence = world.evidence(row.wrong(world), dtype)
    cause = cause_of(evidence)
    assert is_named(row, cause), cause
    assert cause.unexplained < (1e-3 if dtype == "float32" else 1e-6)
    assert cause.place in row.wrong(world)


def test_nine_in_ten_causes_that_rise_above_bfloat16_are_named():
    found = []
    for row in ROWS:
        evidence = World(3).evidence(row.wrong(World(3)), "bfloat16")
        if evidence.wrong and row.kind != "precision":
            found.append(is_named(row, diagnose(evidence)))
    assert len(found) > 40
    assert np.mean(found) >= 0.9


LISTS = ("FILTERS", "PAIRS", "ROUNDING")
EVERY = [f for name in LISTS for f in getattr(diagnosis, name)]


@pytest.mark.parametrize("found_by", EVERY, ids=lambda f: f.__name__)
def test_no_filter_is_dead(found_by, monkeypatch):
    row = next(row for row in ROWS if row.filter == found_by.__name__)
    for name in LISTS:
        others = tuple(f for f in getattr(diagnosis, name) if f is not found_by)
        monkeypatch.setattr(diagnosis, name, others)
    assert not is_named(row, diagnose(World(0).evidence(row.wrong(World(0)))))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", ["normal", "cubed", "relative", "near the noise"])
@pytest.mark.parametrize("path", ["v", "x", "c"])
def test_an_error_without_structure_has_no_cause(path, shape, dtype):
    world = World(0)
    right, allowed = world.right[path], world.evidence({}, dtype).allowed[path]
    for _ in range(2):
        noise = world.rng.normal(size=right.shape)
        noise = {"cubed": noise**3, "relative": noise * right}.get(shape, noise)
        size = 1.5 * allowed if shape == "near the noise" else np.linalg.norm(right)
        wrong = {**world.right, path: right + size * noise / np.linalg.norm(noise)}
        evidence = world.evidence({}, dtype)._replace(ours=wrong, wrong=(path,))
        cause = diagnose(evidence)
        assert cause is None or (shape, cause.unexplained) == ("near the noise", 1.0)


def test_small_noise_is_called_so_and_leaves_all_unexplained():
    world = World(0)
    wrong = world.right["v"] * (1 + 1e-3 * world.rng.normal(size=(7, 7)))
    cause = cause_of(world.evidence({"v": wrong}))
    assert (cause.kind, cause.unexplained) == ("precision", 1.0)
    assert "bfloat16 rounding" in cause.advice


def test_rounding_explains_nothing_where_all_leaves_are_rounded_so():
    world = World(0)
    world.right = {k: np.float64(np.float16(g)) for k, g in world.right.items()}
    ours = np.float64(np.float16(world.right["v"] * (1 + 1e-3 * world.rng.normal(size=(7, 7)))))
    right = world.right["v"] + 1e-6
    evidence = world.evidence({})
    evidence = evidence._replace(
        ours={**world.right, "v": ours}, reference={**world.right, "v": right}, wrong=("v",)
    )
    assert "float16 number" not in str(diagnose(evidence))
    others = {k: g + 1e-6 for k, g in world.right.items()}
    assert "float16 number" in str(diagnose(evidence._replace(ours={**others, "v": ours})))


def single(ours, reference, **more):
    """Evidence on one leaf, in float64."""
    ours, reference = np.asarray(ours, float), np.asarray(reference, float)
    allowed = {"a": 1e-14 * float(np.linalg.norm(reference))}
    return Evidence({"a": ours}, {"a": reference}, ("a",), allowed, **{"arguments": {}} | more)


def test_a_leaf_with_as_many_entries_as_fitted_numbers_explains_nothing():
    assert diagnose(single([1.3], [1.1])) is None
    assert diagnose(single([1.3, 0.2], [1.1, 0.7])) is None
    x = {"x": np.array([0.3, 0.4, -0.7])}
    assert diagnose(single([1.3, 0.2, 0.9], [1.1, 0.7, 0.4], arguments=x)) is None


def test_a_named_number_explains_a_single_entry():
    cause = cause_of(single([0.8], [1.0], constants={"keep": 0.8}))
    assert cause.text == "off by the factor 0.8 = keep"


def test_chance_is_the_probability_of_a_fit():
    assert chance(5, 5, 1e-9) == chance(5, 6, 1e-9) == 1.0
    assert chance(4, 2, 0.3) == pytest.approx(0.09)  # Beta(1, 1) is uniform
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(400_000, 6))
    left = np.linalg.norm(errors[:, 2:], axis=1) / np.linalg.norm(errors, axis=1)
    # 3,240 of 400,000 are expected below, give or take 57: four times that is 7 %
    assert chance(6, 2, 0.3) == pytest.approx((left <= 0.3).mean(), rel=0.07)


def test_what_holds_everywhere_is_said_to():
    world = World(0)
    three = {path: 11 * world.right[path] for path in ("x", "w", "b")}
    cause = cause_of(world.evidence(three))
    assert cause.text == "all 3 wrong leaves: off by the factor 11 = n_valid"
    four = {**three, "c": -world.right["c"]}
    assert cause_of(world.evidence(four)).text == "of the opposite sign"


def test_decay_that_holds_everywhere_is_said_to():
    world = World(0)
    wrong = {path: world.right[path] - 0.01 * world.args[path] for path in ("w", "v")}
    cause = cause_of(world.evidence(wrong))
    assert cause.text == "all 2 wrong leaves: the error is -0.01 = -lambda times the parameter"
    scalar = {"known": {"dy": np.array(3.0)}, "constants": {"lambda": 0.01 / 3}}
    assert "-lambda times the parameter" in str(diagnose(world.evidence(wrong, **scalar)))


def test_the_last_wrong_leaf_comes_first_and_the_others_if_it_says_nothing():
    world = World(0)
    wrong = {"w": world.right["w"] / 2, "v": world.right["v"].T}
    assert cause_of(world.evidence(wrong)).place == "v"
    wrong["v"] = world.rng.normal(size=(7, 7))
    assert cause_of(world.evidence(wrong)).place == "w"


def test_names_are_the_simplest_and_the_users_first():
    lengths = {"length of axis 0 of x": 2.0, "length of axis 1 of x": 12.0}
    assert str(name_of(2.0, 1e-9, {"batch": 2}, lengths)) == "batch"
    assert str(name_of(2.0, 1e-9, {}, lengths)) == "2"
    number = name_of(1 / 12, 1e-9, CONSTANTS, lengths)
    assert str(number) == "1/heads"
    assert str(name_of(13 * 4, 1e-9, CONSTANTS, {})) == "groups*batch"
    number = name_of(1 / 12, 1e-9, {}, lengths)
    assert number is not None
    assert (str(number), number.note) == ("1/12", "12 = length of axis 1 of x")
    assert name_of(0.777, 1e-6, CONSTANTS, lengths) is None
    assert name_of(1.0, 1e-3, {"share": 1.0001}, {}) is not None
    assert name_of(1.0, 1e-3, {"one": 1.0, "zero": 0.0}, {}) is None


def test_entries_that_are_not_finite():
    world = World(0)
    wrong = {"w": world.right["w"] / 2, "v": world.right["v"].copy()}
    wrong["v"][2, 1] = np.nan
    evidence = world.evidence({})._replace(ours={**world.right, **wrong}, wrong=("v", "w"))
    cause = cause_of(evidence)
    assert (cause.kind, cause.place) == ("nan", "v")
    assert cause.text == "1 of 49 entries are not finite, the first [2, 1]"
    reference = {**world.right, "w": np.full((5, 7), np.inf)}
    evidence = evidence._replace(ours=world.right, reference=reference, wrong=("w",))
    assert diagnose(evidence) is None


@pytest.mark.parametrize("shape", [(0, 3), (4, 3), (1, 1, 1), ()])
def test_a_right_gradient_of_zero(shape):
    rng = np.random.default_rng(0)
    ours, known = rng.normal(size=shape), {"zero": np.zeros(shape), "c": rng.normal(size=shape)}
    assert diagnose(single(ours, np.zeros(shape), known=known)) is None

"""Units that float32 puts on the other side of a kink: what that excuses, and what it does not."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.check import check_vjp

AT_KINK = np.array([1, 2.0**-25, -1], np.float32)  # its sum is 0 or 2^-25, as the order has it
A, B = AT_KINK, AT_KINK[::-1].copy()
W = np.array([0.5, -2.0, 3.0, 0.25, 1.5], np.float32)


def exact(a):
    return (a[0] + a[2]) + a[1]


def rounded(a):
    """The same number, but for float32, where the middle is lost."""
    return (a[0] + a[1]) + a[2]


def forward(a, b, w):
    return jnp.maximum(exact(a), 0) + 3 * jnp.maximum(exact(b), 0) + (w**2).sum()


def backward(args, dy):
    a, b, w = args
    da, db = (jnp.where(rounded(z) > 0, dy, 0) * jnp.ones_like(z) for z in (a, b))
    return da, 3 * db, 2 * w * dy


def check(backward, forward=forward, args=(A, B, W), seeds=(0,), **options):
    return check_vjp(
        forward, backward, args, seeds=seeds, inputs=lambda seed: args, perturb=0, **options
    )


def in_float32(report):
    return {leaf.path: (leaf.ok, leaf.excused) for leaf in report.leaves if leaf.dtype == "float32"}


def notes_of_kinks(report):
    return [note.text for note in report.findings if note.check == "kink"]


@pytest.mark.parametrize("seed", range(4))  # of the inputs an ulp away, not of a, b and w
def test_the_leaves_that_a_kink_reaches_are_excused_and_no_others(seed):
    report = check(backward, seeds=(seed,))
    assert report.ok, report
    assert in_float32(report) == {
        "the value": (True, False), "a": (True, True), "b": (True, True), "w": (True, False),
    }  # fmt: skip
    assert notes_of_kinks(report) == ["right on the other side of a kink, an ulp away: a, b"]


def off_in_float32(size):
    def wrong(args, dy):
        da, db, dw = backward(args, dy)
        return da, db, dw * (1 + size * (dw.dtype == jnp.float32))

    return wrong


@pytest.mark.parametrize("size", [0.01, 1.0])
def test_a_kink_excuses_no_mistake_beside_it(size):
    report = check(off_in_float32(size))
    assert report.verdict == "wrong"
    assert report.wrong == ("w",)
    assert report.place == "w"
    assert in_float32(report)["w"] == (False, False)
    assert notes_of_kinks(report) == ["right on the other side of a kink, an ulp away: a, b"]


def test_a_kink_excuses_no_mistake_at_it():
    def twice(args, dy):
        da, db, dw = backward(args, dy)
        return da + 0.5 * dy, db, dw

    report = check(twice, dtypes=("float32",))
    assert report.wrong == ("a",)
    assert notes_of_kinks(report) == ["right on the other side of a kink, an ulp away: b"]


def test_a_wrong_value_is_on_no_side():
    def halved(a, b, w):
        return forward(a, b, w) / 2

    report = check(backward, halved, reference=forward, dtypes=("float32",))
    assert report.wrong == ("the value", "a", "b")
    assert notes_of_kinks(report) == []


def test_one_input_has_to_excuse_them_all():
    far = 1.2e-7  # between one and two units in the last place of 1

    def steps(a, u, v):  # du = 1 or 2, dv = 1 or 3, and never 2 and 3 at once
        z = exact(a)
        return jnp.where(z < -far, 2, 1) * u.sum() + jnp.where(z > far, 3, 1) * v.sum()

    def on_both_sides(args, dy):
        a, u, v = args
        low = u.dtype == jnp.float32
        return 0 * a, dy * (2 if low else 1) + 0 * u, dy * (3 if low else 1) + 0 * v

    report = check(on_both_sides, steps, (A, W, W))
    assert len(report.wrong) == 1
    assert sum(excused for _, excused in in_float32(report).values()) == 1

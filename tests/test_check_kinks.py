"""Kinks: every primitive that has them, at its distance; and what must not be taken for one."""

import itertools
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnn.check.kinks.distance import clear_of_kinks, kink_distance
from jaxnn.check.kinks.offsets import OFFSETS

X = jnp.array([0.9, -1.3, 0.25, 2.0])
RMS = float(jnp.sqrt(jnp.mean(X**2)))


def windows(f, start, strides):
    return lambda x: lax.reduce_window(x, start, f, (2,), strides, "VALID")


MEASURED = {  # the primitive, f, the smallest gap at X, the larger root mean square of its operands
    "relu": ("max", jax.nn.relu, 0.25, RMS),
    "max of a constant": ("max", lambda x: jnp.maximum(0.0, x), 0.25, RMS),
    "max of two": ("max", lambda x: jnp.maximum(x, x[::-1]), 1.1, RMS),
    "min": ("min", lambda x: jnp.minimum(x, 1.0), 0.1, RMS),
    "gt": ("gt", lambda x: jnp.where(x > 1.0, x, 2 * x), 0.1, RMS),
    "lt": ("lt", lambda x: jnp.where(x < 1.0, x, 2 * x), 0.1, RMS),
    "ge": ("ge", lambda x: jnp.where(x >= 1.0, x, 2 * x), 0.1, RMS),
    "le": ("le", lambda x: jnp.where(x <= 1.0, x, 2 * x), 0.1, RMS),
    "abs": ("abs", jnp.abs, 0.25, RMS),
    "sign": ("sign", lambda x: x * jnp.sign(x), 0.25, RMS),
    "floor": (
        "floor",
        lambda x: x[:3] * jnp.floor(x[:3]),
        0.1,
        float(jnp.sqrt((X[:3] ** 2).mean())),
    ),
    "ceil": ("ceil", lambda x: x[:3] * jnp.ceil(x[:3]), 0.1, float(jnp.sqrt((X[:3] ** 2).mean()))),
    "round": ("round", lambda x: x * jnp.round(x), 0.2, RMS),
    "rem": ("rem", lambda x: lax.rem(x, jnp.full(4, 0.7)), 0.1, RMS),  # 2 beside 2.1; 0 is no jump
    "to integers": ("convert_element_type", lambda x: x[(2.2 * x).astype(int)], 0.02, 2.2 * RMS),
    "clamp": ("clamp", lambda x: lax.clamp(-1.0, x, 1.5), 0.3, 1.5),
    "reduce_max": ("reduce_max", jnp.max, 1.1, RMS),
    "reduce_min": ("reduce_min", jnp.min, 1.55, RMS),
    "argmax": ("argmax", lambda x: x[jnp.argmax(x)], 1.1, RMS),
    "argmin": ("argmin", lambda x: x[jnp.argmin(x)], 1.55, RMS),
    "sort": ("sort", jnp.sort, 0.65, RMS),
    "argsort": ("sort", lambda x: jnp.arange(4.0)[jnp.argsort(x)] * x, 0.65, RMS),
    "top_k": ("top_k", lambda x: lax.top_k(x, 1)[0], 1.1, RMS),
    "cummax": ("cummax", lambda x: lax.cummax(x, 0), 0.65, RMS),
    "cummin": ("cummin", lambda x: lax.cummin(x, 0, reverse=True), 1.55, RMS),
    "max-pooling": ("reduce_window_max", windows(lax.max, -jnp.inf, (1,)), 1.55, RMS),
    "min-pooling": ("reduce_window_min", windows(lax.min, jnp.inf, (2,)), 1.75, RMS),
}
NOT_COUNTED = {
    "smooth": lambda x: jnp.tanh(x) @ x,
    "integers": lambda x: jnp.where(jnp.sort(jnp.arange(4)) > 2, x, 0.0),
    "constants": lambda x: x * jnp.abs(jnp.arange(4.0) - 1),
    "dropout": lambda x: jnp.where(jax.random.bernoulli(jax.random.key(0), 0.5, (4,)), x, 0.0),
    "random numbers": lambda x: x * jnp.abs(jax.random.normal(jax.random.key(0), (4,))),
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "softplus": jax.nn.softplus,
    "equality": lambda x: jnp.where(x == 0.9, 1.0, x) + jnp.where(x != x, 0.0, x),
    "finiteness": lambda x: jnp.where(jnp.isfinite(x), x, 0.0) + jnp.nan_to_num(x, posinf=0.0),
    "beside the output": lambda x: (x, jnp.argmax(x), x > 0),
    "what is not used": lambda x: (jnp.abs(x), 2 * x)[1],
    "of itself": lambda x: jnp.maximum(x, x),
    "straight-through": lambda x: x + lax.stop_gradient(jnp.round(x) - x),
    "a loop": lambda x: lax.fori_loop(0, 3, lambda i, c: jnp.where(i < 2, jnp.sin(c), c), x),
    "one entry": lambda x: jnp.max(x[:1]),
    "entries that are masked": lambda x: jnp.where(jnp.arange(4) < 1, x, -jnp.inf).max(),
}


@pytest.mark.parametrize("name", MEASURED)
def test_the_distance_is_the_gap_over_the_root_mean_square(name):
    primitive, f, gap, scale = MEASURED[name]
    kinks = kink_distance(f, X)
    assert primitive in {site.primitive for site in kinks.sites}
    assert kinks.distance == pytest.approx(gap / scale, abs=1e-6)
    large = kink_distance(lambda x: f(x / 1e6), 1e6 * X)
    assert large.distance == pytest.approx(kinks.distance, abs=1e-6)


def test_the_table_leaves_no_primitive_out():
    assert {primitive for primitive, *_ in MEASURED.values()} == set(OFFSETS)


@pytest.mark.parametrize("name", NOT_COUNTED)
def test_not_counted(name):
    kinks = kink_distance(NOT_COUNTED[name], X)
    assert kinks == (np.inf, "", ())


def test_sides_and_ties():
    (site,) = kink_distance(jax.nn.relu, jnp.array([1.0, 2.0, 3.0, -1.0])).sites
    assert (site.below, site.above, site.ties, site.one_sided) == (1, 3, 0, False)
    (site,) = kink_distance(lambda x: jnp.maximum(0.0, x), jnp.array([1.0, 2.0])).sites
    assert (site.below, site.above, site.ties, site.one_sided) == (0, 2, 0, True)
    (site,) = kink_distance(jax.nn.relu, jnp.array([1.0, 0.0, -2.0])).sites
    assert (site.below, site.above, site.ties, site.distance) == (1, 1, 1, 0.0)
    kinks = kink_distance(jax.nn.relu, jnp.zeros(3))
    assert (kinks.distance, kinks.sites[0].ties, kinks.sites[0].one_sided) == (0.0, 3, True)
    (site,) = kink_distance(lambda x: x.max(0), jnp.array([[1.0, 2.0], [3.0, 2.0]])).sites
    assert (site.below, site.above, site.ties, site.one_sided) == (1, 1, 2, False)
    low, high = kink_distance(lambda x: lax.clamp(-1.0, x, 1.5), X).sites
    assert (low.below, low.above, high.below, high.above) == (1, 3, 3, 1)


def test_what_stops_the_gradient_still_decides_a_branch():
    kinks = kink_distance(lambda x: jnp.where(lax.stop_gradient(x) > 0, x, 0.0), X)
    assert kinks.distance == pytest.approx(0.25 / RMS)


def test_a_guard_counts_with_its_true_distance():
    kinks = kink_distance(lambda x: x / jnp.where(x.sum() > 0, x.sum(), 1.0), X)
    assert (kinks.distance, kinks.sites[0].one_sided) == (1.0, True)


def test_only_arguments_that_are_inexact_move():
    def f(x, y):
        return jax.nn.relu(x).sum() * jnp.where(y > 0, 1.0, 2.0).sum()

    assert len(kink_distance(f, X, jnp.arange(3)).sites) == 1
    kinks = kink_distance(f, X, jnp.array([0.0, 1.0]))
    assert (kinks.distance, len(kinks.sites)) == (0.0, 2)
    assert kink_distance(lambda x: f(x, jnp.array([0.0, 1.0])), X).distance > 0


@jax.custom_vjp
def by_hand(x):
    return jnp.abs(x)


by_hand.defvjp(lambda x: (by_hand(x), x), lambda x, dy: (jnp.sign(x) * dy,))
WRAPPED = {
    "jit": jax.jit(jnp.abs),
    "custom_jvp": jax.nn.relu,
    "custom_vjp": by_hand,
    "remat": jax.checkpoint(jnp.abs),
    "vmap": jax.vmap(jnp.abs),
    "scan": lambda x: lax.scan(lambda c, a: (c + a, jnp.abs(a)), 0.0, x)[1],
    "map of a jit": lambda x: lax.map(jax.jit(jnp.abs), x),
    "cond": lambda x: lax.cond(X[0] > 0, jnp.abs, lambda y: jnp.abs(y - 0.9), x),
    "switch": lambda x: lax.switch(7, [jnp.sin, jnp.cos, jnp.abs], x),
    "while": lambda x: lax.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * jnp.abs(x)), (0, 1 + 0 * x)
    )[1],
    "all of them": jax.jit(
        lambda x: lax.scan(
            lambda c, a: (c, lax.cond(a == a, jax.checkpoint(by_hand), jnp.sin, a)), 0.0, x
        )
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_walks_into_calls_loops_and_the_branch_that_is_taken(name):
    kinks = kink_distance(WRAPPED[name], X)
    gap = 0.25 / RMS if "scan" not in name and "map of" not in name and "all" not in name else 1.0
    assert kinks.distance == pytest.approx(gap, rel=1e-6)
    (site,) = (site for site in kinks.sites if site.primitive in ("abs", "max"))
    rounds = 3 if name == "while" else 1
    assert site.below + site.above == 4 * rounds


def test_loops_count_every_round_and_their_own_condition():
    (site,) = kink_distance(
        lambda x: lax.scan(lambda c, a: (jnp.maximum(c, a), None), x[0], x)[0], X
    ).sites  # 0.9 = 0.9, 0.9 > -1.3, 0.9 > 0.25, 0.9 < 2
    assert (site.below, site.above, site.ties, site.distance) == (1, 2, 1, 0.0)
    kinks = kink_distance(lambda x: lax.while_loop(lambda c: c < 10, lambda c: 2 * c, x), 3.0)
    assert kinks.distance == pytest.approx(2 / 12)  # 3, 6, 12 against 10
    assert kinks.sites[0][2:5] == (2, 1, 0)


ZERO = jnp.zeros(4)
PASSED_ON = {  # x comes to the abs by way of
    "one branch of two": lambda x: jnp.abs(lax.cond(X[0] > 0, lambda x: x, lambda x: 1 + ZERO, x)),
    "the other branch": lambda x: jnp.abs(lax.cond(X[0] < 0, lambda x: 1 + ZERO, lambda x: x, x)),
    "two parts of the carry": lambda x: lax.fori_loop(
        0, 3, lambda i, c: (x, c[0], c[2] + jnp.abs(c[1])), (3 + ZERO, 1 + ZERO, ZERO)
    )[2],
    "the first round alone": lambda x: lax.fori_loop(
        0, 2, lambda i, c: (1 + ZERO, c[1] + jnp.abs(c[0])), (x, ZERO)
    )[1],
    "the second carry of a while": lambda x: lax.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, x, c[1], c[3] + jnp.abs(c[2])), (0, X, X, ZERO)
    )[3],
}


@pytest.mark.parametrize("name", PASSED_ON)
def test_what_moves_is_followed_through_branches_and_rounds(name):
    sites = [site for site in kink_distance(PASSED_ON[name], X).sites if site.primitive == "abs"]
    assert [site.distance for site in sites] == [pytest.approx(0.25 / RMS)]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jax.ops.segment_max(x, jnp.array([0, 0, 1, 1]), 2),
        lambda x: jax.pure_callback(np.sin, x, x),
        lambda x: lax.custom_linear_solve(
            lambda v: 2 * v, x, lambda _, b: jnp.abs(b) / 2, symmetric=True
        ),
    ],
)
def test_what_cannot_be_measured_is_taken_to_be_at_a_kink(f):
    kinks = kink_distance(f, X)
    assert kinks.distance == 0.0
    assert kinks.sites[0][2:5] == (0, 0, 0)


def test_linear_algebra_passes():
    a = jnp.eye(4) + 0.1
    assert kink_distance(lambda x: jnp.linalg.solve(a, x), X).distance == np.inf


@pytest.mark.parametrize(
    ("padding", "strides", "base", "window"),
    [
        ("SAME", (1, 2), (1, 1), (1, 1)),
        ("VALID", (2, 1), (1, 1), (2, 2)),
        ("SAME", (1, 1), (2, 1), (1, 1)),
    ],
)
def test_pooling_windows_are_those_of_jax(padding, strides, base, window):
    x = jax.random.normal(jax.random.key(0), (5, 6))

    def pool(x, start, f):
        return lax.reduce_window(
            x, start, f, (2, 3), strides, padding, base_dilation=base, window_dilation=window
        )

    (site,) = kink_distance(lambda x: pool(x, -jnp.inf, lax.max), x).sites
    highest = pool(x, -jnp.inf, lax.max)

    @jax.jit
    @jax.vmap
    def without(best):
        return pool(jnp.where(x == best, -jnp.inf, x), -jnp.inf, lax.max).ravel()

    gaps = np.asarray(highest.ravel() - jnp.diag(without(highest.ravel())))  # to the second highest
    gaps = gaps[np.isfinite(gaps)]
    assert site.distance == pytest.approx(gaps.min() / float(jnp.sqrt((x**2).mean())), rel=1e-5)
    assert site.above == len(gaps)


def layers(params, x):
    for w in params:
        x = jax.nn.relu(x @ w)
    return x.sum()


def test_the_place_is_where_the_source_says_so():
    kinks = kink_distance(layers, [jnp.eye(4), jnp.eye(4)], X[None])
    assert kinks.where == kinks.sites[0].primitive + " at " + kinks.sites[0].place
    assert len(kinks.sites) == 2
    assert kinks.sites[0].place.startswith("test_check_kinks.py:")
    assert kinks.sites[0].place.endswith("(layers)")
    assert kink_distance(jax.nn.relu, X).where == "max at relu"


def test_no_kink_lies_within_the_distance():
    """The signs of all pre-activations stay as they are while no operand moves further."""
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(6, 8)), rng.normal(size=(3, 6))
    kinks = kink_distance(lambda x: jax.nn.relu(x @ w), x)
    z = x @ w
    closest = np.abs(z).min()
    assert kinks.distance == pytest.approx(closest / rms(z), rel=1e-5)
    assert ((z - np.sign(z) * 0.99 * kinks.distance * rms(z) > 0) == (z > 0)).all()
    assert not ((z - np.sign(z) * 1.01 * kinks.distance * rms(z) > 0) == (z > 0)).all()


def rms(z):
    return np.sqrt(np.mean(z * z))


def drawn(seed, n=4):
    rng = np.random.default_rng(seed)
    return ([rng.normal(size=(6, 6)) for _ in range(2)], rng.normal(size=(n, 6)))


def test_clear_of_kinks_is_the_first_draw_that_is():
    margin = 0.02
    _, x = clear_of_kinks(layers, drawn, margin)
    distances = (kink_distance(layers, *drawn(seed)).distance for seed in itertools.count())
    first = next(seed for seed, distance in enumerate(distances) if distance > margin)
    assert first > 0
    assert np.array_equal(x, drawn(first)[1])
    assert clear_of_kinks(jnp.tanh, lambda seed: (np.ones(seed + 1),), 0.5)[0].shape == (1,)


def bare(seed) -> Any:
    return np.ones(3)


def test_clear_of_kinks_gives_up_with_the_best_that_it_saw():
    best = max(kink_distance(layers, *drawn(seed)).distance for seed in range(5))
    with pytest.raises(ValueError, match=rf"{best:.2g} at best in 5 draws, at max at test_check"):
        clear_of_kinks(layers, drawn, 0.9, tries=5)
    with pytest.raises(TypeError, match="a tuple of arguments, got ndarray"):
        clear_of_kinks(jnp.tanh, bare, 0.9)


def test_a_function_that_cannot_be_traced_is_refused():
    with pytest.raises(TypeError, match="expected a JAX function, got sin, which cannot be traced"):
        kink_distance(np.sin, X)


def test_a_small_network_takes_milliseconds():
    watch = []
    for _ in range(5):
        start = time.perf_counter()
        kink_distance(layers, *drawn(0))
        watch.append(time.perf_counter() - start)
    assert min(watch) < 0.1

"""Pools beside a loop over all windows that knows nothing of how the library computes."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Dense,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    serial,
)

GEOMETRIES = [  # window, stride, padding, dilation, and the sizes of x
    (2, None, "VALID", 1, (6, 8)),
    (2, None, "VALID", 1, (7, 9)),
    (3, None, "VALID", 1, (9, 10)),
    ((2, 5), None, "VALID", 1, (7, 11)),  # ten entries: beyond what is compared one by one
    (4, 4, "SAME", 1, (7, 11)),
    (2, 2, "SAME", 1, (5, 7)),
    (2, 2, 1, 1, (4, 5)),
    (3, 2, "VALID", 1, (7, 8)),
    (3, 2, 1, 1, (7, 8)),
    (3, 1, "SAME", 1, (5, 6)),
    (2, 3, "VALID", 1, (7, 8)),
    (2, 1, "VALID", 2, (6, 7)),
    (3, 2, (1, (0, 3)), (1, 2), (6, 7)),
    ((2, 3), (3, 2), ((1, 0), (0, 2)), 1, (7, 8)),
    (3, None, "VALID", 1, (10,)),
    (3, 2, ((2, 1),), 1, (10,)),
    (4, 1, "VALID", 3, (13,)),
    (2, None, "VALID", 1, (4, 5, 6)),
    (3, 2, 1, 1, (4, 5, 3)),
    (2, 1, "VALID", (1, 2, 1), (3, 4, 2)),
]
over_geometries = pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)


def each(value, rank):
    return (value,) * rank if isinstance(value, int) else value


def padding_of(padding, n, k, s, d):
    """What stands in front along one axis, and how many windows there are."""
    extent = d * (k - 1) + 1
    if padding == "SAME":
        m = math.ceil(n / s)
        missing = max((m - 1) * s + extent - n, 0)
        return missing // 2, m
    p, q = (padding, padding) if isinstance(padding, int) else padding
    return p, (n + p + q - extent) // s + 1


def window_places(geometry):
    """{window: entries of x in it, in the order of rows}, and for each how many it has at all."""
    window, stride, padding, dilation, sizes = geometry
    rank = len(sizes)
    k, d = each(window, rank), each(dilation, rank)
    s = k if stride is None else each(stride, rank)
    pads = (0 if padding == "VALID" else padding,) * rank
    pads = padding if isinstance(padding, tuple) else pads
    along = [padding_of(*one) for one in zip(pads, sizes, k, s, d, strict=True)]
    found = {}
    for i in itertools.product(*(range(m) for _, m in along)):
        entries = []
        for u in itertools.product(*map(range, k)):
            at = [a * b + c * e - p for a, b, c, e, (p, _) in zip(s, i, d, u, along, strict=True)]
            if all(0 <= place < n for place, n in zip(at, sizes, strict=True)):
                entries.append(tuple(at))
        found[i] = entries
    return found, math.prod(k)


def looped(windows, x, dy, choose):
    """(y, dx): `choose(values)` gives y of a window, and the weight of each entry in it."""
    y, dx = np.zeros(dy.shape), np.zeros(x.shape)
    for n, c in itertools.product(range(x.shape[0]), range(x.shape[-1])):
        for i, entries in windows.items():
            values = np.array([x[(n, *at, c)] for at in entries])
            y[(n, *i, c)], weights = choose(values)
            for at, w in zip(entries, weights, strict=True):
                dx[(n, *at, c)] += w * dy[(n, *i, c)]
    return y, dx


def first_largest(values):
    """The largest, and one-hot at the first such; a nan is the largest."""
    nan = np.isnan(values)
    best = int(nan.argmax()) if nan.any() else int(values.argmax())
    return values[best], np.eye(len(values))[best]


def mean_of(size=None):
    """The mean, or the sum shared by so many, and the weight of each in it."""

    def choose(values):
        share = 1 / (size or len(values))
        return share * values.sum(), np.full(len(values), share)

    return choose


def numbers(kind, shape):
    """Normal numbers; few different ones, so that most windows have ties; or nan and infinity."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=shape)
    if kind == "normal":
        return x
    x = rng.integers(-1, 2, shape).astype(float)
    if kind == "not finite":
        x[rng.random(shape) < 0.4] = -np.inf
        x[rng.random(shape) < 0.1] = np.nan
    return x


def swept(layer, x, seed=7):
    """(y, dy, dx) of a layer without parameters, dy drawn."""
    y = jax.eval_shape(lambda x: layer.forward((), x)[0], jnp.asarray(x))
    dy = np.random.default_rng(seed).normal(size=y.shape)

    @jax.jit
    def both(x, dy):
        y, residuals = layer.forward((), x)
        return y, layer.backward((), residuals, dy, nn.gradient)[0]

    y, dx = both(jnp.asarray(x), jnp.asarray(dy, y.dtype))
    return y, dy, dx


@over_geometries
@pytest.mark.parametrize("kind", ["normal", "ties", "not finite"])
@pytest.mark.usefixtures("x64")
def test_a_max_pool_is_the_loop_and_the_first_of_equal_entries_gets_the_gradient(geometry, kind):
    x = numbers(kind, (2, *geometry[-1], 2))
    windows, _ = window_places(geometry)
    y, dy, dx = swept(MaxPool(*geometry[:4]), x)
    expected = looped(windows, x, dy, first_largest)
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_allclose(dx, expected[1], rtol=1e-12, atol=1e-15)


@over_geometries
@pytest.mark.parametrize("count_padding", [False, True])
@pytest.mark.usefixtures("x64")
def test_an_average_pool_is_the_loop_with_padding_counted_or_not(geometry, count_padding):
    x = numbers("normal", (2, *geometry[-1], 2))
    windows, size = window_places(geometry)
    y, dy, dx = swept(AvgPool(*geometry[:4], count_padding=count_padding), x)
    expected = looped(windows, x, dy, mean_of(size if count_padding else None))
    np.testing.assert_allclose(y, expected[0], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(dx, expected[1], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("size", [1, 2, 3, (3, 2), (5, 7), (7, 9)], ids=str)
@pytest.mark.usefixtures("x64")
def test_adaptive_pools_are_the_loop_over_windows_that_cover_x(size):
    sizes = (5, 7)
    bins = [
        [range(i * n // m, math.ceil((i + 1) * n / m)) for i in range(m)]
        for n, m in zip(sizes, each(size, 2), strict=True)
    ]
    windows = {
        (i, j): list(itertools.product(rows, columns))
        for (i, rows), (j, columns) in itertools.product(*map(enumerate, bins))
    }
    for kind in ("normal", "ties"):
        x = numbers(kind, (2, *sizes, 2))
        y, dy, dx = swept(AdaptiveMaxPool(size), x)
        expected = looped(windows, x, dy, first_largest)
        np.testing.assert_array_equal(y, expected[0])
        np.testing.assert_allclose(dx, expected[1], rtol=1e-12, atol=1e-15)
        y, dy, dx = swept(AdaptiveAvgPool(size), x)
        expected = looped(windows, x, dy, mean_of())
        np.testing.assert_allclose(y, expected[0], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(dx, expected[1], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("sizes", [(5,), (3, 2), (2, 3, 2), (17, 31)], ids=str)
def test_global_pools_are_the_largest_entry_and_the_mean(sizes):
    axes = tuple(range(1, 1 + len(sizes)))
    x = numbers("ties", (2, *sizes, 3)).astype(np.float32)
    flat = x.reshape(2, -1, 3)
    for layer in (GlobalMaxPool(), GlobalMaxPool(keepdims=True)):
        y, dy, dx = swept(layer, x)
        np.testing.assert_array_equal(y, x.max(axes, keepdims=layer.keepdims))
        expected = np.where(np.arange(flat.shape[1])[:, None] == flat.argmax(1)[:, None], 1, 0)
        expected = expected * dy.astype(np.float32).reshape(2, 1, 3)
        np.testing.assert_array_equal(dx, expected.reshape(x.shape))
    for layer in (GlobalAvgPool(), GlobalAvgPool(keepdims=True)):
        y, dy, dx = swept(layer, x)
        np.testing.assert_allclose(y, x.mean(axes, keepdims=layer.keepdims), rtol=1e-5, atol=1e-7)
        expected = np.broadcast_to(dy.reshape(2, 1, 3) / flat.shape[1], flat.shape)
        np.testing.assert_allclose(dx, expected.reshape(x.shape), rtol=1e-5)


def test_by_hand():
    x = jnp.asarray([[1.0, 4.0, 4.0, 2.0, 9.0]])[..., None]
    y, residuals = MaxPool(2).forward((), x)
    assert y[0, :, 0].tolist() == [4, 4]  # the fifth entry is left over
    dx, _ = MaxPool(2).backward((), residuals, jnp.asarray([[[10.0], [20.0]]]), nn.gradient)
    assert dx[0, :, 0].tolist() == [0, 10, 20, 0, 0]
    y, residuals = MaxPool(3, 1).forward((), x)
    assert y[0, :, 0].tolist() == [4, 4, 9]
    dx, _ = MaxPool(3, 1).backward((), residuals, jnp.asarray([[[1.0], [2.0], [4.0]]]), nn.gradient)
    assert dx[0, :, 0].tolist() == [0, 3, 0, 0, 4]  # of the two fours the first, twice
    y, _ = AvgPool(2, padding=((1, 0),)).forward((), x)
    assert y[0, :, 0].tolist() == [1, 4, 5.5]
    y, _ = AvgPool(2, padding=((1, 0),), count_padding=True).forward((), x)
    assert y[0, :, 0].tolist() == [0.5, 4, 5.5]


@pytest.mark.parametrize(
    ("layer", "shape", "dtype", "residual"),
    [
        (MaxPool(2), (2, 8, 8, 3), "uint8", (2, 4, 4, 3)),
        (MaxPool(16), (2, 16, 32, 3), "uint8", (2, 1, 2, 3)),
        (MaxPool(17), (2, 17, 34, 3), "uint16", (2, 1, 2, 3)),
        (GlobalMaxPool(), (2, 300, 300, 3), "uint32", (2, 1, 1, 3)),
    ],
    ids=str,
)
def test_what_is_kept_is_the_place_of_the_largest_entry_in_the_narrowest_integers(
    layer, shape, dtype, residual
):
    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    _, residuals = jax.eval_shape(lambda x: layer.forward((), x), x)
    [kept] = jax.tree.leaves(residuals)
    assert (kept.dtype, kept.shape) == (dtype, residual)


def test_overlapping_windows_keep_a_byte_for_each_axis():
    x = jax.ShapeDtypeStruct((2, 7, 9, 3), jnp.float32)
    _, residuals = jax.eval_shape(lambda x: MaxPool(3, 2).forward((), x), x)
    kept = jax.tree.leaves(residuals)
    assert [leaf.dtype for leaf in kept] == ["uint8", "uint8"]
    assert [leaf.shape for leaf in kept] == [(2, 7, 4, 3), (2, 3, 4, 3)]


def test_two_by_two_takes_no_temporary_memory():
    x = jnp.ones((8, 28, 28, 16))

    @jax.jit
    def both(x, dy):
        y, residuals = MaxPool(2).forward((), x)
        return y, MaxPool(2).backward((), residuals, dy, nn.gradient)[0]

    compiled = both.lower(x, jnp.ones((8, 14, 14, 16))).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < x.nbytes / 100  # pyright: ignore


def test_narrow_sums_are_in_float32():
    x = jnp.full((1, 1000, 1), 1.001, jnp.bfloat16)
    for layer in (AvgPool(1000), GlobalAvgPool(), AdaptiveAvgPool(1), AvgPool(8, 4)):
        y, _ = layer.forward((), x)
        assert y.dtype == jnp.bfloat16
        assert (y == x[0, 0, 0]).all()


REFUSED = [
    (MaxPool(2), (2, 3), r"expected x \(batch, \*sizes, channels\), got shape \(2, 3\)"),
    (MaxPool(9), (2, 5, 5, 1), "for a window to fit"),
    (MaxPool((2, 2)), (2, 5, 1), "expected window to be"),
    (MaxPool(2, 2, 3), (1, 4, 4, 1), "expected an entry of x in every window"),
    (AvgPool(2, 2, "SAME", 3), (1, 2, 2, 1), r"padding alone in window 0 along axis 2"),
    (GlobalAvgPool(), (2, 3), "expected x"),
    (AdaptiveAvgPool((2, 2)), (2, 5, 1), "expected size to be"),
]


@pytest.mark.parametrize(("layer", "shape", "message"), REFUSED, ids=str)
def test_what_does_not_fit_is_refused(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.forward((), jnp.ones(shape))
    with pytest.raises(TypeError, match="floating-point"):
        layer.forward((), jnp.ones((2, 9, 9, 1), jnp.int32))


@pytest.mark.parametrize("pool", [MaxPool(2), MaxPool(3, 2, 1), AvgPool(3, 1, "SAME"), MaxPool(5)])
def test_a_network_with_a_pool_learns_as_jax_grad_says(pool):
    net = serial(nn.Reshape((10, 10, 1)), pool, nn.Flatten(), Dense(3))
    rng = np.random.default_rng(2)
    x, y = jnp.asarray(rng.normal(size=(4, 100)), jnp.float32), rng.integers(0, 3, 4)
    params = net.init(jax.random.key(0), x)
    assert nn.check.check_backprop(net, nn.softmax_cross_entropy, params, x, y)

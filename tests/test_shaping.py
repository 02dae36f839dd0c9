"""Layers that pad, stretch, reorder and multiply, beside NumPy."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false, reportCallIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Dense, Pad, Pixels, Product, Reshape, Transpose, Upsample, serial

X = np.random.default_rng(3).normal(size=(2, 5, 7, 3))
MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def swept(layer, x):
    y, residuals = layer.forward((), jnp.asarray(x))
    dy = np.random.default_rng(7).normal(size=y.shape)
    return y, dy, layer.backward((), residuals, jnp.asarray(dy), nn.gradient)[0]


def transposed(layer, x, dy):
    """dx of a linear layer, entry by entry: what dy says of the image of each unit vector."""
    zero, _ = layer.forward((), jnp.zeros(x.shape))
    units = jnp.eye(x.size).reshape(x.size, *x.shape)
    images = jax.vmap(lambda e: layer.forward((), e)[0] - zero)(units)
    return (np.asarray(images) * dy).reshape(x.size, -1).sum(1).reshape(x.shape)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", [0, 2, (1, 3), ((0, 4), (2, 1))], ids=str)
@pytest.mark.usefixtures("x64")
def test_padding_is_that_of_numpy_and_goes_back_to_what_was_copied(mode, width):
    layer = Pad(width, mode=mode, value=0.5)
    entries = (width, width) if isinstance(width, int) else width
    pairs = [(e, e) if isinstance(e, int) else e for e in entries]
    options = {"constant_values": 0.5} if mode == "constant" else {}
    y, dy, dx = swept(layer, X[:1])
    wanted = np.pad(X[:1], [(0, 0), *pairs, (0, 0)], mode=MODES[mode], **options)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_allclose(dx, transposed(layer, X[:1], dy), rtol=1e-12, atol=1e-15)


def test_bytes_are_padded_as_bytes():
    x = jnp.asarray([[[7], [9]]], jnp.uint8)
    y, residuals = Pad(1, value=2).forward((), x)
    assert y.dtype == jnp.uint8
    assert y[0, :, 0].tolist() == [2, 7, 9, 2]
    assert Pad(1).backward((), residuals, None, nn.gradient) == (None, ())
    with pytest.raises(ValueError, match="a value that x of uint8 can hold"):
        Pad(1, value=0.5).forward((), x)


def between(v, f):
    """f numbers for each of v, on the lines between the middles of its pixels."""
    return np.interp((np.arange(f * len(v)) + 0.5) / f - 0.5, np.arange(len(v)), v)


@pytest.mark.usefixtures("x64")
def test_nearest_repeats_and_linear_interpolates_between_the_middles_of_pixels():
    y, dy, dx = swept(Upsample((2, 3)), X)
    np.testing.assert_array_equal(y, X.repeat(2, 1).repeat(3, 2))
    np.testing.assert_allclose(dx, dy.reshape(2, 5, 2, 7, 3, 3).sum((2, 4)), rtol=1e-12)
    for factor in ((2, 3), (1, 4), (5, 2)):
        y, dy, dx = swept(Upsample(factor, "linear"), X)
        wanted = X
        for axis, f in enumerate(factor, start=1):
            wanted = np.apply_along_axis(between, axis, wanted, f)
        np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(
            dx, transposed(Upsample(factor, "linear"), X, dy), rtol=1e-10, atol=1e-13
        )


def test_linear_by_hand():
    y, residuals = Upsample(2, "linear").forward((), jnp.asarray([[[0.0], [4.0]]]))
    assert y[0, :, 0].tolist() == [0, 1, 3, 4]
    dy = jnp.asarray([[[1.0], [2.0], [4.0], [8.0]]])
    dx, _ = Upsample(2, "linear").backward((), residuals, dy, nn.gradient)
    assert dx[0, :, 0].tolist() == [1 + 0.75 * 2 + 0.25 * 4, 0.25 * 2 + 0.75 * 4 + 8]


def test_shapes_change_and_come_back():
    y, dy, dx = swept(Reshape((7, -1)), X)
    np.testing.assert_array_equal(y, X.astype(np.float32).reshape(2, 7, 15))
    np.testing.assert_array_equal(dx, dy.astype(np.float32).reshape(X.shape))
    y, dy, dx = swept(Transpose((3, 1, 2)), X)  # channels first
    np.testing.assert_array_equal(y, np.moveaxis(X, -1, 1).astype(np.float32))
    np.testing.assert_array_equal(dx, np.moveaxis(dy, 1, -1).astype(np.float32))


@pytest.mark.parametrize("shape", [nn.Flatten(), Reshape((12,)), Transpose((2, 1)), Pad(0)])
def test_integers_have_no_derivative_to_change_the_shape_of(shape):
    net = serial(Reshape((6, 2)), shape, Pixels())
    x = jnp.arange(24, dtype=jnp.uint8).reshape(2, 12)
    y, residuals = net.forward(net.init(jax.random.key(0), x), x)
    assert net.backward(((), (), ()), residuals, y, nn.gradient)[0] is None


def test_channels_of_zeros_come_behind_those_of_the_image():
    x = jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3)), jnp.uint8)
    y, _ = Pixels(channels=4).forward((), x)
    np.testing.assert_array_equal(y[..., :3], Pixels().forward((), x)[0])
    assert not y[..., 3].any()
    padded = jnp.pad(x, [(0, 0)] * 3 + [(0, 1)])  # once, for the whole data set
    np.testing.assert_array_equal(Pixels(channels=4).forward((), padded)[0], y)


def naive_product(ys, dy):
    """dy_i, summed over the axes along which y_i is one for all."""
    found = []
    for i, y in enumerate(ys):
        others = np.prod(np.broadcast_arrays(*ys[:i], *ys[i + 1 :], dy * 0 + 1)[:-1], axis=0)
        axes = tuple(a for a, n in enumerate(y.shape) if n != dy.shape[a])
        found.append((dy * others).sum(axes, keepdims=True))
    return found


@pytest.mark.usefixtures("x64")
def test_a_product_weighs_each_by_the_others_and_sums_where_one_stands_for_all():
    layers = (nn.linear(2.0), serial(nn.GlobalMaxPool(keepdims=True)), nn.linear(-1.0))
    x = X[..., :2]
    y, residuals = Product(layers).forward(((), ((),), ()), jnp.asarray(x))
    ys = [2 * x, x.max((1, 2), keepdims=True), -x]
    np.testing.assert_allclose(y, ys[0] * ys[1] * ys[2], rtol=1e-12)
    dy = np.random.default_rng(1).normal(size=y.shape)
    dx, _ = Product(layers).backward(((), ((),), ()), residuals, jnp.asarray(dy), nn.gradient)
    d = naive_product(ys, dy)
    largest = np.where(x == ys[1], d[1], 0)
    np.testing.assert_allclose(dx, 2 * d[0] + largest - d[2], rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("x64")
def test_squeeze_and_excite_is_its_formula():
    net = nn.layers.squeeze_excite(3, ratio=2)
    params = net.init(jax.random.key(1), jnp.asarray(X))
    _, (_, first, _, second, _) = params
    y, _ = net.forward(params, jnp.asarray(X))
    mean = X.mean((1, 2))
    hidden = np.maximum(mean @ np.asarray(first.w) + np.asarray(first.b), 0)
    gate = 1 / (1 + np.exp(-(hidden @ np.asarray(second.w) + np.asarray(second.b))))
    np.testing.assert_allclose(y, X * gate[:, None, None], rtol=1e-12)
    assert first.w.shape == (3, 1)


REFUSED = [
    (Pad(1), (2, 3), r"expected x \(batch, \*sizes, n\), got shape \(2, 3\)"),
    (Pad((1, 2)), (2, 3, 1), "expected width to be a whole number of 0 or more, or 1 of them"),
    (Pad(3, mode="reflect"), (2, 3, 1), r"expected a width of at most \[2\]"),
    (Pad(4, mode="circular"), (2, 3, 1), r"expected a width of at most \[3\]"),
    (Upsample((2, 2)), (2, 3, 1), "expected factor to be"),
    (Reshape((2, 4)), (3, 7), "which has 7"),
    (Reshape((-1, 4)), (3, 7), "which has 7"),
    (Transpose((2, 1)), (3, 7), "with 2 axes behind the batch"),
    (Pixels(channels=2), (2, 3, 3, 3), "with n <= 2"),
    (Product((nn.linear, Dense(4))), (2, 3), "keepdims=True"),
    (Product((nn.linear, nn.GlobalAvgPool())), (2, 3, 4, 5), "keepdims=True"),
]


@pytest.mark.parametrize(("layer", "shape", "message"), REFUSED, ids=str)
def test_what_does_not_fit_is_refused(layer, shape, message):
    x = jnp.ones(shape, jnp.uint8 if isinstance(layer, Pixels) else jnp.float32)
    with pytest.raises(ValueError, match=message):
        layer.forward(layer.init(jax.random.key(0), x), x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Reshape((-1, -1)), "one of them perhaps -1"),
        (lambda: Reshape((2.0, 3)), "expected a shape of whole numbers"),
        (lambda: Transpose((0, 1)), "expected axes to be 1 to 2"),
        (lambda: Pad(-1), "expected width"),
        (lambda: Upsample(0), "expected factor"),
        (lambda: Pad(1, mode="mirror"), "expected mode"),
        (lambda: Product(()), "expected a tuple of one or more layers"),
    ],
)
def test_fields_that_cannot_be_are_refused_where_they_are_written(make, message):
    with pytest.raises(ValueError if "tuple of one" not in message else TypeError, match=message):
        make()

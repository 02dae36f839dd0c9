"""Convolutions beside loops over every index, and what they refuse."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Conv, ConvTranspose, LocallyConnected
from jaxnn.curvature import KroneckerFactors, kronecker
from jaxnn.readings import SquaredNorms
from tests.compare import KEY, assert_trees_close, by_hand, draw


def pairs(padding, sizes, window, stride, dilation):
    """The padding in front and behind, as the words and numbers say."""
    if padding == "VALID":
        return [(0, 0)] * len(sizes)
    if padding == "SAME":
        along = zip(sizes, window, stride, dilation, strict=True)
        total = [max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0) for n, k, s, d in along]
        return [(t // 2, t - t // 2) for t in total]
    entries = [padding] * len(sizes) if isinstance(padding, int) else padding
    return [(e, e) if isinstance(e, int) else e for e in entries]


def each(value, rank):
    return (value,) * rank if isinstance(value, int) else value


def uses(sizes, layer, more=0):
    """(place, entry of the window, index into x) wherever a window lies on x, of which `more`
    entries at the end do not count where padding is chosen."""
    rank = len(sizes)
    window, stride = each(layer.window, rank), each(layer.stride, rank)
    dilation = each(layer.dilation, rank)
    fewer = [n - r for n, r in zip(sizes, each(more, rank), strict=True)]
    pads = pairs(layer.padding, fewer, window, stride, dilation)
    along = zip(sizes, pads, window, stride, dilation, strict=True)
    places = [(n + p + q - d * (k - 1) - 1) // s + 1 for n, (p, q), k, s, d in along]
    for place in itertools.product(*map(range, places)):
        for u in itertools.product(*map(range, window)):
            numbers = zip(place, u, stride, dilation, pads, strict=True)
            index = tuple(s * i + d * v - p for i, v, s, d, (p, _) in numbers)
            if all(0 <= j < n for j, n in zip(index, sizes, strict=True)):
                yield place, u, index


def looped(layer, params, x, dy):
    """(y, dx, dw) of a convolution, one multiplication at a time."""
    w = np.asarray(params.w)
    y = np.zeros(dy.shape) + (0 if params.b is None else np.asarray(params.b))
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    n_in, n_out = w.shape[-2], w.shape[-1] // layer.groups
    for place, u, index in uses(x.shape[1:-1], layer):
        for g in range(layer.groups):
            ins, outs = slice(g * n_in, (g + 1) * n_in), slice(g * n_out, (g + 1) * n_out)
            seen, d, kernel = x[:, *index, ins], dy[:, *place, outs], w[*u, :, outs]
            y[:, *place, outs] += seen @ kernel
            dx[:, *index, ins] += d @ kernel.T
            dw[*u, :, outs] += seen.T @ d
    return y, dx, dw


def transposed(layer, params, x, dy):
    """The same of a transposed convolution: x lies at the places, y where windows look."""
    w = np.asarray(params.w)
    y = np.zeros(dy.shape) + (0 if params.b is None else np.asarray(params.b))
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    n_in, n_out = w.shape[-2], w.shape[-1] // layer.groups
    for place, u, index in uses(y.shape[1:-1], layer, layer.output_padding):
        if any(i >= n for i, n in zip(place, x.shape[1:-1], strict=True)):
            continue
        for g in range(layer.groups):
            ins, outs = slice(g * n_in, (g + 1) * n_in), slice(g * n_out, (g + 1) * n_out)
            seen, d, kernel = x[:, *place, ins], dy[:, *index, outs], w[*u, :, outs]
            y[:, *index, outs] += seen @ kernel
            dx[:, *place, ins] += d @ kernel.T
            dw[*u, :, outs] += seen.T @ d
    return y, dx, dw


def agree(layer, shape, loops):
    x = np.random.default_rng(0).normal(size=shape)
    params = draw(jax.eval_shape(layer.init, KEY, x), 1)
    y = jax.jit(layer.forward)(params, x)[0]
    dy = np.asarray(draw(y, 2))
    dx, readings = by_hand(layer, params, x, dy)
    assert_trees_close((y, dx, readings.w), loops(layer, params, x, dy))


PLANE, LINE, SPACE = (2, 5, 7, 2), (2, 11, 2), (2, 3, 5, 4, 2)


def on(shape, **fields):
    return fields, shape


GEOMETRIES = [
    *(on(PLANE, window=k, padding=p) for k in (1, 2, 3) for p in ("VALID", "SAME")),
    *(on(PLANE, window=3, padding=p, stride=s) for p in ("VALID", "SAME", 1) for s in (2, 3)),
    *(on(PLANE, window=2, padding=p, dilation=d) for p in ("VALID", "SAME") for d in (2, 3)),
    *(on(PLANE, window=3, padding="SAME", stride=2, dilation=d) for d in (1, 2)),
    on(PLANE, window=(3, 2), stride=(1, 2), padding=((2, 0), (0, 3)), dilation=(2, 1)),
    on(PLANE, window=(1, 5), padding=(0, 2)),
    on(PLANE, window=2, stride=3),
    on((1, 3, 2, 1), window=5, padding=4),
    *(on((2, 7, 6, 1), window=3, stride=s, padding=p) for s in (1, 2) for p in ("VALID", 1)),
    on(PLANE, window=3, groups=2),
    on(PLANE, window=2, groups=2, stride=2, padding="SAME", dilation=2),
    on(LINE, window=3, groups=2, padding=1),
    on(LINE, window=4, stride=2, padding=((1, 0),)),
    on(LINE, window=3, dilation=3, padding="SAME"),
    on(SPACE, window=2),
    on(SPACE, window=(1, 2, 3), stride=2, padding="SAME"),
    on(SPACE, window=2, groups=2, padding=(1, 0, 1), dilation=(1, 2, 1)),
]
TRANSPOSED = [
    on(PLANE, window=3),
    on(PLANE, window=3, stride=2, padding=1, output_padding=1),
    on(PLANE, window=(3, 2), stride=(2, 3), padding="SAME", output_padding=(1, 2)),
    on(PLANE, window=2, stride=3, padding="SAME", bias=False),
    on(PLANE, window=3, stride=2, padding=((1, 0), (2, 1)), dilation=2, groups=2),
    on(LINE, window=4, stride=2, padding=1, groups=2),
    on(SPACE, window=2, stride=2),
]


@pytest.mark.parametrize(("fields", "shape"), GEOMETRIES, ids=str)
@pytest.mark.usefixtures("x64")
def test_a_convolution_is_what_loops_make_of_it(fields, shape):
    agree(Conv(4, **fields), shape, looped)


@pytest.mark.parametrize(("fields", "shape"), TRANSPOSED, ids=str)
@pytest.mark.usefixtures("x64")
def test_a_transposed_convolution_is_what_loops_make_of_it(fields, shape):
    agree(ConvTranspose(4, **fields), shape, transposed)


@pytest.mark.usefixtures("x64")
def test_a_transposed_convolution_is_the_way_back_of_a_convolution():
    x, there = draw(jnp.zeros((2, 5, 7, 3)), 0), Conv(4, 3, stride=2, padding=1, bias=False)
    params = draw(jax.eval_shape(there.init, KEY, x), 1)
    y, residuals = there.forward(params, x)
    dx, _ = there.backward(params, residuals, y, lambda f: f.contract())
    back = ConvTranspose(3, 3, stride=2, padding=1, bias=False)
    assert_trees_close(back.forward(nn.Affine(params.w.swapaxes(-1, -2), None), y)[0], dx)


@pytest.mark.parametrize(("mode", "numpy"), [("circular", "wrap"), ("reflect", "reflect")])
@pytest.mark.usefixtures("x64")
def test_what_lies_beyond_the_edges_is_as_numpy_pads(mode, numpy):
    x, layer = draw(jnp.zeros((2, 5, 4, 2)), 0), Conv(3, 3, padding=((6, 1), 3), padding_mode=mode)
    params = draw(jax.eval_shape(layer.init, KEY, x), 1)
    padded = np.pad(x, ((0, 0), (6, 1), (3, 3), (0, 0)), numpy)
    assert_trees_close(
        layer.forward(params, x)[0], Conv(3, 3).forward(params, jnp.asarray(padded))[0]
    )


@pytest.mark.usefixtures("x64")
def test_a_table_of_planes_cuts_connections_and_keeps_them_cut():
    x, table = draw(jnp.zeros((3, 4, 5, 3)), 0), ((0,), (1, 2), (0, 2))
    layer = Conv(3, 2, planes=table, w_init=nn.initializers.normal(1.0))
    params = layer.init(KEY, x)
    seen = np.zeros((3, 3), bool)
    for output, inputs in enumerate(table):
        seen[list(inputs), output] = True
    for w in (params.w, nn.backprop(layer, nn.sum_square, params, x, jnp.ones((3, 3, 4, 3)))[1].w):
        assert (np.asarray(w) != 0).all(axis=(0, 1)).tolist() == seen.tolist()


@pytest.mark.usefixtures("x64")
def test_local_connections_with_equal_weights_are_a_convolution():
    x, conv = draw(jnp.zeros((2, 5, 4, 3)), 0), Conv(7, 2, stride=2, padding=1)
    params = draw(jax.eval_shape(conv.init, KEY, x), 1)
    y = conv.forward(params, x)[0]
    local = LocallyConnected(7, 2, stride=2, padding=1)
    w = jnp.broadcast_to(params.w.reshape(12, 7), (*y.shape[1:3], 12, 7))
    b = jnp.broadcast_to(params.b, y.shape[1:])
    assert jax.tree.map(jnp.shape, local.init(KEY, x)) == (w.shape, b.shape)
    assert_trees_close(local.forward(nn.Affine(w, b), x)[0], y)


NET = nn.serial(Conv(3, 2), nn.tanh, Conv(5, 3, stride=2), nn.Flatten(), nn.Dense(2))
IMAGES, LABELS = (4, 9, 7, 1), np.array([0, 1, 1, 0])


@pytest.mark.parametrize("form", ["gram", "each", "auto"])
@pytest.mark.usefixtures("x64")
def test_norms_of_every_form_are_those_of_the_gradients(form):
    x = draw(jnp.zeros(IMAGES), 0)
    params, loss = NET.init(KEY, x), nn.softmax_cross_entropy
    _, each = nn.backprop(NET, loss, params, x, LABELS, read=nn.per_example)
    wanted = jax.tree.map(lambda g: (g * g).sum(tuple(range(1, g.ndim))), each)
    _, found = nn.backprop(NET, loss, params, x, LABELS, read=SquaredNorms(form))
    assert_trees_close(found, wanted)


@pytest.mark.parametrize("shared", ["expand", "reduce"])
@pytest.mark.usefixtures("x64")
def test_kronecker_factors_are_those_of_a_dense_layer_on_patches(shared):
    """Patches cut out by hand, so that the convolution is a `Dense` at their places."""
    x = draw(jnp.zeros((3, 5, 4, 2)), 0)
    conv, dense = Conv(4, (2, 3)), nn.Dense(4)
    cut = [x[:, i : i + 2, j : j + 3].reshape(3, -1) for i in range(4) for j in range(2)]
    patches = jnp.stack(cut, 1).reshape(3, 4, 2, 12)
    params = draw(jax.eval_shape(conv.init, KEY, x), 1)
    flat, y = nn.Affine(params.w.reshape(12, 4), params.b), jnp.ones((3, 4, 2, 4))
    read = kronecker.replace(shared=shared)
    _, found = nn.backprop(conv, nn.sum_square, params, x, y, read=read)
    _, wanted = nn.backprop(dense, nn.sum_square, flat, patches, y, read=read)
    assert isinstance(found.w, KroneckerFactors)
    assert_trees_close(found.w, wanted.w)


def test_k_fac_trains_a_convolution_and_leaves_biases_of_places_to_the_plain_gradient():
    x, y = draw(jnp.zeros((16, 5, 5, 1)), 0), np.arange(16) % 2
    net = nn.serial(Conv(3, 3, bias_per_place=True), nn.tanh, nn.Flatten(), nn.Dense(2))
    optimizer = nn.KFAC(nn.SGD(0.3), damping=0.1)
    state = nn.start(net, optimizer, KEY, x)
    losses = []
    for _ in range(10):
        state, found = nn.train_step(net, nn.softmax_cross_entropy, optimizer, state, x, y)
        losses.append(float(found))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("inside", ["float64", "bfloat16"])
@pytest.mark.parametrize("layer", [Conv(4, 2), ConvTranspose(4, 2), Conv(4, 2, groups=2)], ids=repr)
@pytest.mark.usefixtures("x64")
def test_gradients_of_the_examples_are_as_wide_as_the_parameters(layer, inside):
    net, x = nn.MixedPrecision(layer, inside), jnp.ones((2, 5, 3, 2), jnp.float32)
    params = net.init(KEY, x)
    y = jnp.zeros(jax.eval_shape(net.forward, params, x)[0].shape, jnp.float32)
    _, each = nn.backprop(net, nn.half_square, params, x, y, read=nn.per_example)
    assert {leaf.dtype for leaf in jax.tree.leaves(each)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 1, 28, 28)])
def test_channels_first_are_refused_with_what_to_write(shape):
    for layer in (Conv(4, 3), ConvTranspose(4, 3), LocallyConnected(4, 3)):
        with pytest.raises(ValueError, match=r"write jnp\.moveaxis\(x, 1, -1\)"):
            layer.init(KEY, jnp.zeros(shape))


def test_an_x_that_does_not_fit_is_refused_with_what_to_do():
    layer = Conv(4, 3)
    params = layer.init(KEY, jnp.zeros((2, 9, 9, 3)))
    refused = [
        (jnp.zeros((2, 9, 9, 1)), r"of 3 channels, got shape \(2, 9, 9, 1\)"),
        (jnp.zeros((2, 3, 9, 9)), r"moveaxis\(x, 1, -1\), of shape \(2, 9, 9, 3\)"),
        (jnp.zeros((2, 9, 3)), "2 inner axes"),
        (jnp.zeros((2, 2, 9, 3)), r"for a window to fit"),
        (jnp.zeros((9, 3)), r"x\[None\]"),
    ]
    for x, message in refused:
        with pytest.raises(ValueError, match=message):
            layer.forward(params, x)
    with pytest.raises(TypeError, match=r"Pixels"):
        layer.forward(params, jnp.zeros((2, 9, 9, 3), int))
    with pytest.raises(TypeError, match=r"float32 like the parameters, got bfloat16"):
        layer.forward(params, jnp.zeros((2, 9, 9, 3), jnp.bfloat16))


ANY: Any = {"same": "same", "list": [3, 3], "wrap": "wrap"}  # of types that are no such fields


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(4, 0), "expected window to be a whole number >= 1 or a tuple of such, got 0"),
        (lambda: Conv(4, 3, padding=ANY["same"]), "'VALID' or 'SAME' or a whole number >= 0"),
        (lambda: Conv(4, 3, padding=-1), "got -1"),
        (lambda: Conv(4, ANY["list"]), r"got \[3, 3\]"),
        (lambda: Conv(4, 3, padding_mode=ANY["wrap"]), "'zeros', 'circular', 'reflect'"),
        (lambda: Conv(4, (3, 3, 3)).init(KEY, X), "2 of them, one for each inner axis"),
        (lambda: Conv(4, 3, padding=((1, 1),)).init(KEY, X), r"2 of them or pairs"),
        (lambda: Conv(4, 3, groups=2).init(KEY, X), "2 groups for 3 inputs and 4 outputs"),
        (lambda: Conv(2, 3, planes=((0,), (3,))).init(KEY, X), "inputs of 0 to 2"),
        (lambda: ConvTranspose(4, 3, output_padding=1).init(KEY, X), "below the stride"),
        (lambda: ConvTranspose(4, 3, padding=9).init(KEY, X), "leaves something of y"),
    ],
)
def test_fields_that_do_not_fit_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


X = jnp.zeros((2, 9, 7, 3))

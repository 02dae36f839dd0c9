"""Normalisations beside NumPy loops: where means run, narrow inputs, edges, parts, refusals."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import BatchNorm, Dense, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from jaxnn.core import ScaleShift
from tests.compare import KEY, assert_trees_close, draw, setting

x64 = pytest.mark.usefixtures("x64")
LAYERS = (
    LayerNorm(), LayerNorm(eps=0.3, scale=False), RMSNorm(), RMSNorm(shift=True), GroupNorm(2),
    GroupNorm(3, shift=False), InstanceNorm(), InstanceNorm(scale=False, shift=False),
    BatchNorm(), BatchNorm(learned=False, eps=0.0, ddof=1),
)  # fmt: skip
SHAPES = (3, 6), (2, 3, 6), (2, 3, 2, 6), (2, 2, 3, 2, 6)


def pools(layer, shape):
    """The index arrays of all entries that share a mean, found one entry at a time."""
    found = {}
    for at in itertools.product(*map(range, shape)):
        n, *inner, channel = at
        key = {
            LayerNorm: (n, *inner),
            RMSNorm: (n, *inner),
            GroupNorm: (n, channel // (shape[-1] // getattr(layer, "groups", 1))),
            InstanceNorm: (n, channel),
            BatchNorm: (channel,),
        }[type(layer)]
        found.setdefault(key, []).append(at)
    return [tuple(np.array(entries).T) for entries in found.values()]


def by_loops(layer, params, x):
    """y, one pool after the other, in float64."""
    x = np.asarray(x, np.float64)
    y = np.empty_like(x)
    for at in pools(layer, x.shape):
        values = x[at]
        centred = values - (0 if isinstance(layer, RMSNorm) else values.mean())
        v = (centred**2).sum() / (len(values) - getattr(layer, "ddof", 0))
        y[at] = centred / math.sqrt(v + layer.eps)
    scale, shift = (np.asarray(1.0), np.asarray(0.0)) if params == () else params
    y = y if scale is None else y * np.asarray(scale, np.float64)
    return y if shift is None else y + np.asarray(shift, np.float64)


def fits(layer, shape):
    return len(shape) > 2 or not isinstance(layer, InstanceNorm)


EVERY = [(layer, shape) for layer in LAYERS for shape in SHAPES if fits(layer, shape)]


@x64
@pytest.mark.parametrize(("layer", "shape"), EVERY, ids=str)
def test_forward_is_what_loops_over_the_entries_give(layer, shape):
    x = 2 + 3 * draw(jnp.zeros(shape), 1)
    params, _ = setting(layer, x)
    y, _ = jax.jit(layer.forward)(params, x)
    np.testing.assert_allclose(y, by_loops(layer, params, x), rtol=1e-9, atol=1e-9)


def test_by_hand_for_numbers_that_can_be_done_on_paper():
    x = jnp.asarray([[1.0, 3.0], [-2.0, 2.0]])
    params = ScaleShift(jnp.asarray([2.0, 10.0]), jnp.asarray([0.0, 1.0]))
    y, kept = LayerNorm(eps=0.0).forward(params, x)  # m = 2, 0; s = 1, 1/2
    np.testing.assert_allclose(y, [[-2, 11], [-2, 11]], rtol=1e-6)
    dx, grads = LayerNorm(eps=0.0).backward(params, kept, jnp.ones((2, 2)), nn.gradient)
    np.testing.assert_allclose(dx, np.zeros((2, 2)), atol=1e-5)  # of two features, one is free
    np.testing.assert_allclose(grads.scale, [-2, 2], rtol=1e-6)
    np.testing.assert_array_equal(grads.shift, [2, 2])
    y, _ = RMSNorm(eps=0.0).forward(ScaleShift(jnp.ones(2), None), jnp.asarray([[3.0, 4.0]]))
    np.testing.assert_allclose(y, np.array([[3, 4]]) / math.sqrt(12.5), rtol=1e-6)


def test_what_is_learned_is_what_the_fields_say():
    x = jnp.ones((2, 3, 4))
    both, scale = ScaleShift(jnp.ones(4), jnp.zeros(4)), ScaleShift(jnp.ones(4), None)
    for layer in (LayerNorm(), GroupNorm(2), InstanceNorm(), BatchNorm(), RMSNorm(shift=True)):
        assert_trees_close(layer.init(KEY, x), both)
    for layer in (RMSNorm(), LayerNorm(shift=False), GroupNorm(1, shift=False)):
        assert_trees_close(layer.init(KEY, x), scale)
    assert LayerNorm(scale=False).init(KEY, x)._replace(shift=0) == (None, 0)
    assert InstanceNorm(scale=False, shift=False).init(KEY, x) == ()


def test_a_single_example_is_normalised_as_in_a_batch():
    x = draw(jnp.zeros((3, 4, 6)), 1)
    for layer in LAYERS[:8]:
        params, _ = setting(layer, x)
        whole = layer.forward(params, x)[0]
        assert_trees_close(layer.forward(params, x[1:2])[0], whole[1:2], rtol=1e-6)


@x64
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_narrow_inputs_with_a_mean_far_from_zero(layer, dtype):
    # with moments in the dtype of x nothing would be left: 64^2 6 overflows float16
    x = (64 + draw(jnp.zeros((4, 5, 6)), 1)).astype(dtype)
    params, _ = setting(layer, x)
    y, kept = layer.forward(params, x)
    assert y.dtype == dtype
    # x - m is the difference of numbers about 64, so float32 leaves 64 of its roundings in xhat
    tolerance = 8 * float(jnp.finfo(dtype).eps) + 1e-4
    wanted = by_loops(layer, params, x)
    np.testing.assert_allclose(y.astype(float), wanted, rtol=tolerance, atol=tolerance)
    assert all(leaf.dtype in (dtype, np.float32) for leaf in jax.tree.leaves(kept))
    dy = draw(y, 9)  # not the draw of x, of which dx would be 0
    dx, grads = layer.backward(params, kept, dy, nn.gradient)
    wide = jax.tree.map(lambda a: a.astype(float), (params, x, dy))
    exact = jax.vjp(lambda p, x: layer.forward(p, x)[0], *wide[:2])[1](wide[2])
    for ours, theirs in zip(jax.tree.leaves((grads, dx)), jax.tree.leaves(exact), strict=True):
        assert ours.dtype == dtype
        assert np.abs(ours.astype(float) - theirs).max() <= tolerance * np.abs(theirs).max()


@pytest.mark.parametrize(
    "layer", [LayerNorm(), GroupNorm(2), InstanceNorm(), BatchNorm()], ids=repr
)
def test_where_there_is_no_variance_xhat_is_zero_and_dx_is_finite(layer):
    x = jnp.full((2, 3, 4), 7.3)
    params = ScaleShift(2 * jnp.ones(4), jnp.arange(4.0))
    y, kept = layer.forward(params, x)
    # 7.3 is no number of float32: its mean may be off by a rounding, which 1 / sqrt(eps) enlarges
    np.testing.assert_allclose(y, np.broadcast_to(np.arange(4.0), y.shape), atol=1e-3)
    dx, _ = layer.backward(params, kept, draw(y, 1), nn.gradient)
    assert np.isfinite(dx).all()


@x64
def test_the_divisor_of_the_variance_and_that_of_inference_are_two_things():
    x = draw(jnp.zeros((7, 3)), 1)
    for ddof, later in itertools.product((0, 1), (None, 0, 1)):
        layer = BatchNorm(learned=False, eps=0.0, ddof=ddof, statistics_ddof=later)
        y, kept = layer.forward((), x)
        np.testing.assert_allclose(y, (x - x.mean(0)) / x.std(0, ddof=ddof), rtol=1e-12)
        mean, variance = layer.observe(kept)
        np.testing.assert_allclose(mean, x.mean(0), rtol=1e-12)
        wanted = x.var(0, ddof=ddof if later is None else later)
        np.testing.assert_allclose(variance, wanted, rtol=1e-12)


@x64
@pytest.mark.parametrize("mixing", ["frozen", "exact"])
def test_single_examples_are_right_whatever_the_divisors(mixing):
    layer = BatchNorm(ddof=1, statistics_ddof=0)
    net = nn.serial(Dense(3), layer, nn.tanh, Dense(2))
    x, y = draw(jnp.zeros((5, 4)), 1), jnp.asarray([0, 1, 1, 0, 1])
    params = draw(jax.eval_shape(net.init, KEY, x), 2)
    m, v = layer.replace(statistics_ddof=None).observe(net.forward(params, x)[1][1])

    def losses(params):
        z = Dense(3).forward(params[0], x)[0]
        if mixing == "frozen":
            a = params[1].scale * (z - m) / jnp.sqrt(v + layer.eps) + params[1].shift
        else:
            a = layer.forward(params[1], z)[0]
        out = Dense(2).forward(params[3], jnp.tanh(a))[0]
        return nn.softmax_cross_entropy.replace(reduction="none")(out, y)[0]

    loss = nn.softmax_cross_entropy
    _, ours = nn.backprop(net, loss, params, x, y, read=nn.per_example, mixing=mixing)
    # the gradient of a bias in front of batch-norm is zero, which rounding turns into noise
    wanted = jax.jacrev(losses)(params)
    for found in (ours, wanted):
        assert found[0].b.shape == (5, 3)
    bare = lambda tree: (tree[0].w, tree[1], tree[3])  # noqa: E731
    assert_trees_close(bare(ours), bare(wanted))


READS = (nn.gradient, nn.per_example, nn.squared_norms, nn.clipped(0.5), nn.factors)
SPLIT = [
    (LayerNorm(part=8), (11, 4)), (LayerNorm(shift=False, part=40), (2, 23, 4)),
    (RMSNorm(part=8), (9, 2, 4)), (GroupNorm(2, part=24), (9, 3, 4)),
]  # fmt: skip


@x64
@pytest.mark.parametrize(("layer", "shape"), SPLIT, ids=str)
@pytest.mark.parametrize("read", READS, ids=lambda read: str(read)[:20])
def test_parts_change_nothing_that_is_read(layer, shape, read):
    x = draw(jnp.zeros(shape), 1)
    net, whole = (nn.serial(one, nn.Dense(3)) for one in (layer, layer.replace(part=x.size)))
    params = draw(jax.eval_shape(net.init, KEY, x), 2)
    y = draw(jax.eval_shape(lambda: net.forward(params, x)[0]), 3)
    w = jnp.linspace(0, 2, len(x))
    ours, wanted = (
        nn.backprop(one, nn.half_square, params, x, y, read=read, weights=w) for one in (net, whole)
    )
    in_parts, at_once = (
        str(jax.make_jaxpr(lambda one=one: _dx(one, x))())
        for one in (layer, layer.replace(part=x.size))
    )
    assert "scan" in in_parts
    assert "scan" not in at_once
    if read is nn.factors:  # of an example some factors have rows, and what they come to counts
        ours, wanted = (
            (value, jax.tree.map(lambda f: f.each(), found, is_leaf=lambda n: hasattr(n, "each")))
            for value, found in (ours, wanted)
        )
    assert_trees_close(ours, wanted)


def _dx(layer, x):
    params, dy = setting(layer, x)
    return layer.backward(params, layer.forward(params, x)[1], dy, nn.gradient)


X = jnp.ones((2, 3, 4))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: GroupNorm(3).init(KEY, X), ValueError, r"choose one of 1, 2, 4; if its channels"),
        (lambda: GroupNorm(3).init(KEY, X[:, :2]), ValueError, r"divide the 4 .* one of 1, 2, 4$"),
        (lambda: GroupNorm(0), ValueError, "expected groups to be a whole number >= 1"),
        (lambda: InstanceNorm().init(KEY, X[0]), ValueError, r"two or more positions .* LayerNorm"),
        (lambda: InstanceNorm().init(KEY, X[:, :1]), ValueError, "two or more positions"),
        (lambda: LayerNorm().init(KEY, X[0, 0]), ValueError, r"batch axis with x\[None\]"),
        (lambda: LayerNorm().init(KEY, X.astype(int)), TypeError, "expected floating-point x"),
        (lambda: LayerNorm(eps=-1e-5), ValueError, r"finite eps in \[0, inf\]"),
        (
            lambda: LayerNorm().forward((), X),
            TypeError,
            r"LayerNorm\(\): expected parameters Scale",
        ),
        (
            lambda: LayerNorm().forward(ScaleShift(jnp.ones(3), jnp.ones(3)), X),
            ValueError,
            r"expected x with last axis 3, got shape \(2, 3, 4\); .*jnp.moveaxis\(x, 1, -1\)",
        ),
        (
            lambda: RMSNorm().forward(ScaleShift(jnp.ones(5), None), X),
            ValueError,
            r"expected x with last axis 5, got shape \(2, 3, 4\)$",
        ),
        (lambda: BatchNorm(ddof=2), ValueError, r"expected ddof to be one of \(0, 1\), got 2"),
        (lambda: BatchNorm().forward(ScaleShift(1, 1), X[:1, :1]), ValueError, "two or more rows"),
    ],
)
def test_refusals_say_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call()

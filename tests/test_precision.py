"""Mixed precision: what is narrow inside and what is wide outside, and that it trains."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

import jaxnn as nn
from jaxnn import Dense, MixedPrecision, serial, softmax_cross_entropy
from jaxnn.core.walk import mixing_layers
from tests.compare import KEY, assert_trees_close, by_hand, draw, setting

x64 = pytest.mark.usefixtures("x64")
EPS = 2.0**-8  # of bfloat16: half the distance from 1 to the next number
NET = serial(Dense(7), nn.relu, nn.Skip(Dense(7)), Dense(3))


def batch(net, n=6):
    x = draw(jax.ShapeDtypeStruct((n, 5), "float32"), 0)
    return draw(jax.eval_shape(net.init, KEY, x), 1), x, jnp.arange(n) % 3


@jax.jit(compiler_options={"xla_allow_excess_precision": False})  # else some rounding is left out
def by_hand_and_autodiff(net, params, x, dy):
    _, vjp = jax.vjp(lambda p, x: net.forward(p, x)[0], params, x)
    return by_hand(net, params, x, dy), vjp(dy)


def test_backward_is_that_of_autodiff_through_the_same_casts():
    x = batch(NET)[1]
    params, dy = setting(MixedPrecision(NET), x)
    (dx, grads), (wanted, dx_wanted) = by_hand_and_autodiff(MixedPrecision(NET), params, x, dy)
    assert_trees_close(dx, dx_wanted, rtol=0)
    # autodiff adds the 6 rows up in bfloat16, and rounds at each
    assert_trees_close(grads, wanted, rtol=6 * EPS)


def test_the_gradient_is_the_float32_one_within_the_resolution_and_its_sums_have_all_digits():
    params, x, y = batch(NET, 64)
    asked = (nn.gradient, nn.factors)
    _, wanted = nn.backprop(NET, softmax_cross_entropy, params, x, y)
    value, (grads, kept) = nn.backprop(
        MixedPrecision(NET), softmax_cross_entropy, params, x, y, read=asked
    )
    assert value.dtype == jnp.float32
    # every layer rounds once forward and once backward
    assert_trees_close(grads, wanted, rtol=8 * EPS)
    a, d = kept[0].w.a, kept[0].w.d
    assert a.dtype == d.dtype == jnp.bfloat16
    exact = np.asarray(a, np.float64).T @ np.asarray(d, np.float64) / len(x)
    assert_trees_close(grads[0].w, exact.astype("float32"), rtol=1e-6)


def test_what_is_kept_for_backward_takes_half_the_memory():
    x = jax.ShapeDtypeStruct((6, 5), "float32")
    assert nn.summary(MixedPrecision(NET), x).kept == nn.summary(NET, x).kept / 2


def test_small_updates_are_not_lost():
    params, x, y = batch(NET)
    net, optimizer = MixedPrecision(NET), nn.SGD(1e-4)
    state = nn.State(params, optimizer.init(params))
    moved, _ = nn.train_step(net, softmax_cross_entropy, optimizer, state, x, y)
    w, new = params[-1].w, moved.params[-1].w
    assert new.dtype == jnp.float32
    assert (w != new).mean() > 0.9
    assert (w.astype(jnp.bfloat16) == new.astype(jnp.bfloat16)).mean() > 0.9


@pytest.mark.parametrize(
    ("front", "x"),
    [
        (nn.Pixels(), jnp.arange(30, dtype=jnp.uint8).reshape(6, 5)),
        (serial(nn.OneHot(5), nn.Flatten()), jnp.arange(30).reshape(6, 5) % 5),
        (serial(nn.Embedding(5, 3), nn.Flatten()), jnp.arange(30).reshape(6, 5) % 5),
        (nn.linear, jnp.ones((6, 5), jnp.bfloat16)),
    ],
    ids=["bytes", "one-hot", "embedding", "narrow data"],
)
def test_whatever_comes_in_the_parameters_and_outputs_are_wide(front, x):
    net = MixedPrecision(serial(front, Dense(7), nn.BatchNorm(), nn.Dropout(0.2), Dense(3)))
    wide = jax.ShapeDtypeStruct(x.shape, "float32") if x.dtype == jnp.bfloat16 else x
    params = jax.eval_shape(net.init, KEY, wide)
    y, residuals = jax.eval_shape(net.forward, params, x, KEY)
    assert y.dtype == jnp.float32
    kept = {str(leaf.dtype) for leaf in jax.tree.leaves(residuals) if leaf.size > 7}
    assert kept <= {"bfloat16", "bool", str(x.dtype)}  # moments, (1, 7), are float32
    dx, grads = jax.eval_shape(by_hand, net, params, x, y)
    assert {leaf.dtype for leaf in jax.tree.leaves(grads)} == {np.dtype("float32")}
    assert dx is None or dx.dtype == x.dtype


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_batch_norm_inside_takes_moments_in_float32_and_is_frozen_with_them(dtype):
    x = batch(NET, 32)[1] + 100  # where a mean rounded to bfloat16 would be off by 0.25
    inner, frozen_inner = nn.BatchNorm(), nn.layers.Rescale()
    if dtype:
        inner, frozen_inner = (MixedPrecision(layer, dtype) for layer in (inner, frozen_inner))
    net = MixedPrecision(serial(nn.linear, inner, Dense(3)))
    assert mixing_layers(net) == ["[1] BatchNorm()"]
    params = draw(jax.eval_shape(net.init, KEY, x), 1)
    statistics = nn.training.average_statistics(net, params, x, batch_size=32)
    moments = statistics.average[1]
    assert_trees_close(moments.mean, x.astype(jnp.bfloat16).astype(jnp.float32).mean(0), rtol=1e-6)
    frozen, p = nn.freeze(net, params, statistics)
    assert frozen == MixedPrecision(serial(nn.linear, frozen_inner, Dense(3)))
    assert {leaf.dtype for leaf in jax.tree.leaves(p)} == {np.dtype("float32")}


@pytest.mark.parametrize("mixing", ["frozen", "attribution", "exact"])
def test_the_modes_for_layers_that_mix_reach_inside(mixing):
    net = serial(Dense(7), nn.BatchNorm(), Dense(3))
    params, x, y = batch(net)
    given = {"read": nn.squared_norms, "mixing": mixing}
    _, norms = nn.backprop(MixedPrecision(net), softmax_cross_entropy, params, x, y, **given)
    _, plain = nn.backprop(net, softmax_cross_entropy, params, x, y, **given)
    # a square doubles the error, and batch-norm divides by the spread of what was rounded
    assert_trees_close(norms[2], plain[2], rtol=8 * EPS)


@x64
def test_products_with_the_hessian_are_those_of_the_layer():
    net = serial(Dense(7), nn.tanh, Dense(3))
    params, x, y = batch(net)
    params, x = jax.tree.map(lambda leaf: leaf.astype("float64"), (params, x))
    v = draw(params, 3)

    def product(net):
        return nn.curvature.hvp(net, softmax_cross_entropy, params, x, y, v)

    plain = product(net)
    assert_trees_close(product(MixedPrecision(net, "float64")), plain)
    # a sum of terms that cancel in part
    assert_trees_close(product(MixedPrecision(net)), plain, rtol=16 * EPS)


def test_digits_are_learned_as_well_as_in_float32():
    x, y = load_digits(return_X_y=True)
    x, y = jnp.asarray(x, jnp.float32) / 16, jnp.asarray(y)
    net = serial(Dense(32), nn.relu, Dense(10))
    scores = []
    for n in (net, MixedPrecision(net)):
        optimizer = nn.Adam(0.01)
        state = nn.start(n, optimizer, KEY, x)
        for epoch in range(8):
            order = np.random.default_rng(epoch).permutation(1400)
            state, _ = nn.train_epoch(
                n, softmax_cross_entropy, optimizer, state, x, y, order, batch_size=50
            )
        p = nn.predict(n, state.params, x[1400:])
        scores.append(float((p.argmax(-1) == y[1400:]).mean()))
    assert scores[0] > 0.87  # the last digits are by other writers
    assert abs(scores[0] - scores[1]) <= 0.01


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MixedPrecision(NET, "int8"), ValueError, "got 'int8'; give its name"),
        (lambda: MixedPrecision(NET, jnp.bfloat16), ValueError, "expected a dtype of"),
        (lambda: MixedPrecision(3), TypeError, r"MixedPrecision: expected a layer at \[0\], got 3"),
    ],
)
def test_what_is_no_precision_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

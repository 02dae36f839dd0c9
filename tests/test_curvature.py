"""Products with the Hessian and the Gauss-Newton matrix, and diagonals, against autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxnn as nn
from jaxnn.core.factors import along_batch
from jaxnn.core.swept import Swept
from jaxnn.core.walk import every_layer, mixing_layers
from jaxnn.curvature.diagonals import ggn_diagonal, hessian_diagonal
from jaxnn.curvature.products import gnvp, hvp
from jaxnn.layers.elementwise import Activation
from jaxnn.sweep.weighing import example_weights, objective
from tests.cases import CASES, over
from tests.compare import KEY, assert_trees_close, draw, setting
from tests.private_layers import LSTM, CausalAttention, CrossAttention, TiedTable

STILL = CausalAttention, CrossAttention, LSTM, TiedTable  # layers without tangents
MOVING = [c for c in CASES if not any(isinstance(a, STILL) for _, a in every_layer(c.layer))]
LEARNED = [  # with parameters, and for every example an error of its own
    c for c in CASES if jax.eval_shape(c.layer.init, KEY, c.x()) and not mixing_layers(c.layer)
]


@jax.jit
def tangents(layer, params, x, dy, vparams, vx, rdy):
    """(vy, dx, rdx, rdparams) by the layer's own push and bend."""
    _, residuals = layer.forward(params, x, KEY)
    vy, kept = layer.push(params, residuals, vparams, vx)
    return vy, *layer.bend(params, residuals, kept, dy, rdy, lambda f: f.contract())


@jax.jit
def tangents_by_autodiff(layer, params, x, dy, vparams, vx, rdy):
    """The same by `jax.jvp` of forward and of its `jax.vjp`."""

    def both(params, dy, x):
        y, pull = jax.vjp(lambda p, x: layer.forward(p, x, KEY)[0], params, x)
        return y, pull(dy)

    if vx is None:
        moving, moved = (params, dy), (vparams, rdy)
        (_, (_, dx)), (vy, (rdparams, _)) = jax.jvp(lambda p, dy: both(p, dy, x), moving, moved)
        return vy, None, None, rdparams
    (_, (_, dx)), (vy, (rdparams, rdx)) = jax.jvp(both, (params, dy, x), (vparams, rdy, vx))
    return vy, dx, rdx, rdparams


@over(MOVING)
@pytest.mark.usefixtures("x64")
def test_push_and_bend_are_the_tangents_of_forward_and_backward(case):
    x = case.x()
    params, dy = setting(case.layer, x)
    vx = None if case.ids else draw(x, 5)
    given = case.layer, params, x, dy, draw(params, 3), vx, draw(dy, 4)
    vy, *others = tangents(*given)
    want_vy, *wanted = tangents_by_autodiff(*given)
    assert_trees_close(others, wanted)
    assert_trees_close(jnp.zeros_like(want_vy) if vy is None else vy, want_vy, name="vy")


@over(LEARNED)
@pytest.mark.usefixtures("x64")
def test_products_and_diagonals_agree_with_autodiff_for_every_layer(case):
    x, layer, moving = case.x(), case.layer, case in MOVING
    params, y = setting(layer, x)
    v = draw(params, 5)
    flat, unflatten = ravel_pytree(params)

    @jax.jit
    def ours(params, v):
        given = layer, nn.half_square, params, x, y
        products = (hvp(*given, v, KEY)[1], gnvp(*given, v, KEY)[1]) if moving else ()
        return products, ggn_diagonal(*given, KEY)

    @jax.jit
    def wanted(flat, v):
        def outputs(flat):
            return layer.forward(unflatten(flat), x, KEY)[0]

        def value(flat):
            return objective(nn.half_square, outputs(flat), y)[0]

        jacobian = jax.jacrev(lambda flat: outputs(flat).ravel())(flat)
        c = y.shape[-1] / y.size
        hv = jax.jvp(jax.grad(value), (flat,), (v,))[1]
        gv = c * jacobian.T @ (jacobian @ v)
        products = (unflatten(hv), unflatten(gv)) if moving else ()
        return products, unflatten(c * (jacobian**2).sum(0))

    assert_trees_close(ours(params, v), wanted(flat, ravel_pytree(v)[0]))


def labels(shape):
    return jnp.asarray(np.random.default_rng(2).integers(0, 3, shape), jnp.int32)


def fractions(shape):
    return jnp.asarray(np.random.default_rng(2).uniform(size=(*shape, 3)))


def shares(shape):
    return fractions(shape) / fractions(shape).sum(-1, keepdims=True)


WEIGHTS = jnp.asarray([0.3, 2.0, 0.0, 1.0, 0.7])
cross_entropy = nn.softmax_cross_entropy
LOSSES = [
    (cross_entropy, labels),
    (cross_entropy.replace(smoothing=0.2, class_weights=(0.5, 2.0, 1.5)), labels),
    (cross_entropy.replace(ignore_index=1, reduction="sum"), labels),
    (cross_entropy.replace(class_weights=(0.5, 2.0, 1.5)), shares),
    (nn.sigmoid_cross_entropy.replace(positive_weight=2.5), fractions),
    (nn.half_square, fractions),
    (nn.sum_square.replace(reduction="sum"), fractions),
]


@pytest.mark.parametrize(("loss", "targets"), LOSSES, ids=lambda v: getattr(v, "name", None))
@pytest.mark.usefixtures("x64")
def test_bend_and_root_of_a_loss_are_those_of_its_hessian(loss, targets):
    shape = (2, 3)
    y, w = targets(shape), WEIGHTS[: shape[0]]
    z = jnp.asarray(np.random.default_rng(1).normal(size=(*shape, 3)))
    eye = jnp.eye(z.size).reshape(z.size, *z.shape)

    @jax.jit
    def both(z):
        c, own = example_weights(loss, y, w, shape, z.dtype)
        weigh = jnp.ones(shape) if own is None else own
        weigh = along_batch(c, weigh)[..., None]
        bent = jax.vmap(lambda v: weigh * loss.bend(z, y, v))(eye).reshape(z.size, z.size)
        swept = Swept(None, loss, None, y, z, None, None, None, c, own)  # pyright: ignore
        root = jax.vmap(swept.root)(eye).reshape(z.size, z.size)
        wanted = jax.hessian(lambda z: objective(loss, z, y, w)[0])(z).reshape(z.size, z.size)
        return (bent, root.T @ root), (wanted, wanted)

    assert_trees_close(*both(z))


STRAIGHT = nn.serial(nn.Dense(3), nn.relu, nn.Skip(nn.serial(nn.Dense(3), nn.leaky_relu)))
BRANCHES = nn.Parallel((nn.Dense(5), nn.silu, nn.Dense(4)), "concat")  # the second stays still
CURVED = nn.serial(BRANCHES, nn.tanh, nn.Dense(3, bias=False))


@pytest.mark.parametrize(
    ("net", "shape", "w"),
    [
        (STRAIGHT, (2, 3, 2), WEIGHTS[:2]),
        (STRAIGHT, (2, 3, 2), WEIGHTS[jnp.array([[0, 1, 2], [2, 4, 3]])]),
        (CURVED, (5, 2), WEIGHTS),
    ],
    ids=["straight", "positions", "curved"],
)
@pytest.mark.usefixtures("x64")
def test_weights_of_examples_classes_and_positions_count(net, shape, w):
    loss, targets = LOSSES[1]
    y = targets(shape[:-1])
    x = jnp.asarray(np.random.default_rng(1).normal(size=shape))
    params = draw(jax.eval_shape(net.init, KEY, x), 3)
    v = draw(params, 5)
    flat, unflatten = ravel_pytree(params)

    @jax.jit
    def ours(params):
        given = net, loss, params, x, y
        value, hv = hvp(*given, v, weights=w)
        diagonal = hessian_diagonal(*given, weights=w) if net is STRAIGHT else None
        return value, hv, diagonal

    @jax.jit
    def wanted(flat):
        def value(flat):
            return objective(loss, net.forward(unflatten(flat), x)[0], y, w)[0]

        hessian = jax.hessian(value)(flat)
        return value(flat), hessian @ ravel_pytree(v)[0], jnp.diag(hessian)

    (value, hv, diagonal), (want, want_hv, want_diagonal) = ours(params), wanted(flat)
    assert_trees_close((value, hv), (want, unflatten(want_hv)))
    if net is STRAIGHT:
        assert_trees_close(diagonal, unflatten(want_diagonal))


@pytest.mark.usefixtures("x64")
def test_a_network_on_a_kink_has_the_derivative_of_its_negative_side():
    net, x, y = nn.serial(nn.Dense(2), nn.relu, nn.Dense(1)), jnp.ones((1, 1)), jnp.ones((1, 1))
    params = (
        nn.Affine(jnp.asarray([[1.0, 3.0]]), jnp.asarray([-1.0, 0.5])),  # the first unit is at 0
        (),
        nn.Affine(jnp.asarray([[2.0], [5.0]]), jnp.zeros(1)),
    )
    diagonal = hessian_diagonal(net, nn.half_square, params, x, y)
    np.testing.assert_array_equal(diagonal[0].w, [[0.0, 25.0]])
    np.testing.assert_array_equal(diagonal[2].w, [[0.0], [12.25]])
    _, hv = hvp(net, nn.half_square, params, x, y, jax.tree.map(jnp.ones_like, params))
    assert np.isfinite(ravel_pytree(hv)[0]).all()


def given(net, x, y):
    params = draw(jax.eval_shape(net.init, KEY, x), 0)
    return net, nn.half_square, params, x, y


X, Y = jnp.ones((4, 3)), jnp.ones((4, 2))


class Still(nn.Dense):
    """A dense layer that says nothing about tangents."""

    push, bend = nn.Layer.push, nn.Layer.bend  # pyright: ignore


def test_a_layer_without_tangents_is_named_with_what_to_do():
    args = given(nn.serial(nn.Dense(3), Still(3), nn.Dense(2)), X, Y)
    with pytest.raises(TypeError, match=r"^\[1\] Still\(3\): .*write Still\.push.*ggn_diag"):
        hvp(*args, args[2])
    assert ggn_diagonal(*args)[0].w.shape == (3, 3)


class Half(nn.Layer):
    """x / 2, and nothing about tangents but that one passes."""

    def forward(self, params, x, key=None):
        return x / 2, ()

    def backward(self, params, residuals, dy, read):
        return dy / 2, ()

    def push(self, params, residuals, vparams, vx):
        return (None if vx is None else vx / 2), None


class Straight(Half):
    """The same, and it says that it is straight."""

    curved = False


class Cube(Activation, name="cube"):
    """x^3 without its second derivative."""

    def forward(self, params, x, key=None):
        return x**3, x

    def backward(self, params, residuals, dy, read):
        return 3 * residuals**2 * dy, ()


@pytest.mark.parametrize("layer", [Half(), Cube()], ids=repr)
def test_a_curved_layer_without_bend_is_refused_for_hvp_alone(layer):
    args = given(nn.serial(nn.Dense(2), layer), X, Y)
    with pytest.raises(TypeError, match=r"^\[1\] .*(Half\.bend|Cube\.second).*take gnvp"):
        hvp(*args, args[2])
    assert gnvp(*args, args[2])[1][0].w.shape == (3, 2)


def test_a_straight_layer_without_parameters_needs_no_bend():
    straight = given(nn.serial(nn.Dense(2), Straight(), nn.tanh), X, Y)
    known = given(nn.serial(nn.Dense(2), nn.linear(0.5), nn.tanh), X, Y)
    v = draw(straight[2], 1)
    assert_trees_close(hvp(*straight, v), hvp(*known, v), rtol=1e-6)


def test_a_vector_that_does_not_fit_and_a_loss_without_curvature_are_refused():
    args = given(nn.serial(nn.Dense(2)), X, Y)
    with pytest.raises(ValueError, match=r"v: expected the structure of params"):
        hvp(*args, args[2][0])
    with pytest.raises(ValueError, match=r"v\[0\]\.w: expected shape \(3, 2\)"):
        gnvp(*args, jax.tree.map(lambda leaf: leaf[:1], args[2]))

    class Silent(nn.Loss, name="silent"):
        """A loss that says nothing of its curvature."""

        def __call__(self, outputs, y):
            return nn.half_square(outputs, y)

    net, _, params, x, y = args
    with pytest.raises(TypeError, match=r"silent: expected a loss with `bend`.*Silent\.bend"):
        hvp(net, Silent(), params, x, y, params)
    with pytest.raises(TypeError, match=r"silent: expected a loss with `root`.*Silent\.root"):
        ggn_diagonal(net, Silent(), params, x, y)


@pytest.mark.parametrize("layer", [nn.tanh, nn.softmax, nn.LayerNorm()], ids=repr)
def test_the_exact_hessian_diagonal_is_refused_for_curved_networks(layer):
    args = given(nn.serial(nn.Dense(2), layer), X, Y)
    with pytest.raises(ValueError, match=r"expected a piecewise linear.*\[1\] .*take ggn_diagonal"):
        hessian_diagonal(*args)


def test_diagonals_are_refused_where_examples_mix():
    args = given(nn.serial(nn.Dense(2), nn.BatchNorm()), X, Y)
    with pytest.raises(ValueError, match=r"keeps examples apart, got \[1\] BatchNorm.*freeze"):
        ggn_diagonal(*args)


def test_a_network_without_parameters_has_no_hessian():
    value, hv = hvp(nn.tanh, nn.half_square, (), Y, Y, ())
    assert (float(value), hv) == (float(nn.evaluate(nn.tanh, nn.half_square, (), Y, Y)["loss"]), ())

"""Kronecker factors and the natural gradient, against the matrices they stand for."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxnn as nn
from jaxnn.curvature import KroneckerFactors, kflr, kronecker
from jaxnn.optim.kfac import KFAC
from jaxnn.optim.kfac_inverse import Inverses, Spectra, inverted, preconditioned
from jaxnn.sweep.accumulation import accumulate
from jaxnn.sweep.weighing import objective
from tests.compare import KEY, assert_trees_close, draw
from tests.private_layers import LSTM, TiedTable

LOSS = nn.softmax_cross_entropy
NET = nn.serial(nn.Dense(4), nn.tanh, nn.Dense(3, bias=False))
pytestmark = pytest.mark.usefixtures("x64")


def data(shape, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=shape), rng.integers(0, 3, shape[:-1])
    return jnp.asarray(x), jnp.asarray(y, jnp.int32)


def drawn(net, x, seed=1):
    return draw(jax.eval_shape(net.init, KEY, x), seed)


@jax.jit
def gauss_newton(net, params, x, y):
    """The matrix J^T H J of the objective over all parameters, by autodiff."""
    flat, unflatten = ravel_pytree(params)

    def value(z):
        return objective(LOSS, z, y)[0]

    z = net.forward(params, x)[0]
    jacobian = jax.jacrev(lambda flat: net.forward(unflatten(flat), x)[0])(flat)
    jacobian = jacobian.reshape(z.size, flat.size)
    return jacobian.T @ jax.hessian(value)(z).reshape(z.size, z.size) @ jacobian


def block(found, with_bias):
    """The matrix of a layer in the order of `ravel_pytree`: w row by row, then b."""
    inputs = found.inputs if with_bias else found.inputs[:-1, :-1]
    return np.kron(inputs, found.errors)


def test_kflr_is_the_gauss_newton_matrix_of_one_example():
    x, y = data((1, 2))
    params = drawn(NET, x)
    wanted = gauss_newton(NET, params, x, y)
    found = kflr(NET, LOSS, params, x, y)
    assert_trees_close(block(found[0].w, True), wanted[:12, :12])
    assert_trees_close(block(found[2].w, False), wanted[12:, 12:])


def test_reduce_is_exact_where_all_positions_are_alike():
    net = nn.Dense(3)
    x, y = data((1, 1, 2))
    x, y = jnp.repeat(x, 4, 1), jnp.repeat(y, 4, 1)
    params = drawn(net, x)
    found = kflr(net, LOSS, params, x, y, shared="reduce").w
    # positions have roots of their own, so the matrix of their sum is that of the positions' sum
    assert_trees_close(block(found, True), gauss_newton(net, params, x, y))
    assert_trees_close(kflr(net, LOSS, params, x, y).w.inputs, found.inputs, rtol=1e-12)


@pytest.mark.parametrize("shape", [(5, 2), (5, 3, 2)], ids=["rows", "sequences"])
def test_kronecker_reads_weighted_products_of_inputs_and_errors(shape):
    x, y = data(shape)
    params, w = drawn(NET, x), jnp.asarray([0.3, 2.0, 0.0, 1.0, 0.7])
    reduce = kronecker.replace(shared="reduce")
    reads = (nn.factors, kronecker, reduce)
    _, (kept, expanded, reduced) = nn.backprop(NET, LOSS, params, x, y, weights=w, read=reads)
    c = np.asarray(w / w.sum()) / np.prod(shape[1:-1])
    for layer in (0, 2):
        a, d = (
            np.asarray(v).reshape(5, -1, v.shape[-1]) for v in (kept[layer].w.a, kept[layer].w.d)
        )
        a = np.concatenate([a, np.ones_like(a[..., :1])], -1)
        inputs = np.einsum("n,nti,ntj->ij", w / w.sum(), a, a) / a.shape[1]
        errors = np.einsum("n,nti,ntj->ij", c, d, d)
        found = expanded[layer].w
        np.testing.assert_allclose(found.inputs, inputs, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.errors, errors, rtol=1e-9, atol=1e-12)
        a, d, found = a.mean(1), d.sum(1), reduced[layer].w
        inputs, errors = (w / w.sum() * a.T) @ a, (c * d.T) @ d
        np.testing.assert_allclose(found.inputs, inputs, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.errors, errors, rtol=1e-9, atol=1e-12)
    assert expanded[0].b is None


def test_micro_batches_merge_to_the_factors_of_the_batch():
    x, y = data((6, 2))
    params, w = drawn(NET, x), jnp.asarray([0.3, 2.0, 0.0, 1.0, 0.7, 0.1])
    given = NET, LOSS, params, x, y
    _, parts = accumulate(*given, weights=w, micro_batches=3, read=kronecker)
    assert_trees_close(parts, nn.backprop(*given, weights=w, read=kronecker)[1])


def test_the_empirical_factors_are_those_of_per_example_gradients_for_one_example():
    x, y = data((1, 2))
    params = drawn(NET, x)
    _, (grads, found) = nn.backprop(NET, LOSS, params, x, y, read=(nn.gradient, kronecker))
    g = ravel_pytree(grads[0])[0]
    assert_trees_close(block(found[0].w, True), np.outer(g, g))


@pytest.mark.parametrize(
    "layer", [nn.Conv(2, window=1, groups=2), nn.DropConnect(3), nn.Embedding(3, 2)]
)
def test_parameters_of_another_kind_have_no_factors(layer):
    x = jnp.zeros((2, 3, 3, 2)) if not isinstance(layer, nn.Embedding) else jnp.zeros((2, 3), int)
    params = drawn(layer, x)
    y = jnp.zeros(layer.forward(params, x, KEY)[0].shape)
    _, found = nn.backprop(layer, nn.half_square, params, x, y, KEY, read=kronecker)
    assert jax.tree.leaves(found) == []


def factors_of(n_in, n_out, seed):
    rng = np.random.default_rng(seed)
    a, g = (rng.normal(size=(n + 2, n)) for n in (n_in + 1, n_out))
    return KroneckerFactors(jnp.asarray(a.T @ a), jnp.asarray(g.T @ g))


@pytest.mark.parametrize("bias", [True, False])
def test_both_inverses_are_those_of_the_damped_product(bias):
    found, damping = factors_of(3, 2, 0), 0.3
    b = draw(jnp.zeros(2), 4) if bias else None
    grads = nn.Affine(draw(jnp.zeros((3, 2)), 3), b)
    a, g = (found.inputs if bias else found.inputs[:-1, :-1]), found.errors
    rhs = ravel_pytree(grads)[0]

    @partial(jax.jit, static_argnums=0)
    def natural(inverse):
        inverses = inverted(nn.Affine(found, None), grads, damping, inverse)
        return inverses, preconditioned(inverses, grads)

    spectra, exact = natural("exact")
    product = np.kron(a, g)
    wanted = np.linalg.solve(product + damping * np.eye(len(product)), rhs)
    assert isinstance(spectra, Spectra)
    assert_trees_close(ravel_pytree(exact)[0], wanted)

    inverses, factored = natural("factored")
    pi = np.sqrt((np.trace(a) / len(a)) / (np.trace(g) / len(g)))
    a = a + pi * np.sqrt(damping) * np.eye(len(a))
    g = g + np.sqrt(damping) / pi * np.eye(len(g))
    assert isinstance(inverses, Inverses)
    assert_trees_close(ravel_pytree(factored)[0], np.linalg.solve(np.kron(a, g), rhs))


@pytest.mark.parametrize("inverse", ["exact", "factored"])
def test_factors_of_zero_leave_the_gradient_over_the_damping(inverse):
    zero = KroneckerFactors(jnp.zeros((4, 4)), jnp.zeros((2, 2)))
    grads = draw(nn.Affine(jnp.zeros((3, 2)), jnp.zeros(2)), 0)

    @jax.jit
    def natural(grads):
        return preconditioned(inverted(nn.Affine(zero, None), grads, 0.1, inverse), grads)

    assert_trees_close(natural(grads), jax.tree.map(lambda g: g / 0.1, grads))


def test_a_step_on_one_example_is_that_of_the_damped_gauss_newton_blocks():
    x, y = data((1, 2))
    kfac = KFAC(nn.SGD(1.0), damping=0.3, fisher="exact")
    state = nn.start(NET, kfac, KEY, x)
    moved, value = nn.train_step(NET, LOSS, kfac, state, x, y)
    want, grads = nn.backprop(NET, LOSS, state.params, x, y)
    matrix = np.array(gauss_newton(NET, state.params, x, y))
    matrix[:12, 12:] = matrix[12:, :12] = 0
    flat, unflatten = ravel_pytree(grads)
    natural = unflatten(jnp.asarray(np.linalg.solve(matrix + 0.3 * np.eye(len(flat)), flat)))
    assert_trees_close(moved.params, jax.tree.map(np.subtract, state.params, natural))
    assert_trees_close(value, want, rtol=1e-12)


def test_averages_decay_both_factors_together_and_wait_for_their_turn():
    kfac = KFAC(nn.SGD(0.1), decay=0.6, every=2, fisher="exact")
    (x, y), (x2, y2) = data((5, 2)), data((5, 2), seed=7)
    state = nn.start(NET, kfac, KEY, x)
    first = kflr(NET, LOSS, state.params, x, y)
    state, _ = nn.train_step(NET, LOSS, kfac, state, x, y)
    assert_trees_close(state.optimizer.factors, first, rtol=1e-9)
    state, _ = nn.train_step(NET, LOSS, kfac, state, x2, y2)
    assert_trees_close(state.optimizer.factors, first, rtol=1e-9)
    new = kflr(NET, LOSS, state.params, x2, y2)
    state, _ = nn.train_step(NET, LOSS, kfac, state, x2, y2)
    half = jax.tree.map(lambda a, b: 0.5 * (a + b), first, new)  # the second weighs 1/2 > 1 - 0.6
    assert_trees_close(state.optimizer.factors, half, rtol=1e-9)


def test_sampled_factors_have_the_mean_of_the_exact_ones():
    x, y = data((40, 2))
    kfac = KFAC(nn.SGD(0.0), decay=1.0)  # parameters stay, and the average is plain

    @jax.jit
    def many(state):
        def step(state, _):
            return nn.train_step(NET, LOSS, kfac, state, x, y)[0], None

        return jax.lax.scan(step, state, None, length=400)[0]

    state = many(nn.start(NET, kfac, KEY, x))
    exact, found = kflr(NET, LOSS, state.params, x, y), state.optimizer.factors
    assert_trees_close(found, exact, rtol=0.04)  # 16,000 samples: 1/sqrt of that is 0.008 an entry
    assert_trees_close(found[0].w.inputs, exact[0].w.inputs, rtol=1e-9)


@pytest.fixture(scope="module")
def descent():
    """A problem, and the loss that plain gradient descent leaves after 60 steps."""
    with jax.enable_x64(True):
        x, _ = data((64, 2))
        y = (x[:, 0] * x[:, 1] > 0).astype(jnp.int32)
        net, plain = nn.serial(nn.Dense(8), nn.tanh, nn.Dense(2)), nn.SGD(0.3)
        state = nn.start(net, plain, KEY, x)
        for _ in range(60):
            state, value = nn.train_step(net, LOSS, plain, state, x, y)
        return net, x, y, value


@pytest.mark.parametrize(
    "changes",
    [{}, {"fisher": "empirical", "inverse": "factored", "every": 4, "decay": 0.5}],
    ids=str,
)
def test_training_inside_a_jit_of_ones_own_goes_further_than_plain_descent(changes, descent):
    net, x, y, plain = descent
    kfac = KFAC(nn.SGD(0.3), **changes)

    @jax.jit
    def train(state):
        def step(state, _):
            return nn.train_step(net, LOSS, kfac, state, x, y)

        return jax.lax.scan(step, state, None, length=60)[1]

    assert train(nn.start(net, kfac, KEY, x))[-1] < 0.8 * plain


def test_other_parameters_go_on_with_their_plain_gradient():
    net = nn.serial(nn.Embedding(3, 2), LSTM(2), nn.LayerNorm(), nn.Dense(3))
    x = y = jnp.asarray([[0, 1], [2, 2]], jnp.int32)
    kfac = KFAC(nn.SGD(1.0))
    state = nn.start(net, kfac, KEY, x)
    state = state._replace(params=draw(state.params, 1))
    moved = jax.tree.map(
        jnp.subtract, state.params, nn.train_step(net, LOSS, kfac, state, x, y)[0].params
    )
    _, grads = nn.backprop(net, LOSS, state.params, x, y)
    same = jax.tree.map(lambda a, b: bool(np.allclose(a, b)), moved, grads)
    gates = type(same[1])(w_x=False, w_h=False, b=True)
    assert same == (
        nn.core.Table(True),
        gates,
        nn.core.ScaleShift(True, True),
        nn.Affine(False, False),
    )


def test_penalties_weights_and_the_optimizer_inside_take_part():
    x, y = data((5, 2))
    kfac = KFAC(nn.SGD(0.1, momentum=0.9), fisher="exact")
    state, w = nn.start(NET, kfac, KEY, x), jnp.asarray([1.0, 1.0, 0.0, 0.0, 0.0])
    a, value = nn.train_step(
        NET, LOSS, kfac, state, x, y, options=nn.Options(weights=w, penalty=nn.l2(0.1))
    )
    b, same = nn.train_step(
        NET, LOSS, kfac, state, x[:2], y[:2], options=nn.Options(penalty=nn.l2(0.1))
    )
    assert_trees_close((a.params, value), (b.params, same))
    assert_trees_close(a.optimizer.optimizer.slots[0], b.optimizer.optimizer.slots[0])
    assert nn.train_step(NET, LOSS, kfac, state, x[:2], y[:2])[1] < same


def test_what_kfac_cannot_do_is_refused():
    x, y = data((4, 2))
    state = nn.start(NET, KFAC(nn.SGD(0.1)), KEY, x)
    mixing = nn.serial(nn.Dense(2), nn.BatchNorm(), nn.Dense(3))
    with pytest.raises(ValueError, match=r"of its own, got .*: \[1\] BatchNorm\(\); choose"):
        nn.start(mixing, KFAC(nn.SGD(0.1)), KEY, x)
    with pytest.raises(ValueError, match=r"kflr: .*got \[1\] BatchNorm\(\); freeze"):
        kflr(mixing, LOSS, drawn(mixing, x), x, y)
    tied = TiedTable(3, 2, nn.tanh)
    with pytest.raises(ValueError, match=r"KFAC.*: expected a network with an affine map"):
        nn.start(tied, KFAC(nn.SGD(0.1)), KEY, y[:, None])
    with pytest.raises(ValueError, match="expected reduction 'mean' or 'sum'"):
        nn.train_step(NET, LOSS.replace(reduction="none"), KFAC(nn.SGD(0.1)), state, x, y)


@pytest.mark.parametrize(
    "changes",
    [{"damping": 0.0}, {"decay": 1.5}, {"every": 0}, {"inverse": "no"}, {"fisher": "no"}],
    ids=str,
)
def test_hyperparameters_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match=f"KFAC: expected .*{next(iter(changes))}"):
        KFAC(nn.SGD(0.1), **changes)
    with pytest.raises(ValueError, match=r"expected shared to be one of .*'reduce'"):
        kronecker.replace(shared="no")

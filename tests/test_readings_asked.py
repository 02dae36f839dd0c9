"""How readings are asked for: one, several, a function; what is refused; what compiles anew."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Dense, Embedding, Flatten, backprop, serial, softmax_cross_entropy
from jaxnn.core.composed import Tied
from jaxnn.core.factors import Rows
from jaxnn.readings import (
    Reading,
    SquaredNorms,
    clipped,
    directional,
    factors,
    gradient,
    influence,
    per_example,
    squared_norms,
    total,
    variance,
    weighted,
)
from tests.compare import KEY, assert_trees_close, draw

NET = serial(Dense(7), nn.tanh, Dense(5))
Y = np.array([3, 0, 4, 1])


def batch(net=NET, shape=(4, 2)):
    x = draw(jnp.zeros(shape), 1)
    return draw(jax.eval_shape(net.init, KEY, x), 2), x


def read(reading, net=NET, loss=softmax_cross_entropy, **keywords):
    return backprop(net, loss, *batch(net), Y, read=reading, **keywords)[1]


def largest_error(factor, c):
    """A reading from outside: a function."""
    return jnp.abs(factor.d).max()


class Signs(Reading):
    """A reading from outside: a class."""

    scale: float

    def of(self, factor, c):
        return jnp.sign(factor.contract(c))

    def answer(self, state):
        return jax.tree.map(lambda leaf: self.scale * leaf, state)


def test_several_readings_are_those_of_each():
    asked = (gradient, largest_error, squared_norms, Signs(2.0), clipped(0.5), factors)
    for got, reading in zip(read(asked), asked, strict=True):
        assert_trees_close(got, read(reading), rtol=1e-6)
    assert read(()) == ()


def test_several_readings_cost_one_sweep():
    params, x = batch()
    both = lambda p: backprop(NET, softmax_cross_entropy, p, x, Y, read=(gradient, squared_norms))  # noqa: E731
    plain = lambda p: backprop(NET, softmax_cross_entropy, p, x, Y)  # noqa: E731
    programs = [str(jax.jit(f).lower(params).compile().as_text()) for f in (both, plain)]
    dots = [program.count(" dot(") for program in programs]
    assert dots[0] == dots[1] > 0


def test_a_reading_is_called_like_a_function():
    found = read(factors)
    assert_trees_close(gradient(found[0].w, 0.25), read(gradient)[0].w, rtol=1e-6)
    assert_trees_close(squared_norms(found[2].w), read(squared_norms)[2].w, rtol=1e-6)


class Counted(clipped):
    """Clipping that counts how often it is traced."""

    traces = 0

    def finish(self, readings, c):
        Counted.traces += 1
        return super().finish(readings, c)


def test_another_number_does_not_compile_anew():
    for bound in (0.5, 0.25, 3.0):
        read((largest_error, Counted(bound)))
    read((largest_error, Counted(0.5, gamma=0.5).replace(bound=2.0)))
    assert Counted.traces == 1
    read((largest_error, Counted(0.5, "per_layer")))
    assert Counted.traces == 2


def test_plain_gradients_need_no_more_memory_for_the_readings_there_are():
    params, x = batch(NET, (64, 40))
    y = jnp.zeros(64, int)

    def alone(p):
        outputs, residuals = NET.forward(p, x)
        values, deltas = softmax_cross_entropy(outputs, y)
        _, grads = NET.backward(p, residuals, deltas, lambda factor: factor.contract(1 / 64))
        return values.mean(), grads

    asked = lambda p: backprop(NET, softmax_cross_entropy, p, x, y, read=gradient)  # noqa: E731
    sizes = [
        jax.jit(f).lower(params).compile().memory_analysis().temp_size_in_bytes  # pyright: ignore
        for f in (asked, alone)
    ]
    assert sizes[0] == sizes[1] > 0


def test_readings_are_of_the_unweighted_loss_of_each_example():
    w = np.array([0.5, 2.0, 1.0, 3.0])
    total_loss = softmax_cross_entropy.replace(reduction="sum")
    one_by_one = (per_example, squared_norms, nn.readings.second_moment, weighted(w))
    assert_trees_close(read(one_by_one), read(one_by_one, loss=total_loss, weights=w), rtol=1e-6)
    assert_trees_close(read(weighted(w)), read(gradient, loss=total_loss, weights=w), rtol=1e-6)


def test_a_gradient_of_zero_is_not_clipped_and_one_that_is_not_finite_shows():
    net, y = serial(Dense(3)), np.array([0, 1, 2, 0])
    params, x = batch(net)
    loss = softmax_cross_entropy.replace(reduction="sum")
    nothing = jax.tree.map(jnp.zeros_like, params)
    squares = lambda x: total(backprop(net, loss, params, x, y, read=squared_norms)[1])  # noqa: E731
    _, got = backprop(
        net, nn.half_square, nothing, x, np.zeros((4, 3), np.float32), read=clipped(1)
    )
    assert_trees_close(got, nothing)
    bound = float(np.sqrt(squares(x)).min())
    _, got = backprop(net, loss, params, x, y, read=(clipped(bound / 2), gradient))
    assert float(total(jax.tree.map(lambda g: (g * g).sum(), got[0]))) <= (4 * bound / 2) ** 2
    _, got = backprop(net, loss, params, x, y, read=(clipped(100 * bound), gradient))
    assert_trees_close(*got, rtol=1e-6)
    _, got = backprop(net, loss, params, x.at[0, 0].set(jnp.inf), y, read=clipped(bound))
    assert all(jnp.isnan(leaf).any() for leaf in jax.tree.leaves(got))


def test_influence_is_the_product_of_the_gradients_of_two_batches():
    net = serial(Embedding(11, 3), Flatten(), Dense(5))
    x = jnp.asarray(np.random.default_rng(0).integers(0, 11, (7, 2)))
    y = np.arange(7) % 5
    params = draw(jax.eval_shape(net.init, KEY, x), 2)
    (train, some), (test, others) = [
        backprop(net, softmax_cross_entropy, params, x[i], y[i], read=(factors, per_example))[1]
        for i in (slice(0, 4), slice(4, 7))
    ]
    flat = [jnp.concatenate([g.reshape(len(g), -1) for g in jax.tree.leaves(t)], 1)
            for t in (some, others)]  # fmt: skip
    assert_trees_close(influence(train, test), flat[0] @ flat[1].T, rtol=1e-6)


@pytest.mark.usefixtures("x64")
def test_an_id_without_a_row_counts_for_nothing():
    ids, d = jnp.asarray([[1, -1, 1, 4], [4, 4, 7, 0]]), draw(jnp.zeros((2, 4, 3)), 1)
    factor = Rows(ids, d, n=4)
    each, p = factor.each(), jnp.asarray([0.25, 0.75])
    v = draw(jnp.zeros((4, 3)), 2)
    spread = jnp.tensordot(p, (each - jnp.tensordot(p, each, 1)) ** 2, 1)
    flat = each.reshape(2, -1)
    assert_trees_close(squared_norms(factor), (flat**2).sum(1))
    assert_trees_close(squared_norms(Tied((factor, factor))), 4 * (flat**2).sum(1))
    assert_trees_close(nn.readings.second_moment(factor), (each**2).sum(0))
    assert_trees_close(variance.answer(variance(factor, p)), spread)
    assert_trees_close(nn.readings.gram.answer(factor), flat @ flat.T)
    assert_trees_close(directional(v).finish(factor, 1.0), flat @ v.reshape(-1))


REFUSED = [
    ("gradient", TypeError, "a reading such as gradient.* got 'gradient'"),
    (clipped, TypeError, "a reading such as gradient"),
    ((gradient, (squared_norms,)), TypeError, "a flat tuple"),
    (weighted(np.ones(3)), ValueError, r"s of shape \(4,\), .* got \(3,\)"),
    (directional(np.ones(3)), ValueError, "structure and shapes of params"),
]


@pytest.mark.parametrize(("reading", "error", "message"), REFUSED)
def test_what_is_no_reading_is_refused(reading, error, message):
    with pytest.raises(error, match=message):
        read(reading)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: clipped(0.0), "finite bound in"),
        (lambda: clipped(1.0, "each"), r"one of \('flat', 'per_layer', 'automatic'\), got 'each'"),
        (lambda: SquaredNorms("ghost"), r"one of \('auto', 'gram', 'each'\), got 'ghost'"),
        (lambda: total(((), ())), "one or more parameters"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_network_without_parameters_has_nothing_to_read():
    net = serial(nn.tanh)
    assert backprop(net, nn.half_square, ((),), jnp.ones((2, 3)), jnp.ones((2, 3)),
                    read=(gradient, squared_norms, per_example))[1] == (((),),) * 3  # fmt: skip

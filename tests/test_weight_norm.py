"""Weight normalisation beside NumPy loops, with every reading, and what it refuses."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Dense, WeightNorm
from jaxnn.core import Formed
from tests.compare import KEY, assert_trees_close, draw

x64 = pytest.mark.usefixtures("x64")


@x64
def test_weight_norm_keeps_the_layer_it_starts_from_and_freezes_to_it():
    x = draw(jnp.zeros((3, 5)), 1)
    net, plain = WeightNorm(Dense(7)), Dense(7)
    params = net.init(KEY, x)
    assert params._fields == ("layer", "scale")
    assert_trees_close(net.forward(params, x)[0], plain.forward(plain.init(KEY, x), x)[0])
    params = draw(params, 2)
    v, scale = (np.asarray(p) for p in (params.layer.w, params.scale))
    y, _ = net.forward(params, x)
    wanted = np.empty((3, 7))
    for n, o in itertools.product(range(3), range(7)):
        length = math.sqrt(sum(v[i, o] ** 2 for i in range(5)))
        dot = sum(float(x[n, i]) * v[i, o] for i in range(5))
        wanted[n, o] = scale[o] * dot / length + float(params.layer.b[o])
    np.testing.assert_allclose(y, wanted, rtol=1e-12)
    still, frozen = net.freeze(params, ())
    assert still == plain
    assert_trees_close(still.forward(frozen, x)[0], y, rtol=1e-12)
    longer = params._replace(layer=params.layer._replace(w=3 * params.layer.w))
    assert_trees_close(net.forward(longer, x)[0], y, rtol=1e-12)


class Written(WeightNorm):
    """The same with the gradients of all examples formed, so that readings have no short cut."""

    def backward(self, params, residuals, dy, read):
        return super().backward(params, residuals, dy, lambda f: read(Formed(f.each())))


READINGS = (
    nn.gradient, nn.per_example, nn.squared_norms, nn.readings.second_moment, nn.readings.variance,
    nn.readings.gram, nn.clipped(0.5), nn.readings.weighted(jnp.arange(4.0)),
)  # fmt: skip


@x64
@pytest.mark.parametrize("shape", [(4, 5), (4, 3, 5)], ids=str)
def test_every_reading_is_that_of_the_gradients_written_out(shape):
    x = draw(jnp.zeros(shape), 1)
    ours, written = (nn.serial(kind(Dense(7)), nn.tanh) for kind in (WeightNorm, Written))
    params = draw(jax.eval_shape(ours.init, KEY, x), 2)
    y = draw(jax.eval_shape(lambda: ours.forward(params, x)[0]), 3)
    asked = (*READINGS, nn.readings.directional(draw(params, 4)))
    for read in asked:
        found, wanted = (
            nn.backprop(net, nn.half_square, params, x, y, read=read) for net in (ours, written)
        )
        assert_trees_close(found, wanted, name=str(read)[:20])


@x64
def test_a_norm_is_no_difference_that_goes_below_zero():
    # a along u: the gradient of v is 0, and rounding must not make its square negative
    v = jnp.asarray([[3.0], [4.0]], jnp.float32)
    params = nn.core.Normed(nn.Affine(v, None), jnp.ones(1, jnp.float32))
    net, x = WeightNorm(Dense(1, bias=False)), jnp.asarray([[0.3, 0.4]], jnp.float32)
    y = jnp.zeros((1, 1), jnp.float32)
    _, found = nn.backprop(net, nn.half_square, params, x, y, read=nn.squared_norms)
    assert 0 <= float(found.layer.w[0]) < 1e-7
    np.testing.assert_allclose(found.scale, [0.0625], rtol=1e-5)  # (0.5 * 0.5)^2


X = jnp.ones((2, 3, 4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WeightNorm(nn.tanh).init(KEY, X), r"with a weight w.*WeightNorm\(Dense"),
        (lambda: WeightNorm(nn.serial(Dense(3))).init(KEY, X), r"with a weight w, got .*none"),
        (lambda: WeightNorm(3), "expected a layer at"),
        (lambda: WeightNorm(Dense(3)).forward((), X), "expected parameters Normed"),
    ],
)
def test_refusals_say_what_to_do(call, message):
    with pytest.raises(TypeError, match=message):
        call()

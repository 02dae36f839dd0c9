"""Mistakes planted in layers: each must be caught, in the layer and at the gradient it sits in."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Affine, BatchNorm, Dense, Dropout, relu, serial, tanh
from jaxnn.check import GradientError, assert_backprop, assert_layer, check_backprop, check_layer
from jaxnn.core import Outer, Sum
from jaxnn.layers.activations import ReLU, Tanh
from jaxnn.losses.loss import HalfSquare
from tests.compare import KEY, draw
from tests.private_layers import LSTM, TiedTable


class Scaled1001(Dense):
    def backward(self, params, residuals, dy, read):
        dx, (dw, db) = super().backward(params, residuals, dy, read)
        return dx, Affine(1.001 * dw, db)


class NoBias(Dense):
    def backward(self, params, residuals, dy, read):
        dx, (dw, db) = super().backward(params, residuals, dy, read)
        return dx, Affine(dw, jnp.zeros_like(db))


class MeanBias(Dense):
    def backward(self, params, residuals, dy, read):
        dx, (dw, db) = super().backward(params, residuals, dy, read)
        return dx, Affine(dw, db / len(dy))


class Transposed(Dense):
    def backward(self, params, residuals, dy, read):
        dx, (dw, db) = super().backward(params, residuals, dy, read)
        return dx, Affine(dw.T, db)


class ForwardWeight(Dense):
    def backward(self, params, residuals, dy, read):
        _, readings = super().backward(params, residuals, dy, read)
        return dy @ params.w, readings


class WrongDtype(Dense):
    def backward(self, params, residuals, dy, read):
        dx, (dw, db) = super().backward(params, residuals, dy, read)
        return dx, Affine(dw.astype(jnp.float32), db)


class WrongShape(Dense):
    def backward(self, params, residuals, dy, read):
        dx, (dw, db) = super().backward(params, residuals, dy, read)
        return dx, Affine(dw, db[None])


class MissingLeaf(Dense):
    def backward(self, params, residuals, dy, read):
        dx, (dw, _) = super().backward(params, residuals, dy, read)
        return dx, Affine(dw, None)


class LastExampleLost(Dense):
    def backward(self, params, residuals, dy, read):
        dx = dy @ params.w.T
        return dx, Affine(read(Outer(residuals[:-1], dy[:-1])), read(Sum(dy)))


class NotFinite(Dense):
    def backward(self, params, residuals, dy, read):
        dx, (dw, db) = super().backward(params, residuals, dy, read)
        return dx, Affine(dw.at[0, 0].set(jnp.nan), db)


class SignFlipped(Tanh, name="tanh"):
    def backward(self, params, residuals, dy, read):
        return -super().backward(params, residuals, dy, read)[0], ()


class SlopeAtKink(ReLU, name="relu"):
    def backward(self, params, residuals, dy, read):
        return jnp.where(residuals >= 0, dy, 0), ()


class NoBatchMean(BatchNorm):
    def backward(self, params, residuals, dy, read):
        dx, readings = super().backward(params, residuals, dy, read)
        s = (residuals[1].variance + self.eps) ** -0.5
        return dx + s * (params.scale * dy).mean(0), readings


class ForgottenMask(Dropout):
    def backward(self, params, residuals, dy, read):
        return dy / (1 - self.drop_rate), ()


class OneUseOnly(TiedTable):
    def backward(self, params, residuals, dy, read):
        return super().backward(params, residuals, dy, lambda f: read(getattr(f, "parts", [f])[0]))


class NoCellCarry(LSTM):
    def backward(self, params, residuals, dy, read):
        x, lengths, (h0, c0, *rest) = residuals
        return super().backward(params, (x, lengths, (h0, 0 * c0, *rest)), dy, read)


MISTAKES = [
    (Scaled1001(5), (3, 5), "params.w", "scale"),
    (NoBias(7), (3, 5), "params.b", "zero"),
    (MeanBias(7), (3, 5), "params.b", "scale"),
    (Transposed(5), (3, 5), "params.w", "transposed"),
    (ForwardWeight(5), (3, 5), "x", None),
    (WrongDtype(7), (3, 5), "params.w", None),
    (WrongShape(7), (3, 5), "params.b", None),
    (MissingLeaf(7), (3, 5), "params.b", "zero"),
    (LastExampleLost(7), (3, 5), "params.w", "example"),
    (NotFinite(7), (3, 5), "params.w", "nan"),
    (SignFlipped(), (3, 5), "x", "sign"),
    (SlopeAtKink(), (3, 5), "x", None),
    (NoBatchMean(), (7, 5), "x", "mean"),
    (ForgottenMask(0.4), (7, 5), "x", "mask"),
    (serial(Dense(7), tanh, Scaled1001(2)), (3, 5), "[2] Scaled1001(2): params.w", "scale"),
    (serial(Dense(7), SignFlipped(), Dense(2)), (3, 5), "[1] tanh: x", "sign"),
    (nn.Skip(serial(Dense(7), tanh, NoBias(5))), (3, 5), "[2] NoBias(5): params.b", "zero"),
    (nn.Repeat(nn.Skip(NoBias(5)), 2), (3, 5), "NoBias(5): params.b", "zero"),
    (nn.Repeat(nn.Repeat(ForgottenMask(0.4), 2), 2), (7, 5), "ForgottenMask(0.4): x", "mask"),
    (OneUseOnly(11, 5, Dense(5)), None, "OneUseOnly(11, 5, Dense(5)): params[0].rows", None),
    (NoCellCarry(7), (3, 5, 2), "params.b", None),
]


@pytest.mark.parametrize(("layer", "shape", "place", "cause"), MISTAKES, ids=lambda v: str(v)[:40])
def test_a_planted_mistake_is_caught_placed_and_explained(layer, shape, place, cause):
    x = jnp.arange(6).reshape(2, 3) if shape is None else draw(jnp.zeros(shape), 3)
    x = x.at[0, 0].set(0) if layer == SlopeAtKink() else x
    report = check_layer(layer, None, x, key=KEY, perturb=0.0, level="quick", dtypes=("float64",))
    assert report.verdict == "wrong"
    assert report.place == place
    assert cause is None or (report.cause is not None and report.cause.kind == cause), report


def test_the_numbers_of_a_layer_are_named_in_a_cause():
    net = serial(Dense(7), ForgottenGain(0.4), Dense(2))
    with pytest.raises(GradientError, match=r"off by the factor 0\.6 = 1 - drop_rate") as caught:
        assert_layer(net, None, draw(jnp.zeros((5, 3)), 3), key=KEY)
    assert caught.value.report.place == "[1] ForgottenGain(0.4): x"


class ForgottenGain(Dropout):
    def backward(self, params, residuals, dy, read):
        dx, readings = super().backward(params, residuals, dy, read)
        return dx * (1 - self.drop_rate), readings


class DoubleSquare(HalfSquare):
    """A loss whose delta has a factor too many."""

    def __call__(self, outputs, y):
        values, deltas = super().__call__(outputs, y)
        return values, 2 * deltas


X, Y = draw(jnp.zeros((7, 5)), 3), draw(jnp.zeros((7, 2)), 4)


def test_a_right_backpropagation_passes_with_weights_and_without():
    net = serial(Dense(3), BatchNorm(), relu, Dropout(0.4), Dense(2))
    assert_backprop(net, nn.half_square, None, X, Y, key=KEY)
    weights = jnp.asarray([1.0, 2.0, 0.5, 0.0, 1.0, 3.0, 1.0])
    assert_backprop(serial(Dense(2)), nn.half_square, None, X, Y, weights=weights)


def test_the_loss_or_the_layer_at_fault_is_named():
    report = check_backprop(serial(Dense(2)), DoubleSquare(), None, X, Y)
    assert report.place.startswith("the loss ")
    assert report.cause is not None
    assert "off by the factor 2" in report.cause.text
    report = check_backprop(serial(NoBias(3), tanh, Dense(2)), nn.half_square, None, X, Y)
    assert report.place == "[0] NoBias(3): params.b"


class ByPrecision(nn.Layer):
    """y = x in float64 and 2 x below: another function in float32, which nobody can judge."""

    def forward(self, params, x, key=None):
        return x * (1 if x.dtype == jnp.float64 else 2), ()

    def backward(self, params, residuals, dy, read):
        return dy * (1 if dy.dtype == jnp.float64 else 2), ()


def test_a_layer_that_cannot_be_judged_is_not_the_one_at_fault():
    x = draw(jnp.zeros((3, 5)), 0)
    assert check_layer(ByPrecision(), None, x).verdict == "inconclusive"
    report = check_layer(serial(Scaled1001(5), ByPrecision()), None, x)
    assert report.place == "[0] Scaled1001(5): params.w"


def test_layers_that_are_right_and_put_together_wrongly_are_said_to_be():
    class Reversed(nn.layers.Serial):
        """A chain that hands its readings back in the wrong order."""

        def backward(self, params, residuals, dy, read):
            dx, readings = super().backward(params, residuals, dy, read)
            return dx, readings[::-1]

    report = check_layer(Reversed((Dense(5), Dense(5))), None, X)
    assert report.place == "serial(Dense(5), Dense(5)): params[1].b"
    assert report.cause is not None
    assert report.cause.kind == "swapped"


def test_a_softmax_that_is_nearly_sure_raises_no_alarm():
    rng = np.random.default_rng(6)
    logits = jnp.asarray(rng.normal(size=(5, 2)) * [0, 9], jnp.float32)
    dense = nn.Affine(logits, None)
    report = check_layer(serial(Dense(2, bias=False), nn.softmax), (dense, ()), jnp.eye(5))
    assert report.ok, report

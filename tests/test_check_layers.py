"""The comparison itself is tested: each planted mistake must be caught, at its place."""

import jax
import jax.numpy as jnp
import pytest

from jaxnn import Affine, BatchNorm, Dense, Dropout, Outer, Sum, relu, serial, tanh
from jaxnn.activations import ReLU, Tanh
from tests.compare import assert_backward_right, assert_trees_close, draw
from tests.private_layers import LSTM, TiedTable

pytestmark = pytest.mark.usefixtures("x64")


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
        return dx + residuals[1] * (params.scale * dy).mean(0), readings


class ForgottenMask(Dropout):
    def backward(self, params, residuals, dy, read):
        return dy / (1 - self.drop_rate), ()


class OneUseOnly(TiedTable):
    def backward(self, params, residuals, dy, read):
        return super().backward(params, residuals, dy, lambda f: read(getattr(f, "parts", [f])[0]))


class NoCellCarry(LSTM):
    def backward(self, params, residuals, dy, read):
        x, (h0, c0, *rest) = residuals
        return super().backward(params, (x, (h0, 0 * c0, *rest)), dy, read)


MISTAKES = [
    (Scaled1001(5), (3, 5), r"dparams\.w: error"),
    (NoBias(7), (3, 5), r"dparams\.b: error"),
    (MeanBias(7), (3, 5), r"dparams\.b: error"),
    (Transposed(5), (3, 5), r"dparams\.w: error"),
    (ForwardWeight(5), (3, 5), "dx: error"),
    (WrongDtype(7), (3, 5), r"dparams\.w: dtype float32"),
    (WrongShape(7), (3, 5), r"dparams\.b: shape \(1, 7\)"),
    (MissingLeaf(7), (3, 5), "dparams: structure"),
    (LastExampleLost(7), (3, 5), r"dparams\.w: error"),
    (NotFinite(7), (3, 5), r"dparams\.w: not finite"),
    (SignFlipped(), (3, 5), "dx: error"),
    (SlopeAtKink(), (3, 5), "dx: error"),
    (NoBatchMean(), (7, 5), "dx: error"),
    (ForgottenMask(0.4), (7, 5), "dx: error"),
    (serial(Dense(7), tanh, Scaled1001(2)), (3, 5), r"dparams\[2\]\.w: error"),
    (serial(Dense(7), SignFlipped(), Dense(2)), (3, 5), r"dparams\[0\]\.w: error"),
    (OneUseOnly(11, 5, Dense(5)), None, r"dparams\[0\]\.rows: error"),
    (NoCellCarry(7), (3, 5, 2), r"dparams\.w_x: error"),
]


@pytest.mark.parametrize(("layer", "shape", "place"), MISTAKES, ids=lambda v: str(v)[:40])
def test_a_planted_mistake_is_caught_and_named(layer, shape, place):
    x = jnp.arange(6).reshape(2, 3) if shape is None else draw(jnp.zeros(shape), 3)
    x = x.at[0, 0].set(0) if layer == SlopeAtKink() else x
    with pytest.raises(AssertionError, match=place):
        assert_backward_right(layer, x)


def test_the_right_rules_of_the_same_layers_pass():
    x = draw(jnp.zeros((7, 5)), 3)
    for layer in (Dense(5), tanh, relu, BatchNorm(), Dropout(0.4), serial(Dense(7), tanh)):
        assert_backward_right(layer, x)


def test_zero_is_compared_exactly():
    with pytest.raises(AssertionError, match="error 1e-300 of 0"):
        assert_trees_close(jnp.full(1, 1e-300), jnp.zeros(1))
    assert_trees_close(jnp.zeros(3), jnp.zeros(3))


def test_one_wrong_entry_in_a_million_is_caught():
    right = draw(jnp.zeros(1_000_000), 0)
    with pytest.raises(AssertionError, match="error"):
        assert_trees_close(right.at[123_456].multiply(1.5), right)
    assert jax.tree.leaves(right)

"""Feedback weights: rules by which delta travels down through other weights than it came up.

A layer goes back at other weights: `backward` with B^T where w stood, so that dx = dy B for a dense
layer, the transposed convolution with B for a convolution, and so on for every layer with weights,
a whole `serial(...)` included. With B = w^T each rule is backpropagation, bit for bit.

B is stored shaped like w, as B^T, among the parameters: it starts from the same key, is saved with
them, and can be looked at and set. Drawing it from a seed at every step would leave the parameters
alone, but tie a saved network to the random numbers of one release. The price of a fixed B is one
pass over it for each update.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from jax.tree_util import tree_flatten_with_path

from jaxnn.core.composed import Tied
from jaxnn.core.factors import Factor
from jaxnn.core.inputs import count
from jaxnn.core.layer import Layer, Read
from jaxnn.core.parameters import Affine, weights
from jaxnn.core.ranges import Positive
from jaxnn.core.summed import joined
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.feedback.rules import BackwardRule, Passage
from jaxnn.initializers import Initializer, glorot


class Transport(BackwardRule):
    """Base of the rules that go back at other weights. A subclass writes `sent`."""

    def check(self, layer: Layer, params: Params, x: Tree) -> None:
        if not weights_of(params):
            raise self.refuse(
                layer, f"expected a layer with weights, such as Dense, got {layer!r} without any"
            )

    def sent(self, at: Passage) -> list[Any]:
        """What stands where the layer's weights stood, in their order."""
        raise NotImplementedError(f"write {type(self).__name__}.sent(self, at)")

    def backward(self, at: Passage, dy: Tree, read: Read) -> tuple[Tree, Tree, Any]:
        others = iter(self.sent(at))
        leaves, structure = tree_flatten_with_path(at.params)
        params = structure.unflatten(next(others) if weights(path) else p for path, p in leaves)
        dx, readings = at.backprop(dy, read, params)
        return dx, readings, self.learned(at, readings, dy, read)

    def learned(self, at: Passage, readings: Tree, dy: Tree, read: Read) -> Any:
        """The readings of the feedback weights; those of a fixed B say that its gradient is 0."""
        del readings
        return still(at.feedback, count(dy), read)

    def compared(self, at: Passage) -> list[Any]:
        return list(zip(self.sent(at), weights_of(at.params), strict=True))


class FeedbackAlignment(Transport):
    """dx = dy B with a B drawn once by `draw` and never changed; w comes to align with it.

    For every layer with weights. Source: Lillicrap et al. 2016.
    """

    draw: Initializer = glorot

    @property
    def has_feedback(self) -> bool:
        return True

    def start(self, layer: Layer, params: Params, x: Tree, key: Key) -> Any:
        ws = weights_of(params)
        keys = jax.random.split(key, len(ws))
        return tuple(self.draw(k, w.shape, w.dtype) for k, w in zip(keys, ws, strict=True))

    def sent(self, at: Passage) -> list[Any]:
        return jax.tree.leaves(at.feedback)


class SignSymmetric(Transport):
    """B = |M| sign(w)^T: the signs of the weights, with other magnitudes M; sign(0) = 0.

    `magnitudes` "one" is |M| = 1 (uSF), "fixed" an M drawn once (frSF), "batch" an M drawn anew for
    each mini-batch (brSF), which needs a key in `forward`. With "one" the deltas of wide layers
    grow: a `fixed` magnitude is `SignSymmetric("fixed", draw=constant(0.05))`.
    Raises ValueError for another word. Source: Liao, Leibo and Poggio 2016.
    """

    magnitudes: Literal["one", "fixed", "batch"] = "fixed"
    draw: Initializer = glorot

    @property
    def has_feedback(self) -> bool:
        return self.magnitudes == "fixed"

    def start(self, layer: Layer, params: Params, x: Tree, key: Key) -> Any:
        return FeedbackAlignment(self.draw).start(layer, params, x, key)

    def keep(self, x: Tree, key: Key) -> Any:
        return key if self.magnitudes == "batch" else ()

    def sent(self, at: Passage) -> list[Any]:
        ws, ms = weights_of(at.params), at.feedback
        if self.magnitudes == "one":
            return [jnp.sign(w) for w in ws]
        if self.magnitudes == "batch":
            ms = self.start(at.layer, at.params, None, self.key(at, at.kept))
        return [jnp.abs(m) * jnp.sign(w) for m, w in zip(ms, ws, strict=True)]


class KolenPollack(FeedbackAlignment):
    """dx = dy B, where B gets the very updates that w gets: dB = dw^T.

    B is a weight like w for penalties and weight decay, so that the difference decays with both:
    B - w^T is multiplied by 1 - eta lambda at each step of SGD with l2 = lambda. Without decay it
    stays. A `clip_by_global_norm` and a norm over all parameters count dw twice.
    Source: Kolen and Pollack 1994; Akrout et al. 2019.
    """

    def start(self, layer: Layer, params: Params, x: Tree, key: Key) -> Any:
        drawn = iter(super().start(layer, params, x, key))
        leaves, structure = tree_flatten_with_path(params)
        return structure.unflatten(next(drawn) if weights(path) else None for path, _ in leaves)

    def learned(self, at: Passage, readings: Tree, dy: Tree, read: Read) -> Any:
        leaves, structure = tree_flatten_with_path(at.params)
        found = zip(leaves, structure.flatten_up_to(readings), strict=True)
        return structure.unflatten(r if weights(path) else None for (path, _), r in found)


class WeightMirror(FeedbackAlignment):
    """dx = dy B, where B learns w^T from noise that the layer answers to.

        dB = rate (B - sum_n c_n (xi_n w)^T xi_n),   xi normal, shaped like x

    so that E[dB] = rate (B - w^T), for x (batch, n_in). Each mini-batch is followed by its mirror
    phase; bias and activation take no part in it. The optimizer that moves w moves B, at `rate`
    times its learning rate; an adaptive one does not see the rate. Needs a key in `forward`.
    Raises TypeError for a layer that is no affine map, ValueError for a rate that is not positive.
    Source: Akrout et al. 2019, with their decay chosen so that B comes to w^T.
    """

    rate: Annotated[float, Positive] = 0.1
    """Rate of the mirror phase, times the learning rate."""

    def check(self, layer: Layer, params: Params, x: Tree) -> None:
        if not isinstance(params, Affine) or isinstance(x, tuple):
            raise self.refuse(layer, f"expected one affine map, such as Dense, got {layer!r}")

    def keep(self, x: Tree, key: Key) -> Any:
        return x, key

    def learned(self, at: Passage, readings: Tree, dy: Tree, read: Read) -> Any:
        x, key = at.kept
        key_xi, key_layer = jax.random.split(self.key(at, key))
        (b,), silent = at.feedback, at.params._replace(b=jax.tree.map(jnp.zeros_like, at.params.b))
        xi = jax.random.normal(key_xi, x.shape, x.dtype)
        answer, residuals = at.layer.forward(silent, xi, key_layer)
        _, hebb = at.layer.backward(silent, residuals, -self.rate * answer, lambda factor: factor)
        decay = Same(self.rate * b, jnp.ones(count(dy), b.dtype))
        return (read(Tied((hebb.w, decay))),)


def weights_of(params: Params) -> list[Any]:
    """The weights of a layer, in the order of its parameters."""
    return [p for path, p in tree_flatten_with_path(params)[0] if weights(path)]


class Same(Factor):
    """dw = sum of d times one array, the same for all examples: d (batch,), value like w."""

    value: Any
    d: Any

    def total(self, d: Array) -> Any:
        return d.sum() * self.value

    def rows(self) -> tuple[Any, Callable[[Any], Any]]:
        return self.d, lambda d: Same(self.value, d)


@joined.register
def _same(factor: Same, others: list[Any], axis: int) -> Factor:
    if axis > 0:
        return joined.dispatch(Factor)(factor, others, axis)
    return Same(factor.value[0], jnp.concatenate([one.d.reshape(-1) for one in (factor, *others)]))


def still(feedback: Tree, n: int, read: Read) -> Any:
    """The readings of arrays that stay: for each of n examples the gradient is 0."""
    return jax.tree.map(lambda b: read(Same(jnp.zeros_like(b), jnp.ones(n, b.dtype))), feedback)

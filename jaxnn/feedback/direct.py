"""Feedback past the layers: every hidden layer hears the output directly, not the layer above.

    WithBackward(serial(...), DirectFeedbackAlignment())

A layer that waits for nothing but the output error could go back at the same time as all others.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.inputs import check_outputs, count, described
from jaxnn.core.layer import Layer, Read, output_like, two_rows
from jaxnn.core.refusals import located
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.core.walk import mixing_layers
from jaxnn.feedback.matrices import still, weights_of
from jaxnn.feedback.rules import BackwardRule, Passage, WithBackward
from jaxnn.initializers import Initializer, glorot
from jaxnn.layers.combinators import Serial


class DirectFeedbackAlignment(BackwardRule):
    """delta_l = (e B_l) phi'(z_l) for every hidden layer l, e being delta of the last one.

    For a `serial(...)`. Its layers with weights are the layers of the network; what stands between
    two of them, such as an activation, goes back as it is, and so does what follows the last. In
    front of a layer with weights (but the first) the error that it would send down is replaced by
    e B_l. Each B_l (*shape of the hidden output, n_e), stored as B_l^T, is drawn once by `draw` and
    never changed.

    Raises TypeError for another layer than serial, fewer than two layers with weights, and outputs
    of the last one that are not (batch, n_e). Source: Nøkland 2016.
    """

    draw: Initializer = glorot

    @property
    def has_feedback(self) -> bool:
        return True

    def check(self, layer: Layer, params: Params, x: Tree) -> None:
        if not isinstance(layer, Serial):
            raise self.refuse(layer, f"expected a whole serial(...), got {layer!r}")
        if len(_places(params)) < 2:
            raise self.refuse(layer, "expected two or more layers with weights; nothing is hidden")

    def start(self, layer: Any, params: Params, x: Tree, key: Key) -> Any:
        places, hidden, x = _places(params), [], two_rows(x)
        for i in range(places[-1] + 1):
            if i in places[1:]:
                self._check_hidden(layer, x)
                hidden.append(x)
            x = output_like(layer.layers[i], params[i], x, key)
        check_outputs(WithBackward(layer, self), x)
        if x.ndim != 2:
            shape = ", ".join(map(str, x.shape[1:]))
            raise self.refuse(layer, f"expected outputs (batch, n), got (batch, {shape})")
        keys = jax.random.split(key, len(hidden))
        return tuple(self._drawn(k, h, x) for k, h in zip(keys, hidden, strict=True))

    def _check_hidden(self, layer: Layer, x: Tree) -> None:
        if isinstance(x, tuple):
            raise self.refuse(
                layer, f"expected layers from one array to one, got a hidden {described(x)}"
            )

    def _drawn(self, key: Key, hidden: Any, e: Array) -> Any:
        flat = self.draw(key, (hidden.size // len(hidden), e.shape[-1]), e.dtype)
        return flat.reshape(*hidden.shape[1:], e.shape[-1])

    def signal(self, e: Array) -> Any:
        """What the hidden layers hear of the output error e."""
        return e

    def backward(self, at: Passage, dy: Tree, read: Read) -> tuple[Tree, Tree, Any]:
        layers, places, feedback = at.layer.layers, _places(at.params), list(at.feedback)  # pyright: ignore
        d, heard, readings = dy, dy, []
        for i in reversed(range(len(layers))):
            if i == places[-1]:
                heard = self.signal(d)
            with located(f"[{i}]", layers[i]):
                d, reading = layers[i].backward(at.params[i], at.residuals[i], d, read)
            if i in places[1:]:
                d = jnp.tensordot(heard, feedback.pop(), (-1, -1))
            readings.append(reading)
        return d, tuple(reversed(readings)), still(at.feedback, count(dy), read)

    def compared(self, at: Passage) -> list[Any]:
        """B_l beside w_(l+1) ... w_L, what backprop would send down a network without activations;
        where every layer has one matrix."""
        ws, product, pairs = weights_of(at.params), None, []
        if len(ws) != len(at.feedback) + 1:
            return []
        for b, w in zip(reversed(at.feedback), reversed(ws), strict=False):
            product = w if product is None else w @ product
            if b.shape != product.shape:
                return []
            pairs.append((b, product))
        return [None, *reversed(pairs)]


class DirectRandomTargetProjection(DirectFeedbackAlignment):
    """delta_l = -(t B_l) phi'(z_l) with the target t, one-hot, in place of the output error.

    A hidden layer waits for nothing then. t is read off the error e: where outputs lie between 0
    and 1, as inside a cross-entropy, e is negative at the target and nowhere else. So the loss is a
    cross-entropy with hard labels, or a square cost behind `sigmoid`. Not linear in e.

    Raises as `DirectFeedbackAlignment`, and TypeError for a layer that mixes the examples of a
    batch, through which e carries the weights of the examples. Source: Frenkel, Lefebvre and Bol
    2021.
    """

    def check(self, layer: Layer, params: Params, x: Tree) -> None:
        super().check(layer, params, x)
        if mixing := mixing_layers(layer):
            raise self.refuse(layer, f"expected examples that do not mix, got {mixing[0]}")

    def signal(self, e: Array) -> Any:
        return -(e < 0).astype(e.dtype)


def _places(params: Params) -> list[int]:
    """Where in a serial the layers with weights stand."""
    return [i for i, p in enumerate(params) if weights_of(p)]

"""Backward rules: a layer with its own forward, which goes back in another way.

    WithBackward(Dense(10), FeedbackAlignment())    B in place of w^T
    WithBackward(step, StraightThrough())           as if step were the identity
    WithBackward(net, DirectFeedbackAlignment())    a whole `serial(...)`, from its output error

A rule changes what travels down the network, dx; the layer's own local work, what the gradient of
a parameter is made of, stays as it is. So every reading, optimizer and penalty works as before, but
what comes out is the rule's gradient, not the derivative of the forward. Rules with weights of
their own are in `jaxnn.feedback`.
"""

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.inputs import described
from jaxnn.core.layer import Layer, Read
from jaxnn.core.ranges import NotNegative, Positive
from jaxnn.core.refusals import check_record, require_key
from jaxnn.core.types import Key, Params, Tree
from jaxnn.core.values import Static
from jaxnn.core.walk import mixing_layers
from jaxnn.layers.activations import ReLU, Step

# a fold of the key that no split of it gives: splits count up from 0
_FOLD = 2**32 - 1


class WithFeedback(NamedTuple):
    """Parameters of a layer whose rule has weights of its own: those of both.

    A fixed B lies in a tuple, where no penalty and no weight decay finds it.
    """

    layer: Any
    feedback: Any


class Passage(NamedTuple):
    """What a rule goes back through: the layer, its parameters, the feedback weights, the layer's
    residuals, and what the rule itself kept of the forward sweep."""

    layer: Layer
    params: Any
    feedback: Any
    residuals: Any
    kept: Any

    def backprop(self, dy: Tree, read: Read, params: Params = None) -> tuple[Any, Any]:
        """The layer's own backward, at other parameters if given."""
        at = self.params if params is None else params
        return self.layer.backward(at, self.residuals, dy, read)


class BackwardRule(Static):
    """Base of the rules. A subclass writes `backward`, and the others where it must."""

    @property
    def has_feedback(self) -> bool:
        """Whether the rule has weights of its own, made by `start`."""
        return False

    def check(self, layer: Layer, params: Params, x: Tree) -> None:
        """Refuse a layer the rule does not apply to, for inputs like x."""
        del layer, params, x

    def start(self, layer: Layer, params: Params, x: Tree, key: Key) -> Any:
        """The feedback weights for a layer with these parameters and inputs like x."""
        raise NotImplementedError(f"write {type(self).__name__}.start(self, layer, params, x, key)")

    def keep(self, x: Tree, key: Key) -> Any:
        """What `backward` will need of the forward sweep beside the layer's residuals."""
        del x, key
        return ()

    def backward(self, at: Passage, dy: Tree, read: Read) -> tuple[Tree, Tree, Any]:
        """(dx, readings, readings of the feedback weights)."""
        raise NotImplementedError(f"write {type(self).__name__}.backward(self, at, dy, read)")

    def compared(self, at: Passage) -> list[Any]:
        """For each weight, in order, what the rule put where backprop has what: pairs of one shape,
        or None. Empty where a rule has no such pairs; `alignment` asks for them."""
        del at
        return []

    def key(self, at: Passage, key: Key) -> Any:
        """The key that was kept, or an error that names the layer."""
        return require_key(WithBackward(at.layer, self), key)

    def refuse(self, layer: Layer, problem: str) -> TypeError:
        """The error that a layer does not suit the rule."""
        return TypeError(f"{WithBackward(layer, self)!r}: {problem}")


class WithBackward(Layer):
    """A layer that goes back by a rule; forward, it is the layer.

    Shapes, residuals and errors are those of the layer. So are the parameters, unless the rule has
    weights of its own: then they are `WithFeedback(layer, feedback)`. The same key starts the layer
    as it would start without the rule. Frozen, it is the frozen layer with the same rule.

    Raises TypeError for a layer the rule does not apply to, in `init`, and ValueError in `backward`
    without a key in `forward` for a rule that draws anew for each mini-batch.
    """

    layer: Layer
    rule: BackwardRule

    def __post_init__(self) -> None:
        if not isinstance(self.layer, Layer) or not isinstance(self.rule, BackwardRule):
            raise TypeError(
                "WithBackward: expected a layer and a rule, as in WithBackward(Dense(10), "
                f"FeedbackAlignment()), got {self.layer!r} and {self.rule!r}"
            )

    @property
    def mixes_examples(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the layer does."""
        return bool(mixing_layers(self.layer))

    def init(self, key: Key, x: Tree) -> Params:
        params = self.layer.init(key, x)
        self.rule.check(self.layer, params, x)
        if not self.rule.has_feedback:
            return params
        other = jax.random.fold_in(require_key(self, key, "init(key, x)"), _FOLD)
        return WithFeedback(params, self.rule.start(self.layer, params, x, other))

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        y, residuals = self.layer.forward(self._split(params)[0], x, key)
        return y, (residuals, self._kept(x, key))

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        at = Passage(self.layer, *self._split(params), *residuals)
        dx, readings, feedback = self.rule.backward(at, dy, read)
        return dx, WithFeedback(readings, feedback) if self.rule.has_feedback else readings

    def begin(self, params: Params, x: Tree) -> Tree:
        return self.layer.begin(self._split(params)[0], x)

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        y, residuals, state = self.layer.resume(self._split(params)[0], state, x, key)
        return y, (residuals, self._kept(x, key)), state

    def _kept(self, x: Tree, key: Key) -> Any:
        return self.rule.keep(x, None if key is None else jax.random.fold_in(key, _FOLD))

    def _split(self, params: Params) -> tuple[Any, Any]:
        if not self.rule.has_feedback:
            return params, ()
        check_record(self, params, WithFeedback)
        return params.layer, params.feedback

    def observe(self, residuals: Tree) -> Any:
        return self.layer.observe(residuals[0])

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        own, feedback = self._split(params)
        layer, own = self.layer.freeze(own, statistics)
        return self.replace(layer=layer), (
            WithFeedback(own, feedback) if self.rule.has_feedback else own
        )


class GradientReversal(BackwardRule):
    """dx times -strength: what lies below is trained to make worse what lies above makes better.

    `WithBackward(linear, GradientReversal())` in front of a domain classifier. The layer's own
    parameters get their ordinary gradient. Raises ValueError for a strength below 0, TypeError for
    an x of integers, which has no dx. Source: Ganin and Lempitsky 2015.
    """

    strength: Annotated[float, NotNegative] = 1.0
    """How strongly it turns."""

    def check(self, layer: Layer, params: Params, x: Tree) -> None:
        if not any(jnp.issubdtype(entry.dtype, jnp.floating) for entry in jax.tree.leaves(x)):
            problem = f"expected floating-point x, whose dx turns, got {described(x)}"
            raise self.refuse(layer, problem)

    def backward(self, at: Passage, dy: Tree, read: Read) -> tuple[Tree, Tree, Any]:
        dx, readings = at.backprop(dy, read)
        return jax.tree.map(lambda d: -self.strength * d, dx), readings, ()


class GuidedBackprop(BackwardRule):
    """For `relu`: dx = dy where y > 0 and dy > 0, else 0. At y = 0 and at dy = 0 it is 0.

    Only what speaks for the output comes down to the input: a picture, not a gradient to train
    with. It is not linear in dy. Raises TypeError for another layer than relu.
    Source: Springenberg et al. 2015.
    """

    def check(self, layer: Layer, params: Params, x: Tree) -> None:
        if not isinstance(layer, ReLU):
            raise self.refuse(
                layer, f"expected relu, got {layer!r}; leave other layers as they are"
            )

    def backward(self, at: Passage, dy: Tree, read: Read) -> tuple[Tree, Tree, Any]:
        return (*at.backprop(jnp.maximum(dy, 0), read), ())


class StraightThrough(BackwardRule):
    """For `step`, whose derivative is 0: dx = dy, as if it were the identity.

    With `clip`, dx = dy where |x - k| <= clip, the border included, else 0: units far from their
    threshold k are left alone, as hard tanh does. Raises TypeError for another layer than step,
    ValueError for a clip that is not positive.
    Source: Bengio, Leonard and Courville 2013; clipped: Hubara et al. 2016.
    """

    clip: Annotated[float, Positive] | None = None
    """How far from the threshold dy still passes."""

    def check(self, layer: Layer, params: Params, x: Tree) -> None:
        if not isinstance(layer, Step):
            raise self.refuse(layer, f"expected step, got {layer!r}; others have a derivative")

    def keep(self, x: Tree, key: Key) -> Any:
        return () if self.clip is None else x

    def backward(self, at: Passage, dy: Tree, read: Read) -> tuple[Tree, Tree, Any]:
        readings = at.backprop(dy, read)[1]
        if self.clip is None:
            return dy, readings, ()
        near = jnp.abs(at.kept - at.layer.k) <= self.clip  # pyright: ignore
        return jnp.where(near, dy, 0), readings, ()

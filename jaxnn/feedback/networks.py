"""A backward rule for a network, and how far what it computes is from backpropagation."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import keystr, tree_flatten_with_path

from jaxnn.core.inputs import count
from jaxnn.core.layer import Layer, Read
from jaxnn.core.notes import Seen
from jaxnn.core.parameters import weights
from jaxnn.core.trees import cast, over, wide_dtype
from jaxnn.core.types import Array, ArrayLike, Key, Params, Tree
from jaxnn.core.walk import every_layer, map_inner, map_innermost
from jaxnn.core.watch import Noted
from jaxnn.feedback.direct import DirectFeedbackAlignment
from jaxnn.feedback.matrices import Transport, still
from jaxnn.feedback.rules import BackwardRule, Passage, WithBackward
from jaxnn.layers.chunked import Chunked
from jaxnn.layers.dense import Dense
from jaxnn.layers.repeat import Repeat
from jaxnn.losses.loss import Loss
from jaxnn.readings import gradient
from jaxnn.sweep.backpropagation import prepare, sweep
from jaxnn.sweep.records import Batch, Objective


def with_rule(net: Layer, rule: BackwardRule, kind: type | tuple[type, ...] = Dense) -> Layer:
    """The network, every layer of a `kind` in it going back by the rule.

        with_rule(serial(Dense(1000), sigmoid, Dense(10)), FeedbackAlignment())
        = serial(Dense(1000), sigmoid, WithBackward(Dense(10), FeedbackAlignment()))

    A layer below which nothing learns is left alone by the rules that go back at other weights:
    nobody would hear of them. In a `Repeat` all layers take the rule: there is one below each but
    the first. A direct rule is for the network as a whole, `WithBackward(net, rule)`. Raises
    ValueError where no layer is left to take the rule.
    """
    if isinstance(rule, DirectFeedbackAlignment):
        return WithBackward(net, rule)
    repeats = [(path, layer) for path, layer in every_layer(net) if isinstance(layer, Repeat)]
    stacked = {path for place, repeat in repeats for path, _ in every_layer(repeat, place)}
    learns_below = False

    def change(path: str, layer: Layer) -> Layer:
        nonlocal learns_below
        heard = learns_below or path in stacked or not isinstance(rule, Transport)
        learns_below = learns_below or type(layer).init is not Layer.init
        return WithBackward(layer, rule) if heard and isinstance(layer, kind) else layer

    changed = map_innermost(change, net)
    if changed == net:
        kinds = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(
            f"{rule!r}: expected a {kinds} with layers below that learn, got {net!r}; choose "
            "another kind, or wrap a layer yourself with WithBackward"
        )
    return changed


class Alignment(NamedTuple):
    """A rule beside backpropagation at one weight: angles in degrees, and ratios of norms.

    `delta` is the angle of the errors at the layer's output, `gradient` that of the gradients of
    the weight, both over the mini-batch as one vector; a ratio is the rule's norm over backprop's.
    `weights` is the angle of B^T and what backprop has in its place: the weight, or the product of
    the weights from here to the output for direct feedback.

    nan stands where there is nothing to compare: `weights` of the first layer with weights, which
    keeps plain backprop and has no B, and of layers without a rule; `delta` where the factor of a
    parameter has no errors of its own; all of them where an error or a gradient is 0.
    """

    delta: Any
    gradient: Any
    weights: Any
    delta_ratio: Any
    gradient_ratio: Any


def alignment(
    net: Layer, loss: Loss, params: Params, x: Tree, y: Tree, key: Key = None
) -> dict[str, Alignment]:
    """`Alignment` by the path of each weight, for a mini-batch; arguments and errors of `backprop`.

    Below 90 degrees a step along the rule's gradient goes downhill. Both sweeps see the same
    parameters, key and, for rules that draw, the same draw. The layers of a `Repeat` are one, and
    so are all uses of a weight in a `Tie`; `weights` there is of the first.
    Source: Lillicrap et al. 2016.
    """
    objective = Objective(_whole(net), loss)
    batch = prepare(objective, params, Batch(x, y, key=key))
    paths = [path for path, _ in tree_flatten_with_path(params)[0] if _counts(path)]
    found = _alignment(objective, params, batch)
    return dict(zip(map(keystr, paths), found, strict=True))


@jax.jit
def _alignment(objective: Objective, params: Params, batch: Batch) -> list[Alignment]:
    net, loss, _ = objective
    leaves, structure = tree_flatten_with_path(params)

    def readings(net: Layer) -> list[Any]:
        found = sweep(Objective(net, loss), params, batch, _look)[1]
        return structure.flatten_up_to(_paired(found))

    rows = zip(leaves, readings(net), readings(_by_backprop(net)), strict=True)
    return [_compare(rule, exact) for (path, _), rule, exact in rows if _counts(path)]


class _Look(NamedTuple):
    """What alignment reads of a weight."""

    delta: Any
    gradient: Any
    pair: Any = None


def _look(factor: Any, c: ArrayLike) -> _Look:
    errors = [d.reshape(-1) for d in factor.errors()]
    return _Look(jnp.concatenate(errors) if errors else None, gradient(factor, c))


def _paired(tree: Tree) -> Tree:
    """The looks, each with its pair in the note of the layer."""

    def look(node: Any) -> Any:
        if not isinstance(node, Noted):
            return node
        leaves, structure = tree_flatten_with_path(_paired(node.readings), is_leaf=_is_look)
        pairs = iter(node.seen.value)
        return structure.unflatten(
            look._replace(pair=next(pairs, None)) if look and weights(path) else look
            for path, look in leaves
        )

    return over(Noted, look, tree)


def _is_look(node: Any) -> bool:
    """None stands for a weight that has its look elsewhere, in a `Tie`."""
    return node is None or isinstance(node, _Look)


def _compare(rule: _Look, exact: _Look) -> Alignment:
    delta, delta_ratio = _apart(rule.delta, exact.delta)
    dw, gradient_ratio = _apart(rule.gradient, exact.gradient)
    return Alignment(
        delta, dw, _apart(*(exact.pair or (None, None)))[0], delta_ratio, gradient_ratio
    )


def _apart(a: Array | None, b: Array | None) -> tuple[Any, Any]:
    """(angle in degrees, |a| / |b|). The half angle is that between a rhombus's side and diagonal,
    exact for small angles, where the arc cosine loses half of its digits."""
    if a is None or b is None:
        return jnp.nan, jnp.nan
    x, y = (cast(array, wide_dtype(array)).reshape(-1) for array in (a, b))
    size_x, size_y = jnp.linalg.norm(x), jnp.linalg.norm(y)
    u, v = x / size_x, y / size_y
    angle = 2 * jnp.arctan2(jnp.linalg.norm(u - v), jnp.linalg.norm(u + v))
    return jnp.rad2deg(angle), size_x / size_y


class _Backprop(BackwardRule):
    """Backprop with the parameters that a rule needs, and what the rule would have put where."""

    rule: BackwardRule

    @property
    def has_feedback(self) -> bool:
        return self.rule.has_feedback

    def keep(self, x: Tree, key: Key) -> Any:
        return self.rule.keep(x, key)

    def backward(self, at: Passage, dy: Tree, read: Read) -> tuple[Tree, Tree, Any]:
        dx, readings = at.backprop(dy, read)
        note = Seen("", at.layer, self.rule.compared(at))
        return dx, Noted(readings, note), still(at.feedback, count(dy), read)


def _whole(net: Layer) -> Layer:
    """The same network with nothing in parts: all errors are looked at."""
    net = map_inner(lambda _, layer: _whole(layer), net)
    return net.layer if isinstance(net, Chunked) else net


def _by_backprop(net: Layer) -> Layer:
    """The same network, on the same parameters, without its rules."""
    net = map_inner(lambda _, layer: _by_backprop(layer), net)
    return net.replace(rule=_Backprop(net.rule)) if isinstance(net, WithBackward) else net


def _counts(path: tuple[Any, ...]) -> bool:
    """Whether a leaf is a weight of a layer, not one of the feedback."""
    return weights(path) and "feedback" not in {getattr(key, "name", "") for key in path}

"""How activations and errors are spread over their values, layer by layer.

    activations   outputs of each activation, and of the last layer
    deltas        dl_n/dz at the outputs z of each layer with weights

both of the network as it is tested, on the first training examples, every unit and example one
value. {"3": {"low": ..., "high": ..., "counts": [...]}} by the path of the layer: bins of equal
width from the smallest value to the largest; values that are not finite are left out.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import SequenceKey, keystr, tree_flatten_with_path

import jaxnn as nn
from experiments.training.notes import name_of, outputs_of
from experiments.training.task import Task
from jaxnn.core import Factor
from jaxnn.core.notes import seen
from jaxnn.core.walk import every_layer, innermost, paths_of
from jaxnn.core.watch import watched
from jaxnn.layers.elementwise import Activation

EXAMPLES = 256
BINS = 30


def histograms(task: Task, net: nn.Layer, params: Any) -> dict[str, dict[str, Any]]:
    """The histograms of both kinds, {"activations": ..., "deltas": ...}, at params of the test."""
    *_, (last, _) = innermost(task.net)  # of the net that was trained: frozen dropout is `linear`
    net = watched(net, outputs_of, paths={*paths_of(task.net, Activation), last})
    # a backward rule may draw; else no key, so that the program has no threefry to compile
    rules = any(isinstance(layer, nn.feedback.WithBackward) for _, layer in every_layer(net))
    key = jax.random.key(0) if rules else None
    found = _look(net, task.loss, params, task.train.x, task.train.y, key)
    kinds = zip(("activations", "deltas"), jax.device_get(found), strict=True)
    return {kind: {path: bins(a) for path, a in some.items()} for kind, some in kinds}


@jax.jit
def _look(
    net: nn.Layer, loss: nn.Loss, params: Any, x: Any, y: Any, key: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    outputs, residuals = net.forward(params, x[:EXAMPLES], key)
    _, errors = loss(outputs, y[:EXAMPLES])
    _, factors = net.backward(params, residuals, errors, lambda factor: factor)
    notes = seen(net.observe(residuals))
    activations = {name_of(n, place): _wide(y) for n in notes for place, y in n.each()}
    return activations, _deltas(factors)


def _deltas(factors: Any) -> dict[str, Any]:
    """The errors at the outputs of the layers with weights: what their weights' factors hold, those
    of a `Repeat` together, and of a `Tie` at all uses of the weight, where it is used first. A
    second weight of a layer adds its name; of gradients that are formed already there are none."""
    leaves, _ = tree_flatten_with_path(factors, is_leaf=lambda node: isinstance(node, Factor))
    found = {}
    for path, factor in leaves:
        fed_back = any(getattr(key, "name", "") == "feedback" for key in path)
        if nn.core.weights(path) and not fed_back:
            place = "/".join(str(key.idx) for key in path if isinstance(key, SequenceKey))
            place += f"/{keystr(path[-1:], simple=True)}" if place in found else ""
            errors = [_wide(d).reshape(-1) for d in factor.errors()]
            found[place] = jnp.concatenate([jnp.zeros(0), *errors])
    return found


def _wide(a: Any) -> Any:
    return a.astype(jnp.float32)


def bins(values: np.ndarray) -> dict[str, Any]:
    """The histogram of all finite values; no bins where there are none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {"low": 0.0, "high": 0.0, "counts": []}
    counts, edges = np.histogram(finite, BINS)
    return {"low": float(edges[0]), "high": float(edges[-1]), "counts": counts.tolist()}

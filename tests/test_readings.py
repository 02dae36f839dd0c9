"""Every reading against its definition, made of the gradients that `vmap(grad)` forms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.core.walk import mixing_layers
from jaxnn.losses.loss import Loss
from jaxnn.readings import (
    Noise,
    SquaredNorms,
    clipped,
    directional,
    gradient,
    gram,
    noise_scale,
    per_example,
    second_moment,
    squared_norms,
    total,
    variance,
    weighted,
)
from jaxnn.sweep.backpropagation import sweep
from jaxnn.sweep.records import Batch, Objective
from tests.cases import CASES, over
from tests.compare import KEY, assert_trees_close, draw, setting

pytestmark = pytest.mark.usefixtures("x64")


class Inner(Loss, name="inner"):
    """l = <outputs, y>: whatever errors are wanted."""

    def __call__(self, outputs, y):
        return (outputs * y).sum(-1), y


def learns(case):
    """Whether readings of single examples exist for the case, and say anything."""
    params = jax.eval_shape(case.layer.init, KEY, case.x())
    return not mixing_layers(case.layer) and bool(jax.tree.leaves(params))


# half the time to compile; what is computed stays the same
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@functools.partial(jax.jit, static_argnames="names", compiler_options=QUICK)
def both(layer, params, x, dy, weights, readings, names):
    """(readings by name of one sweep, gradients of all examples by autodiff) in one program."""

    def alone(n):
        return jax.grad(lambda p: (layer.forward(p, x, KEY)[0][n] * dy[n]).sum())(params)

    loss = Inner(reduction="sum")
    found = sweep(Objective(layer, loss), params, Batch(x, dy, weights, KEY), readings)[1]
    return dict(zip(names, found, strict=True)), jax.vmap(alone)(jnp.arange(len(dy)))


def norm_scales(each, bound, keep):
    """min(1, bound / |g_n|), with norms over the leaves with the same `keep(path)`."""
    squares, groups = {}, {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(each)[0]:
        groups[path] = keep(path)
        own = (leaf.reshape(len(leaf), -1) ** 2).sum(1)
        squares[groups[path]] = squares.get(groups[path], 0) + own
    with np.errstate(divide="ignore"):  # a sequence of length 0 has no gradient: the scale is 1
        return {path: np.minimum(1, bound / np.sqrt(squares[k])) for path, k in groups.items()}.get


def scaled_sum(each, scales):
    """sum_n scales(path)_n g_n."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: np.tensordot(scales(path), leaf, 1), each
    )


def definitions(each, c, s, v, bound):
    """What every reading is, given the gradients of the examples."""
    each_leaf = jax.tree.map
    flat = each_leaf(lambda g: g.reshape(len(g), -1), each)
    whole = np.concatenate(jax.tree.leaves(flat), 1)
    p = c / c.sum()
    mean = each_leaf(lambda g: np.tensordot(p, g, 1), each)
    norms = each_leaf(lambda g: (g**2).sum(1), flat)
    automatic = bound / (np.sqrt(total(norms)) + 0.01)
    large, small = (p @ whole) @ (p @ whole), p @ (whole**2).sum(1)
    trace = (small - large) / (1 - p @ p)
    square = large - trace * (p @ p)
    flat_scales = norm_scales(each, bound, lambda path: ())
    layer_scales = norm_scales(each, bound, lambda path: path[:-1])
    return {
        "gradient": each_leaf(lambda g: np.tensordot(c, g, 1), each),
        "per_example": each,
        "norms": norms,
        "gram_norms": norms,
        "each_norms": norms,
        "second_moment": each_leaf(lambda g: (g**2).sum(0), each),
        "variance": each_leaf(lambda g, m: np.tensordot(p, (g - m) ** 2, 1), each, mean),
        "noise": Noise(trace / square, trace, square),
        "gram": each_leaf(lambda g: g @ g.T, flat),
        "directional": each_leaf(lambda g, v: g @ v.reshape(-1), flat, v),
        "flat": scaled_sum(each, lambda path: c * flat_scales(path)),
        "per_layer": scaled_sum(each, lambda path: c * layer_scales(path)),
        "automatic": scaled_sum(each, lambda path: c * automatic),
        "weighted": scaled_sum(each, lambda path: s),
    }


@over(case for case in CASES if learns(case))
def test_every_reading_is_what_its_definition_says(case):
    x = case.x()
    params, dy = setting(case.layer, x)
    rng = np.random.default_rng(3)
    c, s, v = rng.uniform(0.5, 2, len(dy)), rng.normal(size=len(dy)), draw(params, 4)

    def run(bound):
        readings = {
            "gradient": gradient,
            "per_example": per_example,
            "norms": squared_norms,
            "gram_norms": SquaredNorms("gram"),
            "each_norms": SquaredNorms("each"),
            "second_moment": second_moment,
            "variance": variance,
            "noise": noise_scale,
            "gram": gram,
            "directional": directional(v),
            "flat": clipped(bound),
            "per_layer": clipped(bound, "per_layer"),
            "automatic": clipped(bound, "automatic"),
            "weighted": weighted(s),
        }
        names, values = tuple(readings), tuple(readings.values())
        return jax.tree.map(np.asarray, both(case.layer, params, x, dy, c, values, names))

    bound = float(np.sqrt(total(run(1.0)[0]["norms"])).mean())  # some are clipped, some not
    found, each = run(bound)
    expected = definitions(each, c, s, v, bound)
    assert found.keys() == expected.keys()
    for key in found:
        assert_trees_close(found[key], expected[key], name=f"{key} ")

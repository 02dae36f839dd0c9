"""Every reading and product, inside every combinator, equals its definition by autodiff.

Six representative layers inside each; all pairs of combinators are slow.
"""

import functools

import jax
import jax.numpy as jnp
import pytest

import jaxnn as nn
from jaxnn import Dense, MixedPrecision, Recompute, Repeat, Skip, Tie, serial
from jaxnn.core.walk import every_layer, mixing_layers
from tests.cases import CASES, over
from tests.compare import KEY, assert_trees_close, draw
from tests.private_layers import LSTM
from tests.test_repeat import QUICK

INSIDE = {  # x and y (3, 2, 5)
    "dense": serial(Dense(7), nn.tanh, Dense(5)),
    "norm": nn.LayerNorm(),
    "recurrence": LSTM(5),
    "masked": nn.DropConnect(5, drop_rate=0.4),
    "branches": nn.Parallel((Dense(2), serial(nn.sigmoid, Dense(3))), "concat"),
    "straight": serial(nn.silu, Dense(5, bias=False)),
}
TWICE = {  # of the layer used twice, the paths of what is one
    "dense": ("[0]", "[2]"),
    "norm": ("[0].scale", "[2].scale"),
    "recurrence": ("[0].w_h", "[2].w_h"),
    "masked": ("[0].w", "[2].w"),
    "branches": ("[0][0]", "[2][0]"),
    "straight": ("[0][1]", "[2][1]"),
}


def tied(name, layer):
    """The layer twice, with parameters that are one."""
    return Tie(serial(layer, nn.tanh, layer), TWICE[name])


AROUND = {
    "Repeat": lambda name, layer: Repeat(layer, 2),
    "Recompute": lambda name, layer: Recompute(layer),
    "Tie": tied,
    "MixedPrecision": lambda name, layer: MixedPrecision(layer, "float64"),
    "Skip": lambda name, layer: Skip(layer),
}
NO_PUSH = ("recurrence",)  # a private layer, with neither `push` nor `bend`


def definitions(net, params, x, y, c, v):
    """What the readings and products are, by autodiff of the losses of all examples."""

    def losses(params):
        outputs, _ = net.forward(params, x, KEY)
        return 0.5 * jnp.square(outputs - y).sum(tuple(range(1, y.ndim)))

    each = jax.jacrev(losses)(params)
    flat = [leaf.reshape(len(c), -1) for leaf in jax.tree.leaves(each)]
    weighted = lambda p: jax.tree.map(lambda g: jnp.tensordot(p, g, 1), each)  # noqa: E731
    share = c / c.sum()
    spread = jax.tree.map(lambda g, m: jnp.tensordot(share, (g - m) ** 2, 1), each, weighted(share))
    along = jax.tree.leaves(jax.tree.map(lambda g, t: jnp.tensordot(g, t, t.ndim), each, v))
    scale = jnp.minimum(1, 0.3 / jnp.sqrt(sum((leaf**2).sum(1) for leaf in flat)))
    return {
        "gradient": weighted(c),
        "weighted": weighted(jnp.arange(0.0, len(c))),
        "clipped": weighted(c * scale),
        "per_example": each,
        "squared_norms": sum((leaf**2).sum(1) for leaf in flat),
        "second_moment": jax.tree.map(lambda g: (g**2).sum(0), each),
        "variance": spread,
        "gram": sum(leaf @ leaf.T for leaf in flat),
        "directional": sum(along),
    }


def readings(net, params, x, y, c, v):
    """The same by one sweep; the losses have weights relative to their sum."""
    asked = {
        "gradient": nn.gradient,
        "weighted": nn.readings.weighted(jnp.arange(0.0, len(c))),
        "clipped": nn.clipped(0.3),
        "per_example": nn.per_example,
        "squared_norms": nn.squared_norms,
        "second_moment": nn.readings.second_moment,
        "variance": nn.readings.variance,
        "gram": nn.readings.gram,
        "directional": nn.readings.directional(v),
    }
    loss = nn.half_square.replace(reduction="sum")
    read = tuple(asked.values())
    found = nn.backprop(net, loss, params, x, y, KEY, weights=c, read=read)[1]
    named = dict(zip(asked, found, strict=True))
    return named | {k: nn.total(named[k]) for k in ("squared_norms", "gram", "directional")}


def products(net, params, x, y, c, v):
    """H v and G v, by hand and by autodiff."""

    def outputs(params):
        return net.forward(params, x, KEY)[0]

    def deltas(z):
        return c.reshape(-1, *[1] * (z.ndim - 1)) * (z - y)

    def gradient(params):
        z, back = jax.vjp(outputs, params)
        return back(deltas(z))[0]

    loss = nn.half_square.replace(reduction="sum")
    given = net, loss, params, x, y, v, KEY
    found = [f(*given, weights=c)[1] for f in (nn.curvature.hvp, nn.curvature.gnvp)]
    _, along = jax.jvp(outputs, (params,), (v,))
    gauss_newton = jax.vjp(outputs, params)[1](deltas(along + y))[0]
    return found, [jax.jvp(gradient, (params,), (v,))[1], gauss_newton]


def check(net, with_products, x=None):
    """All of it, in one program."""
    x = draw(jnp.zeros((3, 2, 5)), 1) if x is None else x
    params, v = (draw(jax.eval_shape(net.init, KEY, x), seed) for seed in (3, 4))
    y = draw(jax.eval_shape(net.forward, params, x, KEY)[0], 2)
    c = jnp.array([0.5, 0.0, 2.0, 1.0, 0.3, 0.7, 1.1, 0.9, 1.6, 0.2, 0.4])[: len(y)]

    @functools.partial(jax.jit, compiler_options=QUICK)
    def run(*given):
        both = readings(net, *given), definitions(net, *given)
        return (*both, *(products(net, *given) if with_products else ()))

    found, wanted, *moved = run(params, x, y, c, v)
    for name, one in wanted.items():
        assert_trees_close(found[name], one, rtol=1e-10, name=name)
    if with_products:
        assert_trees_close(*moved, rtol=1e-10)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", INSIDE)
@pytest.mark.parametrize("around", AROUND)
def test_every_reading_inside_a_combinator_is_what_it_says(around, name):
    check(AROUND[around](name, INSIDE[name]), name not in NO_PUSH)


def params_of(case):
    return jax.tree.leaves(jax.eval_shape(case.layer.init, KEY, case.x()))


def apart(case):
    """Whether the examples of a case have gradients, and lie away from kinks and ties."""
    return params_of(case) and not case.plant and not mixing_layers(case.layer)


@pytest.mark.slow
@pytest.mark.usefixtures("x64")
@over(case for case in CASES if apart(case))
@pytest.mark.parametrize("around", [Recompute, lambda layer: MixedPrecision(layer, "float64")])
def test_every_layer_inside_a_combinator_reads_as_it_says(around, case):
    push = type(case.layer).push is not nn.Layer.push
    inner = all(type(layer).push is not nn.Layer.push for _, layer in every_layer(case.layer))
    check(around(case.layer), push and inner, case.x())


@pytest.mark.slow
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", INSIDE)
@pytest.mark.parametrize("inner", AROUND)
@pytest.mark.parametrize("outer", [name for name in AROUND if name != "Tie"])
def test_every_pair_of_combinators_reads_as_it_says(outer, inner, name):
    check(AROUND[outer](name, AROUND[inner](name, INSIDE[name])), name not in NO_PUSH)

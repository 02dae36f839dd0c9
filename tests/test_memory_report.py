"""What a network keeps and needs, from shapes, beside what XLA reserves."""

import jax
import jax.numpy as jnp
import pytest

import jaxnn as nn
from experiments.bench.method import temporary
from jaxnn import Chunked, Dense, Recompute, Repeat, Skip, memory_report, serial
from tests.cases import PUBLIC, over
from tests.compare import KEY

BLOCK = Skip(serial(Dense(1024), nn.gelu, Dense(256)))
NETWORKS = {  # each needs more than 10 MB
    "wide": (serial(Dense(1024), nn.relu, Dense(1024), nn.relu, Dense(10)), (1024, 784)),
    "deep": (serial(Repeat(serial(Dense(128), nn.tanh), 64), Dense(10)), (512, 128)),
    "blocks": (serial(Repeat(BLOCK, 6), Dense(10)), (1024, 256)),
    "blocks, lean": (serial(Repeat(Recompute(BLOCK), 6), Dense(10)), (1024, 256)),
    "many classes": (serial(Dense(128), nn.tanh, Dense(8192)), (1024, 64)),
    "many classes, lean": (serial(Dense(128), nn.tanh, Chunked(Dense(8192), 256)), (1024, 64)),
}


@pytest.mark.parametrize("net", NETWORKS)
def test_it_comes_within_a_quarter_of_what_xla_reserves(net):
    net, shape = NETWORKS[net]
    x, y = jax.ShapeDtypeStruct(shape, jnp.float32), jax.ShapeDtypeStruct(shape[:1], jnp.int32)
    params = jax.eval_shape(net.init, KEY, x)

    def run(params, x, y):
        return nn.backprop(net, nn.softmax_cross_entropy, params, x, y)

    reserved = temporary(jax.jit(run).lower(params, x, y).compile())
    assert reserved > 1e7
    assert memory_report(net, x).whole == pytest.approx(reserved, rel=0.25)


@over(PUBLIC)
def test_residuals_are_exact(case):
    def residuals(x):
        key = jax.random.key(0)
        return case.layer.forward(case.layer.init(key, x), x, key)[1]

    closed = jax.make_jaxpr(residuals)(case.x())
    distinct = {id(v): v.aval for v in closed.jaxpr.outvars}.values()
    kept = sum(v.size * v.dtype.itemsize for v in distinct)
    assert memory_report(case.layer, case.x()).kept == kept


def test_the_choices_are_those_that_save_the_leanest_first():
    report = memory_report(*_given("blocks"))
    [choice] = report.choices
    assert choice.path == "[0]"
    assert choice.layer == repr(Repeat(Recompute(BLOCK), 6))
    assert choice[2:] == memory_report(*_given("blocks, lean"))[1:3]
    report = memory_report(*_given("many classes"))
    assert report.choices[0].layer == "Chunked(Dense(8192), 128)"
    assert report.choices[0].whole < 0.2 * report.whole
    assert "as it is" in str(report)


def _given(name):
    net, shape = NETWORKS[name]
    return net, jax.ShapeDtypeStruct(shape, jnp.float32)

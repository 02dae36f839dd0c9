"""The summary table: shapes, counts, and bytes kept, each array counted once."""

import jax
import jax.numpy as jnp

import jaxnn as nn
from jaxnn import Dense, Dropout, Flatten, Parallel, Pixels, Skip, serial, summary
from tests.cases import PUBLIC, over

NET = serial(
    Pixels(),
    Flatten(),
    Dense(7),
    nn.relu,
    Skip(serial(Dense(7), nn.gelu)),
    Dropout(0.5),
    Parallel((Dense(3), Dense(2)), "concat"),
)
X = jax.ShapeDtypeStruct((11, 2, 3), jnp.uint8)


def test_rows_are_the_innermost_layers_with_the_paths_of_their_parameters():
    rows = summary(NET, X).rows
    assert [row.path for row in rows] == [
        *("[0]", "[1]", "[2]", "[3]", "[4][0]", "[4][1]", "[5]", "[6][0]", "[6][1]")
    ]
    params = jax.eval_shape(NET.init, jax.random.key(0), X)
    for row in rows:
        count = nn.core.count_parameters(eval(f"params{row.path}", {"params": params}))
        assert row.parameters == count
    assert [row.output for row in rows[-2:]] == [(11, 3), (11, 2)]


def test_bytes_kept_are_those_a_jitted_forward_hands_over():
    def residuals(x):
        key = jax.random.key(0)
        return NET.forward(NET.init(key, x), x, key)[1]

    # an array that two layers keep is one array: count the program's distinct outputs
    closed = jax.make_jaxpr(residuals)(jnp.zeros(X.shape, X.dtype))
    distinct = {id(v): v.aval for v in closed.jaxpr.outvars}.values()
    assert summary(NET, X).kept == sum(v.size * v.dtype.itemsize for v in distinct)


def test_the_table_lines_up_and_ends_with_the_totals():
    lines = str(summary(NET, X)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].split() == ["total", "145", "1,265"]
    assert "relu" in lines[4]


@over(PUBLIC)
def test_every_layer_can_be_summarised_with_what_it_keeps(case):
    def residuals(x):
        key = jax.random.key(0)
        return case.layer.forward(case.layer.init(key, x), x, key)[1]

    found = summary(case.layer, case.x())
    closed = jax.make_jaxpr(residuals)(case.x())
    distinct = {id(v): v.aval for v in closed.jaxpr.outvars}.values()
    assert found.kept == sum(v.size * v.dtype.itemsize for v in distinct)

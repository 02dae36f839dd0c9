"""The table of what can be asked of which layer is what asking gives."""

import pathlib

import jaxnn as nn
from experiments.bench import support
from jaxnn.core.walk import every_layer
from tests.public import public


def test_the_readme_shows_the_table_that_the_command_prints():
    shown = pathlib.Path(nn.__file__).with_name("README.md").read_text()
    assert support.text() in shown


def test_every_kind_of_layer_is_asked():
    asked = {type(one) for _, net, _ in support.layers() for _, one in every_layer(net)}
    values = public().values()
    kinds = {type(value) for value in values if isinstance(value, nn.Layer)}
    kinds |= {v for v in values if isinstance(v, type) and issubclass(v, nn.Layer)}
    assert kinds - {nn.Layer} <= asked


class Stubborn(nn.Layer):
    def forward(self, params, x, key=None):
        return x, ()


def test_a_refusal_without_a_reason_of_mathematics_shows_in_full():
    found = support.answer(
        support.QUANTITIES["hvp"],
        nn.serial(nn.Dense(3), Stubborn()),
        support.jax.ShapeDtypeStruct((2, 3), "float32"),
    )
    assert "write Stubborn.push" in found
    assert all("write " not in cell for row in support.table() for cell in row)

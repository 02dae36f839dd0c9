"""What prints pastes back, and everything public says what it is, values included."""

import ast
import inspect
import itertools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import curvature, feedback, initializers, readings, schedules
from jaxnn.core import Outer, everything
from jaxnn.initializers import glorot, he
from tests.cases import PUBLIC
from tests.public import public

NAMES = {**public(), "jnp": jnp, "np": np}
VALUES = {
    name: value
    for name, value in public().items()
    if isinstance(value, nn.core.Static | nn.core.Pytree) and not inspect.isclass(value)
}
MADE = [
    *(case.layer for case in PUBLIC),
    nn.Dense(3, w_init=he.replace(distribution="uniform"), b_init=initializers.constant(0.5)),
    nn.Dense(3, w_init=glorot, b_init=initializers.normal(0.1)),
    feedback.WithBackward(nn.Dense(3), feedback.FeedbackAlignment()),
    nn.softmax_cross_entropy.replace(smoothing=0.1, class_weights=(1.0, 2.0)),
    nn.half_square.replace(reduction="sum"),
    nn.l1(0.1),
    nn.l2(0.1),
    nn.l2(0.0),
    nn.elastic(0.1, 0.2),
    nn.l2(0.1, on=everything),
    nn.SGD(0.1),
    nn.SGD(0.1, momentum=0.9, nesterov=True),
    nn.SGD(schedules.WarmUp(5, schedules.CosineDecay(0.1, steps=100))),
    nn.AdamW(schedules.StepDecay(0.1, 0.5, every=3), weight_decay=0.1),
    nn.Averaged(nn.RMSProp(0.1), decay=0.99),
    nn.chain(nn.clip_by_global_norm(1.0), nn.Adam(0.1), nn.soft_threshold(1e-4)),
    nn.chain(nn.clip_by_value(0.5)),
    nn.KFAC(nn.SGD(0.1), every=3, inverse="factored"),
    nn.clipped(0.1),
    nn.readings.SquaredNorms(form="gram"),
    curvature.kronecker.replace(shared="reduce"),
]


@pytest.mark.parametrize("value", [*VALUES.values(), *MADE], ids=repr)
def test_what_prints_pastes_back(value):
    assert eval(repr(value), dict(NAMES)) == value


@pytest.mark.parametrize("name", VALUES)
def test_a_public_value_prints_as_its_name(name):
    assert repr(VALUES[name]) == name


@pytest.mark.parametrize(
    "value",
    [
        nn.stack([nn.Adam(0.1), nn.Adam(0.2)]),
        nn.stack([nn.chain(nn.SGD(0.1, momentum=0.5)), nn.chain(nn.SGD(0.2, momentum=0.9))]),
        nn.stack([nn.elastic(0.1, 0.2), nn.elastic(0.3, 0.0)]),
        nn.stack([nn.l2(0.1), nn.l2(0.3)]),
        nn.Adam(jnp.asarray(0.1)),
        readings.weighted(jnp.asarray([1.0, -0.1])),
        readings.directional((nn.Affine(jnp.asarray([[1.0, 2.0]]), None),)),
        readings.directional({"w": jnp.arange(3), "b": (jnp.asarray([True]),)}),
    ],
    ids=repr,
)
def test_arrays_inside_paste_back_to_the_last_digit(value):
    pasted = eval(repr(value), dict(NAMES))
    assert jax.tree.structure(pasted) == jax.tree.structure(value)
    for a, b in zip(jax.tree.leaves(pasted), jax.tree.leaves(value), strict=True):
        assert jnp.asarray(a).dtype == jnp.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


def test_arrays_that_are_long_traced_or_gone_are_described():
    assert repr(Outer(jnp.ones((64, 10)), jnp.ones(2))) == (
        "Outer(<float32 (64, 10)>, jnp.array([1., 1.]))"
    )
    seen = []
    jax.jit(lambda o: seen.append(repr(o)))(nn.SGD(0.1))
    assert seen == ["SGD(<float32 ()>)"]
    gone = jnp.ones(3)
    gone.delete()
    assert repr(nn.SGD(gone)) == "SGD(<float32 (3,)>)"
    assert repr(nn.SGD(jnp.asarray(0.5, jnp.bfloat16))) == 'SGD(jnp.array(0.5, "bfloat16"))'


ALIASES = ("Read",)  # an object of `typing`: documented in the source alone
BUILTIN = {inspect.getdoc(kind) for kind in (int, tuple, dict, object, type, str)}


@pytest.mark.parametrize("name", [name for name in public() if name not in ALIASES])
def test_help_says_what_a_public_name_is(name):
    text = inspect.getdoc(public()[name]) or ""
    assert len(text) > 10
    assert text not in BUILTIN
    assert not text.startswith(f"{name}(")  # what a dataclass puts where nothing was written


def documented():
    """The names that a string stands under, as tools that read the source look for them."""
    found = set()
    for path in pathlib.Path(nn.__file__).parent.glob("**/*.py"):
        body = ast.parse(path.read_text()).body
        for node, below in itertools.pairwise(body):
            target = getattr(node, "target", None) or getattr(node, "targets", [None])[0]
            text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if isinstance(target, ast.Name) and text:
                found.add(target.id)
    return found


def test_every_public_value_has_a_docstring_in_the_source():
    assert set(VALUES) <= documented()
    plain = {
        name
        for name, value in public().items()
        if not (inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value))
    }
    assert plain - documented() <= {"influence"}  # a function, jitted

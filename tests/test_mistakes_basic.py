"""The planted mistakes 1 to 58: each is wrong where it says it is, and the right one is right."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import keystr, tree_flatten_with_path

from experiments.bench.mistakes import dropout, losses, mlp, normalisation, regularisation
from tests.compare import norm

# the checker's own tests catch these mistakes; this shows that they are the mistakes they say
pytestmark = pytest.mark.slow

MODULES = (losses, mlp, dropout, normalisation, regularisation)
MODELS = [model for module in MODULES for model in module.MODELS]
TABLE = {
    "cross_entropy_rows": range(1, 3),
    "cross_entropy_mean": range(3, 14),
    "mlp_tanh": range(14, 36),
    "mlp_relu": range(14, 36),
    "dropout": range(36, 40),
    "batch_norm": range(40, 55),
    "layer_norm": range(40, 55),
    "weight_decay": range(55, 59),
}
NAMED = {1, *range(3, 8), 10, 11, *range(13, 19), *range(23, 29), *range(32, 38), 39, 40, 41}
NAMED |= {44, 45, 47, 48, 49, *range(55, 59)}  # the mistakes whose cause can be recognised
CAUSES = {
    *("nan", "zero", "sign", "scale", "transposed", "permuted", "swapped", "decay", "mean"),
    *("feature", "term", "mask", "rows", "entry", "clipped", "precision", "example", "upstream"),
}
SEEDS = range(5)

over_models = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


class Case(NamedTuple):
    """Arguments of a model, a cotangent for its output, and the true gradients by path."""

    args: tuple[Any, ...]
    dy: Any
    true: dict[str, np.ndarray]


def by_path(tree: Any) -> dict[str, np.ndarray]:
    """The leaves as numpy arrays, without those of integers (None, or float0)."""
    leaves = {keystr(path): leaf for path, leaf in tree_flatten_with_path(tree)[0]}
    return {path: np.asarray(g) for path, g in leaves.items() if g.dtype != jax.dtypes.float0}


def arguments(model: Any, seed: int, dtype: Any) -> tuple[Any, ...]:
    """Those drawn from the seed, the floating ones in another dtype."""

    def convert(leaf: Any) -> Any:
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(convert, model.draw(seed))


def case_of(model: Any, seed: int, dy: Any = None) -> Case:
    """A case in float64, judged by autodiff. A cotangent not given is normal, times 1024."""
    args = arguments(model, seed, jnp.float64)
    y, pull = jax.vjp(model.forward, *args)
    if dy is None:
        dy = 1024 * jnp.asarray(np.random.default_rng(seed).normal(size=y.shape), y.dtype)
    return Case(args, dy, by_path(pull(jnp.broadcast_to(dy, y.shape).astype(y.dtype))))


def errors(model: Any, number: int, case: Case) -> dict[str, float]:
    """|error| / |true gradient| of every leaf, NaN and all."""
    grads = by_path(model.plant(number).backward(case.args, case.dy))
    assert grads.keys() == case.true.keys()
    differences = {path: grads[path] - true for path, true in case.true.items()}
    sizes = {path: norm(true) for path, true in case.true.items()}
    return {
        path: norm(d) / sizes[path] if np.isfinite(d).all() else np.inf
        for path, d in differences.items()
    }


def order_of_use(model: Any) -> list[str]:
    """The paths of the floating arguments, in the order in which the forward pass reads them."""
    args = model.draw(0)
    jaxpr = jax.make_jaxpr(model.forward)(*args).jaxpr
    paths = [keystr(path) for path, _ in tree_flatten_with_path(args)[0]]
    path_of = {id(var): path for var, path in zip(jaxpr.invars, paths, strict=True)}
    used = [path_of[id(v)] for e in jaxpr.eqns for v in e.invars if id(v) in path_of]
    return list(dict.fromkeys(used))


def test_every_mistake_is_there_once_in_its_models():
    assert {m.name: [mistake.number for mistake in m.mistakes] for m in MODELS} == {
        name: list(numbers) for name, numbers in TABLE.items()
    }
    assert set().union(*TABLE.values()) == set(range(1, 59))


@over_models
def test_causes_are_given_where_one_can_be_recognised(model):
    for mistake in model.mistakes:
        assert bool(mistake.cause) == (mistake.number in NAMED), mistake
        assert set(mistake.cause.split("|")) - {""} <= CAUSES, mistake
        assert bool(mistake.place) != bool(mistake.equivalent), mistake


@over_models
@pytest.mark.usefixtures("x64")
def test_the_right_backward_agrees_with_autodiff(model):
    for seed in SEEDS:
        assert max(errors(model, 0, case_of(model, seed)).values()) < 1e-12


@over_models
@pytest.mark.usefixtures("x64")
def test_each_mistake_is_wrong_and_last_so_at_its_place(model):
    order = order_of_use(model)
    for case in (case_of(model, seed) for seed in SEEDS):
        for mistake in model.mistakes:
            found = errors(model, mistake.number, case)
            if mistake.equivalent:
                assert max(found.values()) < 1e-12, mistake
                continue
            wrong = [path for path in order if path in found and found[path] > 1e-6]
            assert wrong[-1:] == [mistake.place], (mistake, found)


@pytest.mark.parametrize("number", [1, 13])
@pytest.mark.usefixtures("x64")
def test_what_is_not_linear_in_the_cotangent_hides_where_that_is_one(number):
    (model,) = [m for m in MODELS if number in TABLE[m.name]]
    ones = jnp.ones(jax.eval_shape(model.forward, *model.draw(0)).shape)
    for seed in SEEDS:
        assert max(errors(model, number, case_of(model, seed, ones)).values()) < 1e-12


@over_models
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.usefixtures("x64")
def test_shapes_and_dtypes_are_kept(model, dtype):
    args = arguments(model, 0, dtype)
    y = jax.eval_shape(model.forward, *args)
    assert y.dtype == dtype
    expected = [
        jax.ShapeDtypeStruct(a.shape, a.dtype) if jnp.issubdtype(a.dtype, jnp.floating) else None
        for a in jax.tree.leaves(args)
    ]
    for number in (0, *(mistake.number for mistake in model.mistakes)):
        grads = jax.eval_shape(model.plant(number).backward, args, y)
        assert jax.tree.leaves(grads, is_leaf=lambda g: g is None) == expected, number


@over_models
def test_a_draw_depends_on_its_seed_alone(model):
    first, again, other = (jax.tree.leaves(model.draw(seed)) for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not any((a == b).all() for a, b in zip(first, other, strict=True))


def test_an_unknown_mistake_is_refused():
    with pytest.raises(ValueError, match=r"dropout: expected a mistake out of \[0, 36.*got 3"):
        dropout.MODELS[0].plant(3)


@pytest.mark.parametrize(
    ("name", "number", "known", "axis"),
    [
        ("cross_entropy_mean", 8, "softmax", None),
        ("cross_entropy_mean", 10, "smoothing", None),
        ("batch_norm", 41, "xhat", 0),
        ("layer_norm", 41, "xhat", 1),
    ],
)
@pytest.mark.usefixtures("x64")
def test_a_dropped_term_is_a_multiple_of_what_is_known(name, number, known, axis):
    (model,) = [m for m in MODELS if m.name == name]
    case = case_of(model, 0)
    term = np.asarray(model.known(*case.args)[known])
    error = model.plant(number).backward(case.args, case.dy)[0] - case.true["[0]"]
    factor = (error * term).sum(axis, keepdims=True) / (term * term).sum(axis, keepdims=True)
    assert norm(error - factor * term) < 1e-12 * norm(error)


@pytest.mark.parametrize(
    ("name", "number", "known"),
    [
        ("cross_entropy_mean", 11, "mask"),
        ("batch_norm", 45, "inv_std"),
        ("layer_norm", 45, "inv_std"),
        ("batch_norm", 48, "gamma"),
    ],
)
@pytest.mark.usefixtures("x64")
def test_a_missing_factor_is_known(name, number, known):
    (model,) = [m for m in MODELS if m.name == name]
    case = case_of(model, 0)
    factor = np.asarray(model.known(*case.args)[known])
    wrong = model.plant(number).backward(case.args, case.dy)[0]
    assert norm(factor * wrong - case.true["[0]"]) < 1e-12 * norm(case.true["[0]"])

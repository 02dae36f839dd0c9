"""What can be seen in the source: no autodiff in the library, one contract, sizes, docstrings."""

import ast
import inspect
import pathlib

import pytest

import experiments
import jaxnn
from jaxnn.layers.linear_map import LinearMap
from tests.public import public

FILES = sorted(pathlib.Path(jaxnn.__file__).parent.glob("**/*.py"))
AUTODIFF = {
    *("grad", "value_and_grad", "vjp", "jvp", "jacfwd", "jacrev", "jacobian", "hessian"),
    *("linearize", "linear_transpose", "custom_vjp", "custom_jvp", "custom_gradient"),
    *("checkpoint", "remat", "fwd_and_bwd"),
}
REFERENCES = {"check/reference/autodiff.py", "check/gradients.py"}  # what rules are judged by
APPLICATION = sorted(pathlib.Path(experiments.__file__).parent.glob("**/*.py"))
over_files = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
over_all_files = pytest.mark.parametrize("path", [*FILES, *APPLICATION], ids=lambda path: path.name)


def autodiff_in(source: str) -> set[str]:
    """The names of autodiff that the code uses, as an attribute, a name, or an import."""
    used = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            used |= {part for alias in node.names for part in alias.name.split(".")}
            used |= set((getattr(node, "module", None) or "").split("."))
    return used & AUTODIFF


@over_files
def test_no_autodiff_in_the_library_but_where_a_reference_is_the_point(path):
    allowed = any(path.as_posix().endswith(reference) for reference in REFERENCES)
    assert bool(autodiff_in(path.read_text())) == allowed


@pytest.mark.parametrize(
    "source",
    [
        "import jax\njax.grad(f)",
        "from jax import value_and_grad as v",
        "import jax as j\nj.vjp(f, x)",
        "from jax.experimental.jet import jet\ncheckpoint(f)",
        "import jax.custom_vjp",
        "@jax.custom_jvp\ndef f(x): ...",
    ],
)
def test_the_search_for_autodiff_finds_it(source):
    assert autodiff_in(source)


@over_files
def test_what_jax_does_not_promise_is_known_in_one_file(path):
    private = ("jax.extend", "jax._src", "jax.interpreters", "eqn.params")
    assert any(word in path.read_text() for word in private) == (path.name == "programs.py")


@over_all_files
def test_files_and_functions_are_short(path):
    tree = ast.parse(path.read_text())
    assert len(path.read_text().splitlines()) <= 250
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= 30, f"{path.name}: {node.name} has {lines} lines"


@over_all_files
def test_modules_public_classes_and_functions_are_documented(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path.name}: {node.name}"


def layers():
    found = {v if inspect.isclass(v) else type(v) for v in public().values()}
    return sorted((c for c in found if issubclass(c, jaxnn.Layer)), key=lambda c: c.__name__)


@pytest.mark.parametrize("layer", layers(), ids=lambda c: c.__name__)
def test_every_layer_has_the_signatures_of_the_contract(layer):
    for method in ("init", "forward", "backward", "begin", "resume"):
        ours = inspect.signature(getattr(layer, method)).parameters
        contract = inspect.signature(getattr(jaxnn.Layer, method)).parameters
        assert [(p.name, p.default) for p in ours.values()] == [
            (p.name, p.default) for p in contract.values()
        ]


@pytest.mark.parametrize("layer", [c for c in layers() if c is not jaxnn.Layer], ids=str)
def test_backward_stands_right_below_forward_in_the_same_class(layer):
    written = next(cls for cls in layer.__mro__ if "forward" in vars(cls))  # there, or in its base
    mathematics = ["forward", "backward"]
    if written is LinearMap:  # which has both, made of these
        written, mathematics = layer, ["times", "back", "outer"]
    (definition,) = ast.parse(inspect.getsource(written)).body
    assert isinstance(definition, ast.ClassDef)
    names = [n.name for n in definition.body if isinstance(n, ast.FunctionDef)]
    public = [name for name in names if not name.startswith("_")]
    first = public.index(mathematics[0])
    assert public[first : first + len(mathematics)] == mathematics


def test_the_public_names_are_those_of_the_module():
    assert all(hasattr(jaxnn, name) for name in jaxnn.__all__)

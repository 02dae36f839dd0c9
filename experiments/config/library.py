"""What the library declares: its public classes and values, read off its source.

Importing a layer imports jax, and `show` has to answer before jax could have been imported. So the
heads of the classes are parsed: bases, fields, their annotations, defaults and strings. A test
holds them beside the classes themselves.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jaxnn
from jaxnn.core import ranges

_FOLDER = Path(jaxnn.__file__).parent
_STATEMENTS = re.compile(r"^(?=[^\s)\]}])", re.MULTILINE)
_KEPT = re.compile(r"class |from jaxnn|\w+ = ")
_METHODS = re.compile(r"^    (?:def |@).*", re.MULTILINE | re.DOTALL)
_ENDS = {"Static", "Pytree"}  # no class below these has fields
_ROOMS = ("jaxnn.layers", "jaxnn.losses", "jaxnn.optim")
_WORDS = {"Annotated": Annotated, "Any": Any, "Literal": Literal, **vars(ranges)}


class Field(NamedTuple):
    """A hyperparameter: its annotation and its default are expressions, see `typed`."""

    name: str
    module: str
    annotation: ast.expr
    default: ast.expr | None
    doc: str


class Declared(NamedTuple):
    """A public name: a class, or a value, which is the class called with `given`."""

    name: str
    module: str
    lineage: tuple[str, ...]
    doc: str
    fields: tuple[Field, ...]
    given: ast.Call | None

    def defaults(self) -> dict[str, ast.expr | None]:
        """What each field is where nothing is said: None where something must be."""
        found = {field.name: field.default for field in self.fields}
        return found | (arguments(self.given, self.fields) if self.given else {})


def arguments(call: ast.Call, fields: tuple[Field, ...]) -> dict[str, ast.expr]:
    """The expressions of a call by the names of the fields they are for."""
    named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    return {f.name: value for f, value in zip(fields, call.args, strict=False)} | named


def typed(field: Field, nouns: Mapping[str, Any]) -> Any:
    """The annotation as a type, with these meanings of names; None if it says other things too."""
    try:
        found = _evaluate(field.annotation, field.module, nouns)
    except NameError:
        return None
    return None if found is Any else found


@cache
def public(room: str = "") -> dict[str, Declared]:
    """The public classes and values of a module by name; without one, the layers, losses and
    optimizers that stand at the top."""
    if room:
        return {name: found for name in _listed(room) if (found := declared(room, name))}
    stub = ast.parse((_FOLDER / "__init__.pyi").read_text(encoding="utf-8")).body
    imports = [node for node in stub if isinstance(node, ast.ImportFrom)]
    names = [(str(node.module), alias.name) for node in imports for alias in node.names]
    tops = {name: declared(room, name) for room, name in names if room.startswith(_ROOMS)}
    return {name: found for name, found in tops.items() if found}


@cache
def declared(module: str, name: str) -> Declared | None:
    """The class or value of that name; None for what is neither, such as a function."""
    home, node = _find(module, name)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        cls = declared(home, node.func.id)
        return cls and cls._replace(name=name, module=home, given=node)
    if not isinstance(node, ast.ClassDef):
        return None
    names = [base.id for base in node.bases if isinstance(base, ast.Name)]
    bases = [declared(home, name) for name in names if name not in _ENDS]
    lineage = [node.name, *(name for base in bases if base for name in base.lineage)]
    fields = {field.name: field for base in bases if base for field in base.fields}
    fields |= {field.name: field for field in _fields(node, home)}
    doc = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
    return Declared(name, home, tuple(lineage), doc, tuple(fields.values()), None)


def _fields(node: ast.ClassDef, home: str) -> Iterator[Field]:
    for here, below in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(here, ast.AnnAssign) or not isinstance(here.target, ast.Name):
            continue
        if _called(here.annotation) == "ClassVar":
            continue
        default = here.value
        if isinstance(default, ast.Call) and _called(default) == "static":
            default = arguments(default, ()).get("default")
        doc = below.value if isinstance(below, ast.Expr) else None
        text = str(doc.value) if isinstance(doc, ast.Constant) else ""
        yield Field(here.target.id, home, here.annotation, default, text)


def _called(node: ast.expr | None) -> str:
    """The name in front of the brackets, as in `static(default=1)` and `ClassVar[bool]`."""
    name = node.func if isinstance(node, ast.Call) else getattr(node, "value", None)
    return name.id if isinstance(name, ast.Name) else ""


class _Meanings(dict[str, Any]):
    """Names in an annotation: those given, else what the module calls so."""

    def __init__(self, module: str, nouns: Mapping[str, Any]) -> None:
        super().__init__(nouns)
        self._module = module

    def __missing__(self, name: str) -> Any:
        home, node = _find(self._module, name)
        if not isinstance(node, ast.expr):
            raise KeyError(name)
        return _evaluate(node, home, self)


def _evaluate(node: ast.expr, module: str, nouns: Mapping[str, Any]) -> Any:
    code = compile(ast.Expression(node), module, "eval")
    return eval(code, _WORDS, _Meanings(module, nouns))


def _find(module: str, name: str) -> tuple[str, Any]:
    """The module that defines a name, and its class or expression there."""
    found = _definitions(module).get(name)
    return _find(*found) if isinstance(found, tuple) else (module, found)


@cache
def _definitions(module: str) -> dict[str, Any]:
    """The classes and values of a module, and where those it imports come from."""
    found: dict[str, Any] = {}
    for node in ast.parse(_heads(module)).body:
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name: (str(node.module), alias.name) for alias in node.names}
        elif isinstance(node, ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found |= {name.id: node.value for name in node.targets if isinstance(name, ast.Name)}
    return found


def _heads(module: str) -> str:
    """The source without methods and functions, which are most of it."""
    path = _FOLDER.parent.joinpath(*module.split("."))
    stub = path / "__init__.pyi"  # of a room, which imports nothing before it is asked
    file = stub if stub.exists() else path.with_suffix(".py")
    text = re.sub(r'\A""".*?"""', "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    statements = [part for part in _STATEMENTS.split(text) if _KEPT.match(part)]
    return "".join(
        _METHODS.sub("", part) + ("\n    ...\n" if part.startswith("class ") else "")
        for part in statements
    )


def _listed(module: str) -> list[str]:
    found = _definitions(module)
    if "__all__" in found:
        return ast.literal_eval(found["__all__"])
    return [name for name, node in found.items() if isinstance(node, tuple)]

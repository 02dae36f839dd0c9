"""Places in a tree of parameters or readings, by the paths that errors and `summary` print.

    "[0].w"    the field w of the record at index 0;    "[2]"    all that is there

A note that watching left among readings is passed through: a path means the same with and without.
"""

import re
from typing import Any

from jax.tree_util import keystr, tree_leaves_with_path

from jaxnn.core.types import Tree
from jaxnn.core.watch import Noted

_KEY = re.compile(r"\[(\d+)\]|\['([^']+)'\]|\.([A-Za-z_]\w*)")


def value_at(tree: Tree, path: str) -> Any:
    """What is at that path. Raises ValueError where nothing is, saying what there is."""
    node = tree
    for key in _keys(path):
        try:
            node = _child(node, key)
        except (AttributeError, IndexError, KeyError, TypeError):
            raise _nowhere(tree, path) from None
    return _bare(node)


def with_value(tree: Tree, path: str, value: Any) -> Tree:
    """The tree with another value at that path, which must be there."""
    value_at(tree, path)
    return _put(tree, _keys(path), value)


def leaf_paths(tree: Tree) -> list[str]:
    """The paths of all arrays in a tree."""
    return [keystr(path) for path, _ in tree_leaves_with_path(tree)]


def _keys(path: str) -> list[int | str]:
    if _KEY.sub("", path):
        raise ValueError(f"expected a path such as '[0].w', got {path!r}")
    return [int(i) if i else name or field for i, name, field in _KEY.findall(path)]


def _bare(node: Any) -> Any:
    return node.readings if isinstance(node, Noted) else node


def _child(node: Any, key: int | str) -> Any:
    node = _bare(node)
    if isinstance(key, int) or isinstance(node, dict):
        return node[key]
    return getattr(node, key)


def _put(node: Any, keys: list[int | str], value: Any) -> Any:
    if isinstance(node, Noted):
        return node.replace(readings=_put(node.readings, keys, value))
    if not keys:
        return value
    key, *rest = keys
    new = _put(_child(node, key), rest, value)
    if isinstance(node, dict):
        return node | {key: new}
    if isinstance(key, int):
        return (*node[:key], new, *node[key + 1 :])
    return node._replace(**{key: new})


def _nowhere(tree: Tree, path: str) -> ValueError:
    found = ", ".join(leaf_paths(tree)) or "none"
    return ValueError(f"expected the path of a parameter, got {path!r}; there are: {found}")

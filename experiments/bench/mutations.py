"""Small mistakes that could stand in a program: the mutants of a source, one change in each.

Swapped are `+ -`, `* /`, `< <=`, `> >=`, `== !=`, `and or`, True and False, 0 and 1. A `not` and a
keyword argument are dropped, another integer grows by one, another float doubles. Annotations,
decorators, f-strings (most are messages) and docstrings stay as they are.
"""

import ast
from collections.abc import Iterator
from itertools import takewhile
from typing import Any, NamedTuple

_PAIRS = (
    *((ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.And, ast.Or)),
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq)),
)
SWAPS: dict[type, type] = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}
LEFT_ALONE = ("annotation", "returns", "decorator_list")
CONTEXT = 24  # characters that are shown on either side of a change


class Mutant(NamedTuple):
    """One change: the source with it, the line where the changed expression begins, and both texts,
    cut to what stands near the change."""

    line: int
    was: str
    now: str
    source: str

    def __str__(self) -> str:
        return f"{self.line}: {self.was}  ->  {self.now}"


def mutants(source: str) -> list[Mutant]:
    """All mutants of a source, in the order of its syntax tree."""
    text = source.encode()  # the columns of a syntax tree count bytes
    starts = [0]
    for line in text.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    found = []
    for node in _nodes(ast.parse(source)):
        for other in _variants(node):
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            before, after = text[:start].decode(), text[end:].decode()
            head, tail = before.rpartition("\n")[2].lstrip(), after.partition("\n")[0]
            shown = (head + ast.unparse(each) + tail for each in (node, other))
            now = before + ast.unparse(other) + after
            found.append(Mutant(node.lineno, *_near_the_change(*shown), now))
    return found


def _nodes(node: ast.AST) -> Iterator[Any]:
    if isinstance(node, ast.JoinedStr):
        return
    yield node
    for field, value in ast.iter_fields(node):
        if field not in LEFT_ALONE:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _nodes(child)


def _variants(node: ast.AST) -> Iterator[ast.AST]:
    """The node with one change. Each binds at least as tightly as the node, so that it can stand in
    the same place without brackets."""
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in SWAPS:
            yield _with(node, op=SWAPS[type(op)]())
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                if type(op) in SWAPS:
                    yield _with(node, ops=[*ops[:i], SWAPS[type(op)](), *ops[i + 1 :]])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Constant(value=bool() | int() | float() as value):
            yield ast.Constant(_another(value))
        case ast.Call(keywords=keywords):
            for dropped in keywords:
                if dropped.arg:
                    yield _with(node, keywords=[k for k in keywords if k is not dropped])


def _with(node: ast.AST, **changes: Any) -> ast.AST:
    return type(node)(**{**dict(ast.iter_fields(node)), **changes})


def _another(value: bool | int | float) -> bool | int | float:
    if isinstance(value, bool):
        return not value
    if value in (0, 1):
        return type(value)(1 - value)
    return value + 1 if isinstance(value, int) else 2 * value


def _near_the_change(was: str, now: str) -> tuple[str, str]:
    was, now = (" ".join(text.split()) for text in (was, now))
    same = _common(was, now)
    ends = _common(was[same:][::-1], now[same:][::-1])
    start, rest = max(same - CONTEXT, 0), max(ends - CONTEXT, 0)
    return was[start : len(was) - rest].strip(), now[start : len(now) - rest].strip()


def _common(a: str, b: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))

"""Pieces of HTML. Whatever comes from a user, a file or a run goes through `text`."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.report.style import STYLE

# Beside having nothing to load and nothing to run, a page forbids both.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Section(NamedTuple):
    """A part of a page under a heading; `name` is its anchor, `body` HTML."""

    name: str
    title: str
    body: str


def text(value: Any) -> str:
    """The value as text that no browser takes for markup, in attributes either."""
    return html.escape(str(value))


def page(title: str, head: str, sections: Sequence[Section]) -> str:
    """A whole document: `head` on top, links to the sections, the sections."""
    links = "".join(f'<a href="#{s.name}">{text(s.title)}</a>' for s in sections)
    body = "".join(
        f'<section id="{s.name}"><h2>{text(s.title)}</h2>\n{s.body}</section>\n' for s in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{text(title)}</h1>\n{head}"
        f'<nav aria-label="Sections">{links}</nav>\n</header>\n'
        f"<main>\n{body}</main>\n</body>\n</html>\n"
    )


def paragraph(words: Any, kind: str = "") -> str:
    """A paragraph of plain text, of a class of the style sheet if one is named."""
    return f'<p class="{kind}">{text(words)}</p>\n' if kind else f"<p>{text(words)}</p>\n"


def figure(caption: str, body: str, remark: str = "", kind: str = "") -> str:
    """A figure with its caption on top; `body` is HTML."""
    small = f" <small>{text(remark)}</small>" if remark else ""
    mark = f' class="{kind}"' if kind else ""
    return f"<figure{mark}><figcaption>{text(caption)}{small}</figcaption>{body}</figure>\n"


def figures(each: Iterable[str], kind: str = "figures") -> str:
    """Figures side by side, as many as the window has room for; "" for none.

    `kind` names classes of the style sheet: "figures wide" for larger ones, "tiles" for small ones.
    """
    whole = "".join(each)
    return f'<div class="{kind}">\n{whole}</div>\n' if whole else ""


def pairs(values: Mapping[str, Any]) -> str:
    """Keys and their values, in as many columns as the window has room for."""
    rows = "".join(
        f"<div><dt>{text(key)}</dt><dd><code>{text(value)}</code></dd></div>\n"
        for key, value in values.items()
    )
    return f"<dl>\n{rows}</dl>\n"


def folded(words: str, body: str) -> str:
    """HTML that shows only when the reader asks for it."""
    return f"<details><summary>{text(words)}</summary>\n{body}</details>\n"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Any]],
    kind: str = "",
    colours: Sequence[str] = (),
) -> str:
    """A table whose first column names the rows, with a patch of colour if there are `colours`.
    Columns of numbers stand to the right."""
    rows = [list(map(str, row)) for row in rows]
    right = [j > 0 and all(_is_number(row[j]) for row in rows) for j in range(len(head))]
    number = [' class="number"' if r else "" for r in right]
    top = "".join(
        f'<th scope="col"{mark}>{text(word)}</th>' for word, mark in zip(head, number, strict=True)
    )
    patches = [f'<span class="swatch" style="background: {colour}"></span>' for colour in colours]
    body = "".join(
        f'<tr><th scope="row">{patch}{text(first)}</th>'
        + "".join(f"<td{m}>{text(v)}</td>" for v, m in zip(rest, number[1:], strict=True))
        + "</tr>\n"
        for (first, *rest), patch in zip(rows, patches or [""] * len(rows), strict=True)
    )
    mark = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll"><table{mark}>\n<thead><tr>{top}</tr></thead>\n'
        f"<tbody>\n{body}</tbody>\n</table></div>\n"
    )


def _is_number(word: str) -> bool:
    try:
        float(word.rstrip("%").replace(",", "") or 0)
    except ValueError:
        return False
    return True

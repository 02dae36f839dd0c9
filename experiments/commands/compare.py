"""`compare RUN RUN ...`: what differs between runs, and how well each did."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.common.failures import ConfigError
from experiments.common.parser import Parser


def main(words: list[str]) -> int:
    """Print the table, write the page, and return 0."""
    about = """Print a row for each run, the best first: the keys that differ, epochs, results. The
same table goes into an HTML page, with the curves overlaid. A folder of runs, such as a sweep's,
stands for those in it. An older page of the same name is written anew."""
    parser = Parser("compare", "RUN RUN ... [--out FILE.html]", about)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    out = "where the page goes (beside the runs)"
    parser.add_argument("--out", type=Path, metavar="FILE.html", help=out)
    own = parser.parse_args(words)
    if own.out is not None and own.out.suffix != ".html":
        raise ConfigError(f"--out: expected a file that ends in .html (got '{own.out}')")
    from experiments.common.runs import write_whole
    from experiments.report.compare_page import compare_page
    from experiments.report.comparison import comparison, default_path, open_runs

    runs = open_runs(own.runs)
    found = comparison(runs)
    _print(found.head, found.rows)
    print(*found.remarks, sep="\n", end="\n" if found.remarks else "")
    path = own.out or default_path(own.runs, runs)
    write_whole(path, compare_page(found).encode())
    print(path)
    return 0


def _print(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The table; one of more than a dozen columns turned, so that it has a row for each of them."""
    from rich.console import Console
    from rich.table import Table

    lines = [head, *rows]
    if len(head) > 12:
        lines = list(zip(*lines, strict=True))
    shown = Table(box=None)
    for title in lines[0]:
        shown.add_column(title, overflow="fold")
    for line in lines[1:]:
        shown.add_row(*line)
    Console(width=None if sys.stdout.isatty() else 200).print(shown)

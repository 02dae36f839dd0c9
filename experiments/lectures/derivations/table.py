"""The two tables: every equation with its verdict, and the conventions that differ."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.lectures.derivations.conventions import CONVENTIONS
from experiments.lectures.derivations.equation import Equation, Source
from experiments.lectures.derivations.judge import TOLERANCE, Verdict, judge
from experiments.lectures.derivations.sources import SOURCES

WIDTH = 120
STYLES = {"holds": "green", "wrong": "bold red"}


def show() -> str:
    """Print the tables, 120 columns wide, in colour on a terminal only, and return their text."""
    console = Console(width=WIDTH, highlight=False, record=True)
    verdicts: list[Verdict] = []
    for source in SOURCES:
        judged = [(equation, judge(equation)) for equation in source.equations]
        console.print(section(source, judged))
        verdicts += [verdict for _, verdict in judged]
    rows, hold = len(verdicts), sum(verdict.holds for verdict in verdicts)
    console.print(
        f"{rows} rows: {hold} hold, {rows - hold} are wrong. Errors are relative, "
        f"in float64; below {TOLERANCE:g} a claim holds.\n"
    )
    console.print(conventions_table())
    return console.export_text()


def section(source: Source, judged: list[tuple[Equation, Verdict]]) -> Table:
    """The rows of one source under its title."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), width=WIDTH)
    table.title = Text(f"\n{source.name}: {source.title}", style="bold")
    table.title_justify = "left"
    table.add_column("equation", width=14, overflow="fold")
    table.add_column("claim", width=36)
    table.add_column("verdict", width=7)
    table.add_column("by how much", width=17)
    table.add_column(Text("what is wrong -> right form [error]"), ratio=1)
    for equation, verdict in judged:
        table.add_row(Text(equation.number), Text(equation.claim), *cells(equation, verdict))
    return table


def cells(equation: Equation, verdict: Verdict) -> tuple[Text, Text, Text]:
    """The last three cells of a row. Only what the judge found wrong is explained."""
    word = "holds" if verdict.holds else "wrong"
    remark = "" if verdict.holds else f"{equation.wrong} -> {equation.form}"
    if verdict.right is not None:
        remark += f" [{verdict.right:.0e}]" if verdict.right else " [0]"
    return Text(word, style=STYLES[word]), Text(amount(verdict)), Text(remark)


def amount(verdict: Verdict) -> str:
    """How far an equation is off, in numbers or in shapes."""
    if verdict.error is not None:
        return f"{verdict.error:.1e}" if verdict.error else "0"
    text = f"shapes do not fit: {verdict.misfit}"
    if verdict.equal is None:
        return text
    if verdict.equal < TOLERANCE:
        return f"{text}; holds in equal layers"
    return f"{text}; {verdict.equal:.1e} in equal layers"


def conventions_table() -> Table:
    """A row for each matter in which the notes differ."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), width=WIDTH)
    table.add_column("convention", width=20)
    table.add_column("the notes say", ratio=1)
    table.add_column("the field", width=40)
    for convention in CONVENTIONS:
        table.add_row(*map(Text, (convention.matter, "\n".join(convention.said), convention.usual)))
    return table

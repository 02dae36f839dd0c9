"""The error of every hidden layer in deep networks of sigmoids, beside the recorded norms.

Chapter 5 of Nielsen's book: the earlier the layer, the smaller its error, by a factor of four or
five from layer to layer. The errors of all layers come out of one backward sweep, read with
`jaxnn.core.factors`. The seeds behind the recorded numbers are unknown, so they are set against ten
networks drawn anew, and ought to lie among these.
"""

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from experiments.common.plots import save
from experiments.lectures.recorded.files import recorded_errors, recorded_norms
from experiments.lectures.recorded.norms import deviations, mean_errors
from experiments.lectures.recorded.plot import draw_norms

DEPTHS = (2, 3, 4)
SEEDS = 10


def table(recorded: dict[int, np.ndarray], drawn: dict[int, np.ndarray]) -> Table:
    """A row for each hidden layer: its norm before the first and the last step, how far it is from
    the drawn networks in their standard deviations (root mean square over all steps), and at how
    many steps it lies between the smallest and the largest of theirs."""
    shown = Table(box=None)
    for title in ("layer", "first norm", "drawn", "last norm", "drawn", "deviation", "between"):
        shown.add_column(title, no_wrap=True)
    for hidden, norms in recorded.items():
        off = np.sqrt((deviations(drawn[hidden], norms) ** 2).mean(0))
        between = (drawn[hidden].min(0) <= norms) & (norms <= drawn[hidden].max(0))
        for layer in range(hidden):
            cells = [
                cell
                for step in (0, -1)
                for cell in (f"{norms[step, layer]:.2g}", _range(drawn[hidden][:, step, layer]))
            ]
            share = f"{between[:, layer].mean():.0%}"
            shown.add_row(f"{layer + 1} of {hidden}", *cells, f"{off[layer]:.2f}", share)
    return shown


def first_six(recorded: np.ndarray, drawn: np.ndarray) -> str:
    """The size of the errors (2, 6) recorded before training, beside drawn (seeds, 2, 6)."""
    ours, theirs = (np.sqrt((errors**2).mean(-1)) for errors in (drawn, recorded))
    return "\n".join(
        f"first six neurons of layer {layer + 1} of 2, root mean square before training: "
        f"{theirs[layer]:.2g} (drawn {_range(ours[:, layer])})"
        for layer in range(2)
    )


def _range(values: np.ndarray) -> str:
    return f"{values.min():.2g} to {values.max():.2g}"


def run(folder: Path) -> None:
    """Print the table and write deep_gradients.png into the folder."""
    console = Console(width=100)
    recorded = {hidden: recorded_norms(hidden) for hidden in DEPTHS}
    errors = {
        hidden: mean_errors(hidden, SEEDS, len(recorded[hidden]))
        for hidden in track(DEPTHS, "networks", console=console)
    }
    drawn = {hidden: np.linalg.norm(found, axis=-1) for hidden, found in errors.items()}
    console.print(table(recorded, drawn))
    console.print(first_six(recorded_errors(), errors[2][:, 0, :, :6]), highlight=False)
    save(draw_norms(recorded, drawn), folder / "deep_gradients.png")

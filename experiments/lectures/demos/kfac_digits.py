"""K-FAC against gradient descent with momentum on digits: loss by epochs, and by seconds.

Two networks of the same widths. Of relu, descent does well by itself. Of sigmoids, three deep, it
stays for long where all classes are guessed alike; the natural gradient hardly knows that plateau,
because it makes up for how the inputs and errors of a layer are scaled. Its steps cost several
plain ones. Each method has the best of three learning rates, by its last loss; seconds leave out
compilation, and depend on what else the machine is doing.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import jaxnn as nn
from experiments.common.plots import COLOURS, panels, save
from experiments.data import load

LOSS, BATCH, EPOCHS, RATES = nn.softmax_cross_entropy, 64, 20, (0.03, 0.1, 0.3)
PLAIN, NATURAL = "momentum", "K-FAC"
METHODS: dict[str, Callable[[float], Any]] = {
    PLAIN: lambda rate: nn.SGD(rate, momentum=0.9),
    NATURAL: lambda rate: nn.KFAC(nn.SGD(rate), damping=0.01, every=5, inverse="factored"),
}


class Descent(NamedTuple):
    """The training loss before the first epoch and after each, and the seconds until then."""

    rate: float
    losses: np.ndarray
    seconds: np.ndarray


def network(activation: nn.Layer) -> nn.Layer:
    """8 x 8 pixels to ten classes, through hidden layers of 64, 32 and 32."""
    hidden = [layer for n in (64, 32, 32) for layer in (nn.Dense(n), activation)]
    return nn.serial(nn.Pixels(16.0), nn.Flatten(), *hidden, nn.Dense(10))


def descend(net: nn.Layer, method: str, rate: float, x: Any, y: Any) -> Descent:
    """Train with one method at one rate, always from the same start and in the same order."""
    optimizer = METHODS[method](rate)

    def first() -> Any:
        return nn.start(net, optimizer, jax.random.key(0), x)

    def epoch(state: Any, number: int) -> Any:
        order = np.random.default_rng(number).permutation(len(x) // BATCH * BATCH)
        state, _ = nn.train_epoch(net, LOSS, optimizer, state, x, y, order, batch_size=BATCH)
        return jax.block_until_ready(state)

    epoch(first(), 0)  # compiles
    state, losses, seconds = first(), [], [0.0]
    losses.append(float(nn.evaluate(net, LOSS, state.params, x, y)["loss"]))
    for number in range(EPOCHS):
        start = time.perf_counter()
        state = epoch(state, number)
        seconds.append(time.perf_counter() - start)
        losses.append(float(nn.evaluate(net, LOSS, state.params, x, y)["loss"]))
    return Descent(rate, np.array(losses), np.cumsum(seconds))


def best(found: list[Descent]) -> Descent:
    """The descent with the smallest last loss."""
    return min(found, key=lambda descent: np.nan_to_num(descent.losses[-1], nan=np.inf))


def table(found: dict[tuple[str, str], Descent]) -> Table:
    """A row for each network and method."""
    shown = Table(
        "hidden units", "method", "rate", "loss after 1 epoch", "5", str(EPOCHS), box=None
    )
    shown.add_column("seconds an epoch")
    for (kind, method), descent in found.items():
        losses = [f"{descent.losses[i]:.4f}" for i in (1, 5, EPOCHS)]
        each = f"{descent.seconds[-1] / EPOCHS:.3f}"
        shown.add_row(kind, method, f"{descent.rate:g}", *losses, each)
    return shown


def run(folder: Path) -> None:
    """Print a row for each network and method and write kfac_digits.png into the folder."""
    console, data = Console(width=100), load("digits")
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    tried = [(kind, method) for kind in (nn.relu, nn.sigmoid) for method in METHODS]
    found = {
        (repr(kind), method): best([descend(network(kind), method, r, x, y) for r in RATES])
        for kind, method in track(tried, "networks", console=console)
    }
    console.print(table(found))

    figure, axes = panels(2)
    colours, styles = dict(zip(METHODS, COLOURS, strict=False)), {"relu": "--", "sigmoid": "-"}
    for (kind, method), descent in found.items():
        line, colour, label = styles[kind], colours[method], f"{method}, {kind}"
        axes[0].plot(descent.losses, line, color=colour, label=label)
        axes[1].plot(descent.seconds[1:], descent.losses[1:], line, color=colour)
    axes[0].set(xlabel="epochs", ylabel="training loss", yscale="log", title="By passes")
    axes[1].set(xlabel="seconds", xscale="log", yscale="log", title="By time")
    axes[0].legend(frameon=False, fontsize="small")  # the same lines in both panels
    save(figure, folder / "kfac_digits.png")

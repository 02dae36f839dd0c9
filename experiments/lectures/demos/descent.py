"""Gradient descent three ways on wine: the full batch, mini-batches, single examples.

An epoch is one pass over the training set, whatever the batch; an iteration is one update. Descent
on the full batch makes one iteration in an epoch, single examples as many as there are. The order
is drawn anew for every epoch.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

import jaxnn as nn
from experiments.common.plots import COLOURS, panels, save
from experiments.data import Dataset, load

NET = nn.serial(nn.Dense(8), nn.tanh, nn.Dense(3))
EPOCHS, RATE = 20, 0.05


def descend(data: Dataset, batch_size: int) -> list[float]:
    """The training loss before the first epoch and after each, from the same start."""
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    loss, optimizer = nn.softmax_cross_entropy, nn.SGD(RATE)
    state = nn.start(NET, optimizer, jax.random.key(0), x)
    losses = [float(nn.evaluate(NET, loss, state.params, x, y)["loss"])]
    for epoch in range(EPOCHS):
        order = np.random.default_rng(epoch).permutation(len(x))
        state, _ = nn.train_epoch(NET, loss, optimizer, state, x, y, order, batch_size=batch_size)
        losses.append(float(nn.evaluate(NET, loss, state.params, x, y)["loss"]))
    return losses


def run(folder: Path) -> None:
    """Print a row for each way and write descent.png into the folder."""
    data = load("wine")
    n = len(data.x)
    ways = {"full batch": n, "mini-batches of 16": 16, "single examples": 1}
    curves = {name: descend(data, size) for name, size in ways.items()}
    shown = Table(
        "gradient of", "iterations an epoch", "loss after 1 epoch", f"after {EPOCHS}", box=None
    )
    for name, size in ways.items():
        losses = curves[name]
        shown.add_row(name, str(-(-n // size)), f"{losses[1]:.4f}", f"{losses[-1]:.4f}")
    Console(width=100).print(shown)

    figure, axes = panels(2, share_axes=False)
    for (name, losses), colour in zip(curves.items(), COLOURS, strict=False):
        iterations = np.arange(EPOCHS + 1) * -(-n // ways[name])
        axes[0].plot(losses, color=colour, label=name)
        axes[1].plot(iterations[1:], losses[1:], color=colour, marker=".", label=name)
    axes[0].set(xlabel="epochs", ylabel="training loss", yscale="log", title="By passes")
    axes[1].set(xlabel="iterations", yscale="log", xscale="log", title="By updates")
    axes[1].legend(frameon=False)  # the same colours in both panels
    save(figure, folder / "descent.png")

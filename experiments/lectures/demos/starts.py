"""Many starting points: one small network on iris from 64 initialisations, trained all at once.

Exploration is trying several starting points, exploitation going down from one of them. The 64
networks are one program, `jax.vmap` over the keys they are drawn from; the one with the least
training loss is kept, and the spread shows how much the start decides. With four units and large
weights at first, some starts are left far behind.
"""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

import jaxnn as nn
from experiments.common.plots import COLOURS, legend_below, panels, save
from experiments.data import Dataset, load

NET = nn.serial(
    nn.Dense(4, w_init=nn.initializers.normal(2.0)),
    nn.sigmoid,
    nn.Dense(3, w_init=nn.initializers.normal(2.0)),
)
LOSS = nn.softmax_cross_entropy
OPTIMIZER = nn.SGD(0.5)
STARTS, EPOCHS, BATCH = 64, 60, 20


class Explored(NamedTuple):
    """losses (epochs, starts) on the training part after each epoch, final params stacked, and the
    test accuracy (starts,) of each."""

    losses: np.ndarray
    params: Any
    accuracy: np.ndarray


def explore(data: Dataset, seed: int = 0) -> Explored:
    """Train from STARTS initialisations on the same mini-batches."""
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    keys = jax.random.split(jax.random.key(seed), STARTS)
    states = jax.jit(jax.vmap(lambda key: nn.start(NET, OPTIMIZER, key, x)))(keys)

    @jax.jit
    def epoch(states: Any, order: Any) -> Any:
        def one(state: Any) -> Any:
            state, _ = nn.train_epoch(NET, LOSS, OPTIMIZER, state, x, y, order, batch_size=BATCH)
            return state, nn.evaluate(NET, LOSS, state.params, x, y)["loss"]

        return jax.vmap(one)(states)

    losses = []
    for number in range(EPOCHS):
        states, loss = epoch(states, np.random.default_rng([seed, number]).permutation(len(x)))
        losses.append(np.asarray(loss))
    outputs = jax.vmap(lambda params: nn.predict(NET, params, data.x_test))(states.params)
    hits = np.asarray(outputs.argmax(-1)) == data.y_test
    return Explored(np.stack(losses), states.params, hits.mean(-1))


def table(found: Explored) -> Table:
    """Best, median and worst start by training loss, with the spread over all."""
    shown = Table("start", "training loss", "test accuracy", box=None)
    last = found.losses[-1]
    order = np.argsort(last)
    for name, i in (("best, kept", order[0]), ("median", order[STARTS // 2]), ("worst", order[-1])):
        shown.add_row(name, f"{last[i]:.4f}", f"{found.accuracy[i]:.1%}")
    shown.add_row("spread (std)", f"{last.std():.4f}", f"{found.accuracy.std():.1%}")
    return shown


def run(folder: Path) -> None:
    """Print the table, write starts.png and the parameters of the best start into the folder."""
    found = explore(load("iris"))
    best = int(found.losses[-1].argmin())
    Console(width=100).print(table(found))
    nn.save(folder / "parameters.safetensors", jax.tree.map(lambda leaf: leaf[best], found.params))
    figure, (axes,) = panels(1)
    epochs = np.arange(1, EPOCHS + 1)
    axes.plot(epochs, found.losses, color="0.75", linewidth=0.6)
    axes.plot([], [], color="0.75", label=f"{STARTS} starts")
    axes.plot(epochs, found.losses[:, best], color=COLOURS[1], linewidth=2, label="best, kept")
    axes.set(xlabel="epoch", ylabel="training loss", yscale="log", title="One network, many starts")
    legend_below(axes)
    save(figure, folder / "starts.png")

"""Clipped and noisy gradients on MNIST, in the manner of DP-SGD, beside plain descent.

No privacy accounting is done here: no epsilon is computed or promised. For that the mini-batches
would have to be drawn at random with an unknown size, and the privacy lost be added up over all
steps. What is shown is the mechanism, and what it costs in accuracy. Every example's gradient is
scaled down to the norm `bound`, and to the sum over a mini-batch comes Gaussian noise:

    g = (sum_n min(1, bound / |g_n|) g_n + noise bound z) / N,   z standard normal

The sum and the norms come from one backward sweep. Source: Abadi et al. 2016, algorithm 1.
"""

from functools import partial
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

LOSS = nn.softmax_cross_entropy
WARNING = "No privacy accounting is done here: these numbers promise no privacy."


class Trained(NamedTuple):
    """norms (epochs, n) of the gradients when their examples were used, empty for plain descent,
    the test accuracy after each epoch, and the last parameters."""

    norms: np.ndarray
    accuracy: list[float]
    params: Any


def network(data: Dataset) -> nn.Layer:
    """Pixels to classes, through 64 hidden units."""
    top = float(data.pixel_max or 1)
    hidden = (nn.Dense(64), nn.relu)
    return nn.serial(nn.Pixels(top), nn.Flatten(), *hidden, nn.Dense(len(data.classes)))


def noisy(key: Any, grads: Any, deviation: Any) -> Any:
    """The tree with independent normal noise of that standard deviation added to every number."""
    leaves, structure = jax.tree.flatten(grads)
    keys = jax.random.split(key, len(leaves))
    added = [
        g + deviation * jax.random.normal(k, g.shape, g.dtype)
        for k, g in zip(keys, leaves, strict=True)
    ]
    return structure.unflatten(added)


@partial(jax.jit, static_argnames="batch_size", donate_argnames="state")
def private_epoch(
    net: nn.Layer,
    optimizer: Any,
    state: nn.State,
    x: Any,
    y: Any,
    order: Any,
    key: Any,
    bound: Any,
    noise: Any,
    batch_size: int,
) -> tuple[nn.State, Any]:
    """One pass over whole mini-batches of the rows `order`: the state, and the norms (steps, N)."""

    def step(state: nn.State, batch: Any) -> tuple[nn.State, Any]:
        rows, key = batch
        read = (nn.clipped(bound), nn.squared_norms)
        _, (grads, squares) = nn.backprop(net, LOSS, state.params, x[rows], y[rows], read=read)
        grads = noisy(key, grads, noise * bound / batch_size)  # the mean is taken already
        updates, kept = optimizer.update(grads, state.optimizer, state.params)
        params = nn.optim.apply_updates(state.params, updates)
        return state._replace(params=params, optimizer=kept), jnp.sqrt(nn.total(squares))

    steps = len(order) // batch_size
    rows = order[: steps * batch_size].reshape(steps, batch_size)
    return jax.lax.scan(step, state, (rows, jax.random.split(key, steps)))


def train(
    data: Dataset,
    *,
    bound: float | None,
    noise: float = 1.0,
    epochs: int = 8,
    batch_size: int = 500,
    rate: float = 0.5,
) -> Trained:
    """Train with gradients clipped at `bound`, to which noise is added; None is plain descent."""
    x, y, net, optimizer = jnp.asarray(data.x), jnp.asarray(data.y), network(data), nn.SGD(rate)
    state, key = nn.start(net, optimizer, jax.random.key(0), x), jax.random.key(1)
    norms, accuracy = [], []
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(len(x) // batch_size * batch_size)
        if bound is None:
            state, _ = nn.train_epoch(
                net, LOSS, optimizer, state, x, y, order, batch_size=batch_size
            )
        else:
            state, found = private_epoch(
                net, optimizer, state, x, y, order, jax.random.fold_in(key, epoch), bound, noise,
                batch_size=batch_size,
            )  # fmt: skip
            norms.append(np.ravel(found))
        outputs = nn.predict(net, state.params, data.x_test)
        accuracy.append(float(nn.accuracy(outputs, jnp.asarray(data.y_test)).mean()))
    return Trained(np.array(norms), accuracy, state.params)


def table(plain: Trained, clipped: Trained, bound: float) -> Table:
    """A row an epoch: the test accuracy of both, the share of gradients longer than the bound, and
    their median norm."""
    shown = Table("epoch", "plain: test accuracy", "clipped and noisy", box=None)
    shown.add_column("share clipped")
    shown.add_column("median norm")
    rows = zip(plain.accuracy, clipped.accuracy, clipped.norms, strict=True)
    for epoch, (one, other, norms) in enumerate(rows, 1):
        share, median = (norms > bound).mean(), np.median(norms)
        shown.add_row(str(epoch), f"{one:.1%}", f"{other:.1%}", f"{share:.1%}", f"{median:.2f}")
    return shown


def draw(clipped: Trained, bound: float) -> Any:
    """Histograms of the norms in the first and the last epoch, with the bound."""
    figure, axes = panels(2, share_axes=True)
    low, high = 1e-4, clipped.norms.max()
    bins = np.geomspace(low, high, 60)
    last = len(clipped.norms)
    for panel, epoch in zip(axes, (1, last), strict=True):
        norms = clipped.norms[epoch - 1].clip(low)  # the smallest of all are in the first bin
        title = f"Epoch {epoch}: {(norms > bound).mean():.0%} clipped"
        panel.hist(norms, bins, color=COLOURS[0], label="gradients of single images")
        panel.axvline(bound, color=COLOURS[1], linestyle="--", label=f"bound {bound:g}")
        panel.set(xscale="log", xlabel="norm", title=title)
        legend_below(panel)
    axes[0].set_ylabel("training images")
    return figure


def run(folder: Path, data: Dataset | None = None, bound: float = 2.0, **settings: Any) -> None:
    """Print a row an epoch and write clipping.png into the folder; `settings` are for `train`."""
    console, data = Console(width=100), data or load("mnist")
    plain, clipped = (train(data, bound=b, **settings) for b in (None, bound))
    console.print(table(plain, clipped, bound))
    console.print(WARNING)
    save(draw(clipped, bound), folder / "clipping.png")

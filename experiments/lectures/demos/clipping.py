"""Clipped and noisy gradients on MNIST, in the manner of DP-SGD, beside plain descent.

No privacy accounting is done here: no epsilon is computed or promised. For that the mini-batches
would have to be drawn at random with an unknown size, and the privacy lost be added up over all
steps. What is shown is the mechanism, and what it costs in accuracy. Every example's gradient is
scaled down to the norm `bound`, and to the sum over a mini-batch comes Gaussian noise:

    g = (sum_n min(1, bound / |g_n|) g_n + noise bound z) / N,   z standard normal

The sum and the norms come from one backward sweep. Source: Abadi et al. 2016, algorithm 1.
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


class Recorded(nn.core.Pytree):
    """An optimizer that clips, and the norms (steps, N) of all examples of the steps so far."""

    optimizer: Any
    steps: int = nn.core.static()
    size: int = nn.core.static()

    def read(self, state: Any) -> Any:
        return (*self.optimizer.read(state and state[0]).readings, nn.squared_norms)

    def init(self, params: Any) -> Any:
        return self.optimizer.init(params), jnp.zeros((self.steps, self.size)), 0

    def update(self, found: Any, state: Any, params: Any) -> Any:
        (*clipped, squares), (kept, norms, step) = found, state
        updates, kept = self.optimizer.update(tuple(clipped), kept, params)
        norms = norms.at[step].set(jnp.sqrt(nn.total(squares)))
        return updates, (kept, norms, step + 1)


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
    steps = len(x) // batch_size
    if bound is not None:
        private = nn.chain(nn.clip_examples(bound, noise), optimizer)
        optimizer = Recorded(private, epochs * steps, batch_size)
    state, accuracy = nn.start(net, optimizer, jax.random.key(0), x), []
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(steps * batch_size)
        state, _ = nn.train_epoch(net, LOSS, optimizer, state, x, y, order, batch_size=batch_size)
        outputs = nn.predict(net, state.params, data.x_test)
        accuracy.append(float(nn.accuracy(outputs, jnp.asarray(data.y_test)).mean()))
    norms = () if bound is None else np.reshape(state.optimizer[1], (epochs, -1))
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

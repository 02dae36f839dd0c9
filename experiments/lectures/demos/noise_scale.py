"""The gradient noise scale over training on digits: the batch size worth its price grows.

    scale = trace of the covariance of g_n / |mean g_n|^2

Batches far below it average too little, batches far above it buy little more. It is small at first,
when all examples pull the same way, and grows as the loss falls. It is estimated twice: from the
mini-batches of the training itself, and from all training images after each epoch. Trace and square
are averaged over a span of epochs before they are divided. Late in training both are rough: square
is then a small difference of large numbers in a mini-batch, and changes much from step to step.
Source: McCandlish et al. 2018, eq. 2.9 and appendix A.
"""

from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

import jaxnn as nn
from experiments.common.plots import COLOURS, panels, save
from experiments.data import load

HIDDEN = [layer for n in (128, 64) for layer in (nn.Dense(n, w_init=nn.initializers.he), nn.relu)]
NET = nn.serial(nn.Pixels(16.0), nn.Flatten(), *HIDDEN, nn.Dense(10))
LOSS, BATCH = nn.softmax_cross_entropy, 32
OPTIMIZER = nn.chain(nn.track_noise_scale(decay=1.0), nn.SGD(0.1))


class Measured(NamedTuple):
    """For each epoch (epochs,): the mean loss and the estimates from its mini-batches, averaged,
    and the estimates from all training images at its end."""

    loss: np.ndarray
    batches: nn.readings.Noise
    whole: nn.readings.Noise


def epoch(state: nn.State, x: Any, y: Any, order: Any) -> tuple[nn.State, Any]:
    """One pass over the rows `order`: the state, the mean loss, and the noise of its mini-batches,
    whose traces and squares are averaged before they are divided."""
    noise = OPTIMIZER.transforms[0].init(state.params)
    state = state._replace(optimizer=(noise, *state.optimizer[1:]))
    state, loss = nn.train_epoch(NET, LOSS, OPTIMIZER, state, x, y, order, batch_size=BATCH)
    steps, trace, square = (float(value) for value in state.optimizer[0])
    return state, (loss, nn.readings.Noise(trace / square, trace / steps, square / steps))


def pooled(noise: Any) -> nn.readings.Noise:
    """Estimates averaged over the first axis: the scale is the ratio of the averages."""
    trace, square = noise.trace.mean(), noise.square.mean()
    return nn.readings.Noise(trace / square, trace, square)


def measure(x: Any, y: Any, epochs: int = 40) -> Measured:
    """Train for so many epochs, and measure the noise on the way."""
    x, y = jnp.asarray(x), jnp.asarray(y)
    state, found = nn.start(NET, OPTIMIZER, jax.random.key(0), x), []
    for number in range(epochs):
        order = np.random.default_rng(number).permutation(len(x) // BATCH * BATCH)
        state, (loss, batches) = epoch(state, x, y, order)
        _, whole = nn.backprop(NET, LOSS, state.params, x, y, read=nn.readings.noise_scale)
        found.append(Measured(loss, batches, whole))
    return jax.tree.map(lambda *values: np.array(values), *found)


def spans(measured: Measured, length: int) -> list[Measured]:
    """The same for each span of so many epochs, every value a number."""
    starts = range(0, len(measured.loss), length)
    parts = [jax.tree.map(itemgetter(slice(i, i + length)), measured) for i in starts]
    return [Measured(p.loss.mean(), pooled(p.batches), pooled(p.whole)) for p in parts]


def table(found: list[Measured], length: int) -> Table:
    """A row for each span."""
    shown = Table("epochs", "loss", "trace", "square", "noise scale", "by all images", box=None)
    for i, (loss, noise, whole) in enumerate(found):
        shown.add_row(
            f"{i * length + 1} to {(i + 1) * length}", f"{loss:.4f}", f"{noise.trace:.3g}",
            f"{noise.square:.3g}", f"{noise.scale:.0f}", f"{whole.scale:.0f}",
        )  # fmt: skip
    return shown


def run(folder: Path, epochs: int = 40, length: int = 5) -> None:
    """Print a row for each `length` epochs and write noise_scale.png into the folder."""
    data = load("digits")
    measured = measure(data.x, data.y, epochs)
    found = spans(measured, length)
    Console(width=100).print(table(found, length))

    figure, (left, right) = panels(2)
    numbers = np.arange(1, epochs + 1)
    middles = numbers.reshape(-1, length).mean(1)
    left.plot(numbers, measured.loss, color=COLOURS[0])
    left.set(xlabel="epoch", ylabel="training loss", yscale="log", title="Loss")
    right.plot(numbers, measured.whole.scale, ".", color="0.6", label="all images, after an epoch")
    label = f"mini-batches, over {length} epochs"
    right.plot(middles, [one.batches.scale for one in found], color=COLOURS[1], label=label)
    right.axhline(BATCH, color="black", linestyle=":", label=f"the batch size, {BATCH}")
    right.set(xlabel="epoch", ylabel="images", yscale="log", title="Noise scale")
    right.legend(frameon=False, fontsize="small")
    save(figure, folder / "noise_scale.png")

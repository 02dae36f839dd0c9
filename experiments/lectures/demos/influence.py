"""Influence of training images on one test image of the digits: which taught it, which misled.

To first order, a step at rate eta on a mini-batch of N that holds image n lowers the loss of the
test image by eta/N <g_n, g_test>. Over training that adds up to

    influence of n = sum over checkpoints of  (epochs between them) eta/N <g_n, g_test>

with the gradients at the checkpoint, whose parameters stand for those of the epochs until the next.
Positive helped, negative harmed. The products come from the factors of two sweeps, and no gradient
of an image is formed. Shown is the test image with the largest loss after training.
Source: Pruthi et al. 2020, section 3.
"""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

import jaxnn as nn
from experiments.common.plots import save
from experiments.data import Dataset, load

NET = nn.serial(
    nn.Pixels(16.0), nn.Flatten(), nn.Dense(64, w_init=nn.initializers.he), nn.relu, nn.Dense(10)
)  # fmt: skip
LOSS = nn.softmax_cross_entropy


class Traced(NamedTuple):
    """influence (n_train,) on the test image `index`, its loss before and after training, and what
    it is taken for."""

    influence: np.ndarray
    index: int
    losses: tuple[float, float]
    guess: int


def checkpoints(
    x: Any, y: Any, *, rate: float, batch_size: int, epochs: int, every: int
) -> list[Any]:
    """The parameters before training, after each `every` epochs, and last."""
    optimizer = nn.SGD(rate)
    state, kept = nn.start(NET, optimizer, jax.random.key(0), x), []
    for epoch in range(epochs):
        if epoch % every == 0:
            kept.append(jax.tree.map(jnp.array, state.params))  # the state is donated
        order = np.random.default_rng(epoch).permutation(len(x))
        state, _ = nn.train_epoch(NET, LOSS, optimizer, state, x, y, order, batch_size=batch_size)
    return [*kept, state.params]


def trace(
    data: Dataset, rate: float = 0.1, batch_size: int = 32, epochs: int = 20, every: int = 4
) -> Traced:
    """Train, and sum the influence over the checkpoints but the last, after which no step comes."""
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    *kept, last = checkpoints(x, y, rate=rate, batch_size=batch_size, epochs=epochs, every=every)
    x_test, y_test = jnp.asarray(data.x_test), jnp.asarray(data.y_test)
    outputs = [nn.predict(NET, params, x_test) for params in (kept[0], last)]
    losses = [LOSS(values, y_test)[0] for values in outputs]
    i = int(losses[1].argmax())

    def products(params: Any) -> Any:
        train, test = (
            nn.backprop(NET, LOSS, params, *part, read=nn.factors)[1]
            for part in ((x, y), (x_test[i : i + 1], y_test[i : i + 1]))
        )
        return nn.readings.influence(train, test)[:, 0]

    summed = np.sum([products(params) for params in kept], axis=0)
    before, after = (float(values[i]) for values in losses)
    guess = int(outputs[1][i].argmax())
    return Traced(every * rate / batch_size * summed, i, (before, after), guess)


def extremes(traced: Traced, number: int) -> dict[str, np.ndarray]:
    """The rows of so many training images at either end, the strongest first."""
    order = traced.influence.argsort()
    return {"helped": order[::-1][:number], "harmed": order[:number]}


def table(traced: Traced, data: Dataset, number: int) -> Table:
    """A row for each end: label and influence of its images."""
    shown = Table("", *(f"{i}." for i in range(1, number + 1)), box=None)
    for name, rows in extremes(traced, number).items():
        shown.add_row(name, *(f"a {data.y[n]}: {traced.influence[n]:+.2f}" for n in rows))
    return shown


def draw(traced: Traced, data: Dataset, number: int) -> Any:
    """The test image on the left, the training images in two rows beside it."""
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(2.6 + 1.3 * number, 3.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(2.6, 1.3 * number))
    label, panel = data.y_test[traced.index], left.subplots()
    panel.imshow(data.x_test[traced.index], cmap="gray_r")
    panel.set_title(f"Test image: a {label},\ntaken for a {traced.guess}")
    rows = right.subfigures(2, 1)
    for part, (name, images) in zip(rows, extremes(traced, number).items(), strict=True):
        part.suptitle(f"Training images that {name} most, with their influence", fontsize="medium")
        for image, n in zip(part.subplots(1, number), images, strict=True):
            image.imshow(data.x[n], cmap="gray_r")
            image.set_title(f"a {data.y[n]}: {traced.influence[n]:+.2f}", fontsize="small")
    for axes in figure.axes:
        axes.set(xticks=[], yticks=[])
    return figure


def run(folder: Path, number: int = 6, **settings: Any) -> None:
    """Print the strongest and write influence.png into the folder; `settings` are for `trace`."""
    data, console = load("digits"), Console(width=100)
    traced = trace(data, **settings)
    before, after = traced.losses
    console.print(
        f"test image {traced.index}, a {data.y_test[traced.index]}, is taken for a {traced.guess}: "
        f"its loss went from {before:.2f} to {after:.2f}", highlight=False,
    )  # fmt: skip
    console.print(table(traced, data, number))
    save(draw(traced, data, number), folder / "influence.png")

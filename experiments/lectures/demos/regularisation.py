"""One network on few digits, plain and with each way the notes give to keep it from overfitting.

The network 64-128-64-10 learns 200 of the digits by heart; the table shows the loss and accuracy on
the digits it has not seen, and how many weights are exactly zero. The l1 subgradient leaves none at
zero, the proximal step of the same penalty many (momentum makes the rate 1/(1 - momentum) larger,
and so the threshold).
"""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

import jaxnn as nn
from experiments.common.plots import COLOURS, panels, save
from experiments.data import Dataset, load

FEW, EPOCHS, BATCH, RATE, MOMENTUM = 200, 100, 20, 0.1, 0.5


class Variant(NamedTuple):
    """What is put behind each hidden layer, the penalty, and what follows the optimizer."""

    behind: tuple[nn.Layer, ...] = ()
    penalty: Any = None
    then: tuple[Any, ...] = ()


VARIANTS = {
    "plain": Variant(),
    "l2": Variant(penalty=nn.l2(0.01)),
    "l1": Variant(penalty=nn.l1(0.001)),
    "l1, proximal": Variant(then=(nn.soft_threshold(RATE / (1 - MOMENTUM) * 0.001),)),
    "l1 and l2": Variant(penalty=nn.elastic(0.0005, 0.005)),
    "dropout": Variant((nn.Dropout(0.3),)),
    "dropout, mask of the batch": Variant((nn.Dropout(0.3, per="batch", draw="exact"),)),
    "dropout, classic": Variant((nn.Dropout(0.3, rescale="inference"),)),
    "batch-norm of the output": Variant((nn.BatchNorm(),)),
}


def network(behind: tuple[nn.Layer, ...]) -> nn.Layer:
    """64-128-64-10 with `behind` after each hidden activation, and nothing on the output."""
    hidden = [layer for n in (128, 64) for layer in (nn.Dense(n), nn.relu, *behind)]
    return nn.serial(nn.Pixels(16.0), nn.Flatten(), *hidden, nn.Dense(10))


def networks() -> dict[str, tuple[nn.Layer, Variant]]:
    """Every variant with its network: those of VARIANTS, and two whose layers differ."""
    found = {name: (network(variant.behind), variant) for name, variant in VARIANTS.items()}
    masked = [layer for n in (128, 64) for layer in (nn.DropConnect(n, drop_rate=0.3), nn.relu)]
    before = [layer for n in (128, 64) for layer in (nn.Dense(n), nn.BatchNorm(), nn.relu)]
    front = (nn.Pixels(16.0), nn.Flatten())
    found["weights dropped"] = (nn.serial(*front, *masked, nn.Dense(10)), Variant())
    found["batch-norm before relu"] = (nn.serial(*front, *before, nn.Dense(10)), Variant())
    return found


class Trained(NamedTuple):
    """Test losses after each epoch, last scores on both parts, and the share of zero weights."""

    test_losses: list[float]
    train: dict[str, Any]
    test: dict[str, Any]
    zeros: float


def train(net: nn.Layer, variant: Variant, data: Dataset) -> Trained:
    """Train on the first FEW training images, look at the test part after each epoch."""
    x, y = jnp.asarray(data.x[:FEW]), jnp.asarray(data.y[:FEW])
    loss, key = nn.softmax_cross_entropy, jax.random.key(0)
    optimizer = nn.chain(nn.SGD(RATE, momentum=MOMENTUM), *variant.then)
    state, losses = nn.start(net, optimizer, key, x), []
    train_scores = test_scores = {}
    for epoch in range(EPOCHS):
        order = np.random.default_rng(epoch).permutation(FEW)
        state, _ = nn.train_epoch(
            net, loss, optimizer, state, x, y, order, jax.random.fold_in(key, epoch),
            batch_size=BATCH, options=nn.Options(penalty=variant.penalty, statistics_momentum=0.9),
        )  # fmt: skip
        still, params = nn.freeze(net, state.params, state.statistics)
        train_scores, test_scores = (
            nn.evaluate(still, loss, params, *part, metrics=(nn.accuracy,))
            for part in ((x, y), (data.x_test, data.y_test))
        )
        losses.append(float(test_scores["loss"]))
    weights = [p.w for p in state.params if isinstance(p, nn.Affine)]
    zeros = sum(int((w == 0).sum()) for w in weights) / sum(w.size for w in weights)
    return Trained(losses, train_scores, test_scores, zeros)


def run(folder: Path) -> None:
    """Print a row for each variant and write regularisation.png into the folder."""
    data = load("digits")
    found = {name: train(net, variant, data) for name, (net, variant) in networks().items()}
    columns = ("train loss", "train accuracy", "test loss", "test accuracy", "weights at 0")
    shown = Table("variant", *columns, box=None)
    for name, result in found.items():
        cells = [
            cell
            for part in (result.train, result.test)
            for cell in (f"{part['loss']:.4f}", f"{part['accuracy']:.1%}")
        ]
        shown.add_row(name, *cells, f"{result.zeros:.1%}")
    Console(width=110).print(shown)

    figure, axes = panels(2, share_axes=True)
    groups = (
        ("Penalties", ("plain", "l2", "l1", "l1, proximal")),
        ("Layers", ("plain", "dropout", "weights dropped", "batch-norm before relu")),
    )
    for panel, (title, names) in zip(axes, groups, strict=True):
        for name, colour in zip(names, ("black", *COLOURS), strict=False):
            panel.plot(range(1, EPOCHS + 1), found[name].test_losses, color=colour, label=name)
        panel.set(xlabel="epoch", ylabel="test loss", yscale="log", title=title)
        panel.legend(frameon=False)
    save(figure, folder / "regularisation.png")

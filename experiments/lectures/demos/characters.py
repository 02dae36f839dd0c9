"""Text as numbers: the Zen of Python, letter by letter, as one-hot rows and as embeddings.

A network guesses each letter from the three before it. One-hot rows times a matrix and an embedding
with the same rows are the same function with the same gradient, which the table shows; the
embedding only leaves out the multiplications by zero.
"""

import codecs
import contextlib
import importlib
import io
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

import jaxnn as nn
from experiments.common.plots import COLOURS, panels, save

BEFORE, WIDTH, EPOCHS = 3, 8, 60
LOSS, OPTIMIZER = nn.softmax_cross_entropy, nn.Adam(0.01)


def zen() -> str:
    """The Zen of Python (T. Peters 2004), which every Python carries, in small letters."""
    with contextlib.redirect_stdout(io.StringIO()):  # the module prints it when first imported
        return codecs.decode(importlib.import_module("this").s, "rot13").lower()


def examples(text: str) -> tuple[np.ndarray, np.ndarray, str]:
    """(x (n, BEFORE), y (n,), alphabet): numbers of letters, and the letter that follows."""
    alphabet = "".join(sorted(set(text)))
    ids = np.array([alphabet.index(letter) for letter in text])
    x = np.stack([ids[i : len(ids) - BEFORE + i] for i in range(BEFORE)], axis=1)
    return x, ids[BEFORE:], alphabet


def networks(letters: int) -> dict[str, nn.Layer]:
    """The same network with each kind of input."""
    behind = (nn.Flatten(), nn.Dense(32), nn.tanh, nn.Dense(letters))
    return {
        "one-hot times a matrix": nn.serial(
            nn.OneHot(letters), nn.Dense(WIDTH, bias=False), *behind
        ),
        "embedding": nn.serial(nn.Embedding(letters, WIDTH), nn.linear, *behind),
    }


def train(net: nn.Layer, rows: np.ndarray, x: jax.Array, y: jax.Array) -> list[float]:
    """The mean loss of every epoch, from a first matrix of `rows`."""
    params = list(net.init(jax.random.key(0), x))
    place = 1 if params[0] == () else 0
    table = jnp.asarray(rows)
    params[place] = nn.Affine(table, None) if place else nn.core.Table(table)
    state, losses = nn.State(tuple(params), OPTIMIZER.init(tuple(params))), []
    for epoch in range(EPOCHS):
        order = np.random.default_rng(epoch).permutation(len(x))
        state, mean = nn.train_epoch(net, LOSS, OPTIMIZER, state, x, y, order, batch_size=32)
        losses.append(float(mean))
    return losses


def run(folder: Path) -> None:
    """Print a row for each kind of input and write characters.png into the folder."""
    x, y, alphabet = examples(zen())
    x, y = jnp.asarray(x), jnp.asarray(y)
    rows = np.random.default_rng(0).normal(size=(len(alphabet), WIDTH)).astype(np.float32)
    curves = {name: train(net, rows, x, y) for name, net in networks(len(alphabet)).items()}
    shown = Table("input", "loss, first epoch", "last epoch", "letters a guess is among", box=None)
    for name, losses in curves.items():
        shown.add_row(name, f"{losses[0]:.4f}", f"{losses[-1]:.4f}", f"{np.exp(losses[-1]):.1f}")
    Console(width=100).print(shown)

    figure, (axes,) = panels(1)
    for (name, losses), colour, style in zip(curves.items(), COLOURS, ("-", "--"), strict=False):
        axes.plot(range(1, EPOCHS + 1), losses, style, color=colour, label=name)
    axes.set(xlabel="epoch", ylabel="training loss", title="The next letter from three")
    axes.legend(frameon=False)
    save(figure, folder / "characters.png")

"""XOR, which no single threshold unit computes: by two layers set by hand, and by two learned ones.

The gates are units with weights 1 or -1. XOR is the AND of OR and NAND. The same shape of network
with `sigmoid` in place of `step` learns it by backpropagation: with four hidden units from all the
starts of keys 0 to 19, with two from 13 of them; from the others it ends where XOR is not solved.
"""

import itertools
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

import jaxnn as nn
from experiments.common.plots import draw_regions, legend_below, panels, save, scatter_classes
from jaxnn.perceptron import and_gate, negated, or_gate, threshold_network, xor_network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = np.array(list(itertools.product((0, 1), repeat=2)), np.float32)
TARGETS = np.array([[0], [1], [1], [0]], np.float32)
SQUARE = (-0.5, 1.5)
STEPS = 1000

Network = tuple[nn.Layer, Any]


def gates() -> dict[str, Network]:
    """Every gate of two inputs, by name; XOR is the one with two layers."""
    return {
        "AND": threshold_network(and_gate(2)),
        "OR": threshold_network(or_gate(2)),
        "NAND": threshold_network(negated(and_gate(2))),
        "XOR": xor_network(),
    }


def learn() -> Network:
    """A 2-4-1 network of sigmoids; its last one is in the loss, and its output a logit."""
    net = nn.serial(nn.Dense(4), nn.sigmoid, nn.Dense(1))
    optimizer = nn.Adam(0.03)
    state = nn.start(net, optimizer, jax.random.key(0), INPUTS)
    order = np.tile(np.arange(4), STEPS)  # each step sees all four points
    state, _ = nn.train_epoch(
        net, nn.sigmoid_cross_entropy, optimizer, state, INPUTS, TARGETS, order, batch_size=4
    )
    return net, state.params


def output(network: Network, x: np.ndarray) -> np.ndarray:
    """The single output for each point, (n,)."""
    net, params = network
    return np.asarray(nn.predict(net, params, x))[:, 0]


def truth_table(networks: dict[str, Network], learned: Network) -> Table:
    """A row for each pair of inputs: what the gates give, and the probability learned for XOR."""
    shown = Table("inputs", "NOT first", *networks, "XOR learned", box=None)
    columns = [output(threshold_network(negated(or_gate(1))), INPUTS[:, :1])]
    columns += [output(network, INPUTS) for network in networks.values()]
    probabilities = np.asarray(jax.nn.sigmoid(output(learned, INPUTS)))
    for i, (a, b) in enumerate(INPUTS):
        bits = [f"{column[i]:.0f}" for column in columns]
        shown.add_row(f"{a:.0f} {b:.0f}", *bits, f"{probabilities[i]:.4f}")
    return shown


def is_one(network: Network, level: float, x: np.ndarray) -> np.ndarray:
    """1 where the output is above the level, else 0; (n,)."""
    return (output(network, x) > level).astype(int)


def draw(learned: Network) -> "Figure":
    """Where the network set by hand, and where the learned one, puts out 0 and 1."""
    figure, axes = panels(2)
    titles = "by hand: AND of OR and NAND", "learned: 2-4-1 sigmoids"
    sides = partial(is_one, xor_network(), 0.5), partial(is_one, learned, 0.0)
    for panel, title, classify in zip(axes, titles, sides, strict=True):
        draw_regions(panel, *SQUARE, classify)
        scatter_classes(panel, INPUTS, TARGETS[:, 0], ("0", "1"))
        panel.set(title=title, xlabel="first input", ylabel="second input")
        legend_below(panel)
    return figure


def run(folder: Path) -> None:
    """Print the truth tables and write xor.png into the folder."""
    learned = learn()
    console = Console(width=100)
    console.print(truth_table(gates(), learned))
    console.print(f"by hand: {xor_network()[0]}")
    console.print(f"learned: {learned[0]}, in {STEPS} steps")
    save(draw(learned), folder / "xor.png")

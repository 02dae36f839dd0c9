"""Which cells can train together: those whose programs differ in nothing but numbers."""

import dataclasses
from collections import Counter
from collections.abc import Hashable, Sequence

import jax

from experiments.config import SGD, ConstantRate, Train
from experiments.sweeping.grid import Cell
from experiments.training import build


def groups(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The cells in groups, each to be trained as one program; in the order of their first cells.

    The cells of a group have the same network, loss, data set, number of epochs and mini-batches,
    and optimizers of the same structure. Where a seed has several cells, they go by themselves:
    they share their examples and the order of them, so that the first products of all networks
    are one product. Seeds with a single cell each go together.
    """
    alike: dict[Hashable, list[Cell]] = {}
    for cell in cells:
        alike.setdefault(program(cell), []).append(cell)
    found: dict[Hashable, list[Cell]] = {}
    for kind, members in alike.items():
        count = Counter(cell.experiment.seed for cell in members)
        for cell in members:
            seed = cell.experiment.seed
            found.setdefault((kind, seed if count[seed] > 1 else None), []).append(cell)
    return sorted(found.values(), key=lambda group: group[0].name)


def program(cell: Cell) -> Hashable:
    """What has to be equal. The numbers of optimizer and schedule are leaves of their structure."""
    experiment, train = cell.experiment, cell.experiment.train
    structure = jax.tree.structure(build.optimizer(train, 1))
    return experiment.model, experiment.data, _without_numbers(train), structure


def _without_numbers(train: Train) -> Train:
    """Without what is a number to the program, or acts between epochs."""
    return dataclasses.replace(
        train,
        lr=1.0,
        optimizer=SGD(),
        schedule=ConstantRate(),
        l1=0.0,
        l2=0.0,
        clip_norm=None,
        clip_value=None,
        clip_examples=None,
        noise=0.0,
        average=None,
        monitor="loss",
        patience=None,
        warm_start=None,
    )

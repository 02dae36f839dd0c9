"""Several networks trained by one program: states, optimizers and penalties with a leading axis.

Each becomes what its run by itself makes of it, up to rounding. A training at a large rate makes
much of rounding: there a rate changed in its seventh digit leads as far away.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.config import Experiment
from experiments.sweeping.grid import Cell
from experiments.training import build
from experiments.training.loop import one_epoch, order, run_key, start
from experiments.training.task import Part, Task
from experiments.training.warm_start import warmed
from jaxnn.fast import draws

WIDEST = 2**30  # bytes that the networks of one program, and examples of their own, may take


class Member(NamedTuple):
    """A cell with its task, and the description of its examples."""

    cell: Cell
    task: Task
    description: dict[str, Any]

    @property
    def data(self) -> str:
        """The fingerprint of the examples."""
        return self.description["fingerprint"]


def first_states(members: Sequence[Member]) -> nn.State:
    """What each run would start from, stacked; on the host."""
    found: dict[Any, nn.State] = {}  # what the optimizers keep starts alike, whatever their numbers
    keys = [(m.cell.experiment.seed, m.cell.experiment.train.warm_start) for m in members]
    for key, (cell, task, _) in zip(keys, members, strict=True):
        if key not in found:
            found[key] = warmed(key[1], start(cell.experiment, task))
    states = [jax.device_get(found[key]) for key in keys]
    return jax.tree.map(lambda *leaves: holder(leaves[0]).stack(leaves), *states)


def holder(leaf: Any) -> Any:
    """NumPy for an array on the host; JAX for a random key, which NumPy cannot hold."""
    return jnp if isinstance(leaf, jax.Array) else np


def width(member: Member, own: bool) -> int:
    """How many cells like this one may train at once; `own` if each has examples of its own."""
    like = jax.eval_shape(lambda: start(member.cell.experiment, member.task))
    # the state, the next one, the best one, and a copy to be written; gradients as well
    size = 5 * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(like))
    if own:
        size += member.task.train.x.nbytes + member.task.train.y.nbytes
    return max(1, WIDEST // size)


class Together(NamedTuple):
    """One epoch of every member at once, on the examples of all of them, each data set once.

    `first` says where among them the data set of each member begins.
    """

    members: Sequence[Member]
    part: Part
    first: Sequence[int]

    @property
    def examples(self) -> int:
        """How many examples each member sees in an epoch."""
        task, train = self.members[0].task, self.members[0].cell.experiment.train
        return min(train.sample or len(task.train.x), len(task.train.x))

    def epoch(self, states: nn.State, number: int, rates: Sequence[float]) -> tuple[nn.State, Any]:
        """Epoch `number`, with each learning rate times its rate: (states, objectives)."""
        states = jax.tree.map(jnp.array, states)  # copies, for they will be donated
        if len(self.members) == 1:
            return self._alone(states, number, rates[0])
        experiments = [member.cell.experiment for member in self.members]
        task, train = self.members[0].task, experiments[0].train
        n = len(task.train.x)
        pairs = zip(experiments, rates, strict=True)
        optimizers = [build.optimizer(e.train, n, rate) for e, rate in pairs]
        return nn.train_epoch_together(
            task.net,
            task.loss,
            nn.stack(optimizers),
            states,
            *self.part[:2],
            self._orders(number, n),
            nn.stack([draws.fold_in(run_key(experiment), number) for experiment in experiments]),
            batch_size=train.batch_size,
            options=nn.Options(
                weights=self.part.weights,
                penalty=_penalties(experiments),
                micro_batches=train.micro_batches,
            ),
        )

    def _alone(self, states: nn.State, number: int, rate: float) -> tuple[nn.State, Any]:
        """By the program of a run by itself."""
        (member,) = self.members
        state = nn.unstack(states)[0]
        epoch = one_epoch(member.cell.experiment, member.task, state, number, rate)
        return jax.tree.map(lambda leaf: leaf[None], epoch.state), np.array([epoch.objective])

    def _orders(self, number: int, n: int) -> np.ndarray:
        """The rows each member goes through; one order where all have the same."""
        found = [
            order(member.cell.experiment, number, n) + first
            for member, first in zip(self.members, self.first, strict=True)
        ]
        seeds = {member.cell.experiment.seed for member in self.members}
        return found[0] if len(seeds) == 1 else np.stack(found)


def together(members: Sequence[Member]) -> Together:
    """The members as one program."""
    parts = {member.data: member.task.train for member in members}
    places = {data: i * len(part.x) for i, (data, part) in enumerate(parts.items())}
    whole = next(iter(parts.values()))
    if len(parts) > 1:
        columns = zip(*parts.values(), strict=True)
        whole = Part(*(None if c[0] is None else jnp.concatenate(c) for c in columns))
    return Together(members, whole, [places[member.data] for member in members])


def _penalties(experiments: Sequence[Experiment]) -> Any:
    """None if no member has one; where some have, the others have one of strength 0."""
    trains = [experiment.train for experiment in experiments]
    if not any(train.l1 or train.l2 for train in trains):
        return None
    return nn.stack([nn.elastic(train.l1, train.l2) for train in trains])

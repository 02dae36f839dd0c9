"""Training what is left of a sweep, group by group."""

from collections.abc import Iterator, Sequence
from contextlib import closing

from experiments.common.runs import environment
from experiments.sweeping.display import Display
from experiments.sweeping.grid import Cell
from experiments.sweeping.group import Group
from experiments.sweeping.groups import groups
from experiments.sweeping.record import Sweep
from experiments.sweeping.sources import Sources
from experiments.sweeping.together import width
from experiments.training.run import Interrupted
from experiments.training.signals import StopRequest


def train(sweep: Sweep, sources: Sources, every: int, display: Display) -> None:
    """Train the cells that are not over; a group is saved after `every` epochs.

    Raises Interrupted after Ctrl-C or a TERM, once the epoch is at its end and saved.
    """
    about = environment()
    with display, StopRequest() as asked:
        for cells in _pieces(sweep, sources):
            with closing(Group(sweep, sources.members(cells), about)) as group:
                display.group(group.name, group.epoch, cells[0].experiment.train.epochs)
                while not group.over:
                    display.epoch(*group.train_epoch())
                    stop = asked.stop  # asked once: what is said below has to be what was saved
                    group.save_if(stop or group.epoch % every == 0)
                    if stop and not all(map(sweep.over, sweep.cells)):
                        raise Interrupted(
                            f"interrupted after epoch {group.epoch} of {group.name}, which is "
                            f"saved; go on with:\n  python -m experiments resume {sweep.folder}"
                        )
    for path in sweep.folder.glob("checkpoint-*.safetensors"):  # left over by a kill
        path.unlink()


def _pieces(sweep: Sweep, sources: Sources) -> Iterator[Sequence[Cell]]:
    """The groups that are not over, each in as few pieces as the memory allows."""
    for cells in groups(sweep.cells):
        if all(map(sweep.over, cells)):
            continue
        first = sources.members(cells[:1])[0]
        most = width(first, own=len({cell.experiment.seed for cell in cells}) > 1)
        pieces = [cells[start : start + most] for start in range(0, len(cells), most)]
        yield from (piece for piece in pieces if not all(map(sweep.over, piece)))

"""The metrics and histograms of a run as TensorBoard events, in the folder `events/` of the run.

They say nothing that the JSON lines do not. A run that is taken up again writes those of its epochs
so far once more, behind a mark that makes TensorBoard forget what came before: no step is there
twice, and none is missing after a crash.
"""

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common.failures import ConfigError
from experiments.common.runs import Lines
from experiments.config import Experiment

_PARTS = ("train", "validation", "test")


def check_events(experiment: Experiment) -> None:
    """Raise ConfigError if events are asked for and cannot be written."""
    if experiment.train.tensorboard and importlib.util.find_spec("tensorboardX") is None:
        raise ConfigError(
            "train.tensorboard: expected the package tensorboardX, which is not installed; install "
            "it with:\n  pip install 'jaxnn[tensorboard]'"
        )


class Events:
    """The events of a run folder: those of its epochs so far at once, others as they come. Does
    nothing unless `train.tensorboard` is true."""

    def __init__(self, experiment: Experiment, folder: Path) -> None:
        self._writer: Any = None
        if not experiment.train.tensorboard:
            return
        from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]

        path = folder / "events"
        earlier = len(list(path.glob("*"))) if path.exists() else 0
        self._writer = SummaryWriter(
            str(path), purge_step=1 if earlier else None, filename_suffix=f".{earlier}"
        )
        histograms = {line["epoch"]: line for line in Lines(folder / "histograms.jsonl").read()}
        for line in Lines(folder / "metrics.jsonl").read():
            self.epoch(line, histograms.get(line["epoch"]))

    def __enter__(self) -> "Events":
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def epoch(self, metrics: Mapping[str, Any], histograms: Mapping[str, Any] | None) -> None:
        """Write the metrics and the histograms of `metrics["epoch"]`; they are on disk then."""
        if self._writer is None:
            return
        step = metrics["epoch"]
        for name, value in metrics.items():
            if name != "epoch":
                self._writer.add_scalar(tag(name), float(value), step)
        for kind in ("activations", "deltas"):
            for path, bins in (histograms or {}).get(kind, {}).items():
                if bins["counts"]:
                    self._writer.add_histogram_raw(
                        tag(f"{kind} {path}"), **_raw(bins), global_step=step
                    )
        self._writer.flush()


def tag(name: str) -> str:
    """The name of a metric as TensorBoard groups it: `test_loss` is `loss/test`, `dead 3` is
    `dead/3`."""
    part, _, rest = name.partition("_")
    grouped = f"{rest}/{part}" if part in _PARTS else name.replace(" ", "/", 1)
    return re.sub(r"[^-/.\w]", "_", grouped)


def _raw(bins: Mapping[str, Any]) -> dict[str, Any]:
    """A histogram as TensorBoard takes it, its sums from the middles of its bins."""
    counts = np.asarray(bins["counts"])
    edges = np.linspace(bins["low"], bins["high"], len(counts) + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    return {
        "min": bins["low"],
        "max": bins["high"],
        "num": int(counts.sum()),
        "sum": float(counts @ middles),
        "sum_squares": float(counts @ middles**2),
        "bucket_limits": edges[1:].tolist(),
        "bucket_counts": counts.tolist(),
    }

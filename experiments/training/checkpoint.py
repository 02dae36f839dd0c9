"""The whole state of a training in one file of safetensors, which appears whole or not at all.

The tensors are called by their paths: `state/params/0/w`, `state/optimizer/step`, `epoch`, `key`.
The header names the format, the config and the data the state belongs to. Nothing in such a file
can run code, and names, shapes and dtypes are compared with those of the training before any are
used.
"""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxnn as nn
from experiments.config.toml import same
from jaxnn import saving

FORMAT = "jaxnn checkpoint 1"


class Checkpoint(NamedTuple):
    """What goes on: the state after `epoch`, and the key of the run."""

    state: nn.State
    epoch: Any
    key: Any


def save(path: Path, checkpoint: Checkpoint, belongs: dict[str, str]) -> None:
    """Write a checkpoint, and in its header what it belongs to. Raises OSError if it cannot."""
    kept = checkpoint._replace(epoch=np.asarray(checkpoint.epoch, np.int64))
    nn.save(path, kept, {"format": FORMAT, **belongs})


def load(path: Path, like: Checkpoint, belongs: dict[str, str]) -> Checkpoint:
    """Read a checkpoint whose structure is that of `like`.

    Raises FileNotFoundError if there is none, and ValueError if the file is damaged, comes from
    elsewhere, or belongs to another config or other data: what differs, line by line.
    """
    found, header = saving.read(path, like._replace(epoch=np.zeros((), np.int64)))
    expected = {"format": FORMAT, **belongs}
    for name, value in expected.items():
        came = header.get(name)
        if came != value and not (came and name == "config" and same(came, value)):
            raise ValueError(_foreign(path, name, came, value))
    return Checkpoint(jax.device_put(found.state), int(found.epoch), found.key)


def _foreign(path: Path, name: str, came: str | None, expected: str) -> str:
    if came is None:
        return f"{path}: not a checkpoint of a run: its header has no '{name}'"
    if name == "config":
        ours, theirs = expected.splitlines(), came.splitlines()
        lines = [f"  it has      {line}" for line in theirs if line not in ours]
        lines += [f"  config.toml {line}" for line in ours if line not in theirs]
        detail = "\n".join(lines)
        return f"{path}: was trained with another config; put config.toml back:\n{detail}"
    if name == "data":
        return f"{path}: was trained on other data: what data.path names has changed since"
    return f"{path}: expected {name} '{expected}', got '{came}'"

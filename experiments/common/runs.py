"""The record of a run: its numbered folder, and what is written into it.

Files appear whole or not at all, and JSON stays JSON: NaN and infinities, which it lacks, become
the strings "nan", "inf" and "-inf", which `float` reads back.
"""

import importlib.metadata
import json
import math
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jaxnn.saving import write_whole


def new_folder(out: Path, name: str) -> Path:
    """Make `out/NUMBER-name`, with the next free number, and never reuse a folder.

    Raises OSError if `out` cannot be made, or written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    while True:
        folder = out / f"{_highest(out) + 1:04d}-{name}"
        try:
            folder.mkdir()
        except FileExistsError:  # another run took the number after we looked
            continue
        return folder


def _highest(out: Path) -> int:
    numbers = (re.match(r"(\d+)-", entry.name) for entry in out.iterdir())
    return max((int(number[1]) for number in numbers if number), default=0)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON; numbers may also be arrays of no dimension."""
    text = json.dumps(_plain(value), indent=2, allow_nan=False) + "\n"
    write_whole(path, text.encode())


class Lines:
    """A file with one JSON object per line, one line per epoch."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, values: Mapping[str, Any], *, durable: bool = False) -> dict[str, Any]:
        """Add a line, which is in the file when this returns, and return it as it will be read.

        A durable one stays even if the power goes, which takes the disk a moment.
        """
        plain = _plain(values)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(plain, allow_nan=False) + "\n")
            if durable:
                file.flush()
                os.fsync(file.fileno())
        return plain

    def read(self) -> list[dict[str, Any]]:
        """All whole lines; the beginning of one, which a crash may leave, is passed over."""
        if not self._path.exists():
            return []
        whole = self._path.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in whole]

    def keep(self, epoch: int) -> list[dict[str, Any]]:
        """Cut the lines of later epochs off, and return the others."""
        lines = [line for line in self.read() if line["epoch"] <= epoch]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        write_whole(self._path, text.encode())
        return lines


def environment() -> dict[str, Any]:
    """Return what a run's numbers may depend on beside its config: versions, machine, commit."""
    import jax  # here, because it takes seconds and starts the device

    devices = jax.devices()
    packages = ("jaxnn", "jax", "jaxlib", "numpy")
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{package: _version(package) for package in packages},
        "device_kind": devices[0].device_kind,
        "device_count": len(devices),
        "commit": _commit(Path(__file__).parent),
    }


def _plain(value: Any) -> Any:
    """The value in what JSON knows; anything that is not a container or text has to be a number."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    number = float(value)
    return number if math.isfinite(number) else str(number)


def link_whole(source: Path, path: Path) -> None:
    """Let `path` be the file that `source` is now: it appears whole or not at all.

    What later replaces one of the two leaves the other as it was.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        os.link(source, beside)
    except OSError:  # a file system without links
        write_whole(path, source.read_bytes())
    else:
        os.replace(beside, path)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit(folder: Path) -> str | None:
    """The commit checked out there, marked where files have changed since; None if unknown."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

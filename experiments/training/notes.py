"""What is noted of layers that are watched, and what they are called in metrics."""

from typing import Any

from jaxnn.core.notes import Seen


def outputs_of(params: Any, x: Any, key: Any, y: Any, residuals: Any) -> Any:
    """A note of what a layer puts out."""
    del params, x, key, residuals
    return y


def short(path: str) -> str:
    """A path as it stands in the names of metrics: `2/0` for `[2][0]`."""
    return path.strip("[]").replace("][", "/")


def name_of(note: Seen, place: tuple[int, ...]) -> str:
    """A layer by its path; one of those in a `Repeat` with its number there, as in `2/0#5`."""
    return "#".join([short(note.path), *map(str, place)])

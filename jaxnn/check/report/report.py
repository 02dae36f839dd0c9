"""The report of a check: a record of what was found that reads as text and can be saved."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from jaxnn.check.report.record import Record
from jaxnn.check.report.text import render


@dataclasses.dataclass(frozen=True)
class Report(Record):
    """The outcome of a check. `str(report)` is the text to read.

    title, oracle: what was under test, and what it was held against, in words. leaves: one for each
    gradient and output, in every draw and precision. place, cause: where a mistake is and what it
    may be. repeat: the call that repeats a failure; case: its draw, as flat arrays.
    """

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, ready for JSON."""
        return {
            "title": self.title,
            "verdict": self.verdict,
            "oracle": self.oracle,
            "seeds": list(self.seeds),
            "dtypes": list(self.dtypes),
            "place": self.place,
            "cause": self.cause and self.cause._asdict(),
            "findings": [finding._asdict() for finding in self.findings],
            "leaves": [
                leaf._asdict() | {"resolution": leaf.resolution, "ok": leaf.ok}
                for leaf in self.leaves
            ],
            "repeat": self.repeat,
        }

    def save(self, folder: str | pathlib.Path, name: str = "case") -> pathlib.Path:
        """Writes `name`.json, the report, and `name`.npz, the failing draw; returns the latter."""
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(self.to_dict(), indent=1, default=str))
        np.savez(folder / f"{name}.npz", **(self.case or {}))
        return folder / f"{name}.npz"

    def __str__(self) -> str:
        return render(self)


class GradientError(AssertionError):
    """A gradient that is wrong, or that could not be judged. `report` has the figures."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report

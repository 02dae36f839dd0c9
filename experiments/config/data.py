"""The data half of a config: a data set by name, or the user's own by path.

A string under a field is its help text on the command line.
"""

from pathlib import PurePath
from typing import Annotated, Literal, get_args

from pydantic import Field

from experiments.config.types import Fraction, Section, section

DataName = Literal["digits", "iris", "wine", "breast_cancer", "diabetes", "mnist"]
TABLES = (".csv", ".tsv")
# The keys that say something about a file of the user's own, so that a name leaves them nothing.
_OF_A_PATH = ("target", "task", "weights", "test_path", "ignore")
_OF_A_TABLE = ("target", "weights", "ignore")


@section
class Data(Section):
    """The examples: either `name` or `path`."""

    name: DataName | None = None
    """Which data set."""
    path: str | None = None
    """Your own: a .csv, .tsv or .npz file, or a folder with a folder of images for each class."""
    target: str | None = None
    """The column to predict, of a .csv or .tsv file."""
    task: Literal["classification", "regression"] | None = None
    """What the target is; unset: classes if it is text, amounts if it has fractions."""
    weights: str | None = None
    """The column that says how much a training example counts, of a .csv or .tsv file."""
    test_path: str | None = None
    """Test examples that lie apart from those in path, in the same form."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out, of a .csv or .tsv file."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the examples kept for the test; without effect where they have a test part."""
    validation_fraction: Fraction = 0.0
    """Share of the training part kept for validation."""

    def __post_init__(self) -> None:
        if (self.name is None) == (self.path is None):
            raise ValueError(_either(self.name, self.path))
        for key in ("path", "target", "weights", "test_path"):
            if getattr(self, key) is not None:
                _check_text(key, getattr(self, key))
        for column in self.ignore:
            _check_text("ignore", column)
        if self.path is None:
            self._refuse(_OF_A_PATH, f"belongs to path, and name is {self.name!r}")
        elif PurePath(self.path).suffix.lower() not in TABLES:
            self._refuse(_OF_A_TABLE, f"names columns of a .csv or .tsv, and path is {self.path!r}")
        elif self.target is None:
            raise ValueError(f"target: missing, expected the column of {self.path!r} to predict")
        elif self.weights is not None and self.weights in (self.target, *self.ignore):
            raise ValueError(f"weights: {self.weights!r} is the target, or among those to ignore")
        elif self.target in self.ignore:
            raise ValueError(f"ignore: has the target, {self.target!r}; take it out of one of them")

    def _refuse(self, keys: tuple[str, ...], why: str) -> None:
        for key in keys:
            if getattr(self, key):
                raise ValueError(f"{key}: {why} (got {getattr(self, key)!r})")


def _either(name: str | None, path: str | None) -> str:
    if path is None:
        names = ", ".join(sorted(get_args(DataName)))
        return f"missing name or path, expected one of {names} for name, or a path of your own data"
    return (
        f"expected name or path, got both: {name!r} and {path!r}; "
        "on the command line --data.name None takes the name away"
    )


def _check_text(key: str, text: str) -> None:
    if not text.strip():
        raise ValueError(f"{key}: expected text that is not empty (got {text!r})")
    try:
        text.encode()
    except UnicodeEncodeError:  # a file's name in another encoding, from the command line
        raise ValueError(f"{key}: expected text in UTF-8 (got {text!a})") from None

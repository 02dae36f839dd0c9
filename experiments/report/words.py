"""What a page says of a run in words: its result in one line, and the facts around it."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.training.display import score_of

if TYPE_CHECKING:
    from experiments.report.source import Source


def set_to(value: Any) -> str:
    """A value of a config as TOML writes it, texts without quotes."""
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value)


def number(value: Any) -> str:
    """A metric, in four digits."""
    return f"{float(value):.4g}"


def scored(kind: str, value: Any) -> str:
    """A score as a reader wants it: accuracies in percent."""
    return f"{float(value):.2%}" if kind == "accuracy" else f"{float(value):.4f}"


def result(line: Mapping[str, Any] | None) -> str:
    """The result of a run in one line."""
    if line is None:
        return "No result yet"
    kind = score_of(dict(line))
    score = scored(kind, line[f"test_{kind}"])
    name = {"accuracy": "accuracy", "r2": "R²"}[kind]
    return f"Test {name} {score}, loss {number(line['test_loss'])}"


def facts(found: "Source", description: Mapping[str, Any] | None, times: Sequence[Any]) -> str:
    """Epochs, examples, parameters, time."""
    stored, parts = found.stored, []
    epochs, asked = len(stored.metrics), stored.experiment.train.epochs
    done = f"{epochs} of {asked}" if epochs < asked else str(epochs)
    parts.append(f"{done} epoch{'s' if asked > 1 else ''}")
    if times:
        parts[-1] += f" in {duration(sum(float(t['seconds']) for t in times))}"
    if found.line is not None and found.line["epoch"] != epochs:
        which = "the best" if found.line["epoch"] == found.best else "the last that was saved"
        parts.append(f"this is epoch {found.line['epoch']}, {which}")
    if description is not None:
        examples = description["examples"]
        counts = [f"{n:,} for {_USES[part]}" for part, n in examples.items() if n]
        parts.append(f"examples of {description['name']}: {', '.join(counts)}")
    if found.network is not None:
        import jax

        n = sum(int(np.size(leaf)) for leaf in jax.tree.leaves(found.network.params))
        parts.append(f"{n:,} parameters")
    return " · ".join(parts)


_USES = {"train": "training", "validation": "validation", "test": "the test"}


def duration(seconds: float) -> str:
    """Seconds as a reader wants them."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"

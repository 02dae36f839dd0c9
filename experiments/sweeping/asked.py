"""The grid that a command line and a `[sweep]` table ask for, before anything is checked.

A grid is a table of dotted keys and the values to try. Nothing here imports jax.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.common.failures import ConfigError

Grid = dict[str, list[Any]]

_WORD = re.compile(r"([A-Za-z_][\w.]*)=(.*)", re.DOTALL)
# A comma that is inside neither brackets, braces nor quotes.
_PART = re.compile(r"""(?:\[[^\]]*\]|\{[^}]*\}|"[^"]*"|'[^']*'|[^,])*""")


def split_words(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """(words of the grid, such as `train.lr=0.03,0.1`; all others, in their order)."""
    given = list(words)
    ours = [word for word in given if _WORD.fullmatch(word)]
    return ours, [word for word in given if word not in ours]


def grid(
    words: Sequence[str],
    seeds: str | None,
    table: Mapping[str, list[Any]],
    overrides: Sequence[str],
) -> Grid:
    """The grid of the command line and, for keys that it does not mention, of the table.

    The seeds come last, so that those of one setting stand side by side. Raises ConfigError for
    values that cannot be read, a key that is given twice, and for no key at all.
    """
    given = dict(_read(word) for word in words)
    if len(given) < len(words):
        keys = [word.partition("=")[0] for word in words]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ConfigError(f"{twice}: given twice; put all its values behind one {twice}=")
    fixed = {re.split("[= ]", word[2:])[0].replace("-", "_") for word in overrides}
    if both := sorted(given.keys() & fixed):
        raise ConfigError(f"{both[0]}: given twice, as {both[0]}= and as --{both[0]}; drop one")
    if seeds is not None:
        if "seed" in given:
            raise ConfigError("seed: given twice, as seed= and as --seeds; drop one")
        given["seed"] = _seeds(seeds)
    found = {key: values for key, values in table.items() if key not in fixed} | given
    if not found:
        raise ConfigError(
            "nothing to sweep over: give keys and values, such as train.lr=0.03,0.1, or --seeds 5, "
            'or write a table [sweep] into the config: "train.lr" = [0.03, 0.1]'
        )
    return dict(sorted(found.items(), key=lambda item: item[0] == "seed"))


def _read(word: str) -> tuple[str, list[Any]]:
    key, _, text = word.partition("=")
    parts = [part.strip() for part in _PART.findall(text) if part.strip()]
    if not parts:
        raise ConfigError(f"{key}: expected values behind '=', such as 0.03,0.1 (got '{text}')")
    return key, [_value(part) for part in parts]


def _value(text: str) -> Any:
    """A value as TOML has it, None for the word None, and any other word as text."""
    if text == "None":  # as for an override: the key is not set
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _seeds(text: str) -> list[int]:
    """`5` means the seeds 0 to 4, `0,3,7` these."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts) or parts == ["0"]:
        raise ConfigError(f"--seeds: expected how many, 5, or which, 0,3,7 (got '{text}')")
    numbers = [int(part) for part in parts]
    return list(range(numbers[0])) if "," not in text else numbers

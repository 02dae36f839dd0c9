"""Runs that several tests of the pages share, and a strict reader of those pages."""

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from experiments.common.runs import Lines, write_whole
from experiments.config import Experiment
from experiments.config.file import load
from experiments.config.toml import to_toml

_VOID = {"meta", "img", "br", "link", "input", "hr"}


def digits_run(factory: pytest.TempPathFactory) -> Path:
    """The folder of two epochs of digits, with everything recorded that can be; trained once."""
    from experiments.training.run import run

    folder = factory.getbasetemp() / "shared" / "0001-digits"
    if folder.exists():
        return folder

    experiment = changed(
        load("digits", []),
        data={"validation_fraction": 0.2},
        train={"epochs": 2, "watch": ("gradients", "units"), "metrics": ("f1",)},
    )
    folder.mkdir(parents=True)
    run(experiment, folder)
    return folder


def changed(experiment: Experiment, **tables: dict[str, Any]) -> Experiment:
    """The config with keys of its tables changed: `changed(e, train={"lr": 0.1})`."""
    changes = {name: dataclasses.replace(getattr(experiment, name), **keys)
               for name, keys in tables.items()}  # fmt: skip
    return dataclasses.replace(experiment, **changes)


def recorded(folder: Path, experiment: Experiment, metrics: list[dict[str, Any]]) -> Path:
    """A run folder with a config and metrics, and nothing that was trained."""
    folder.mkdir(parents=True)
    write_whole(folder / "config.toml", to_toml(experiment).encode())
    for line in metrics:
        Lines(folder / "metrics.jsonl").append(line)
    return folder


class Page(HTMLParser):
    """A page as it was parsed; refuses tags that do not match, ids and attributes that repeat."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.ids: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        assert len(found) == len(attrs)
        self.tags.append((tag, found))
        if "id" in found:
            assert found["id"] not in self.ids
            self.ids.append(found["id"])

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]

    def outward(self) -> list[str]:
        """Whatever the page would load from anywhere but itself."""
        given = [
            a[k]
            for _, a in self.tags
            for k in ("src", "href", "srcset", "data", "action")
            if k in a
        ]
        given += re.findall(r"url\(\s*['\"]?([^)'\"]*)", self.source)
        given += re.findall(r"@import\s+(\S+)", self.source)
        return [where for where in given if not where.startswith(("#", "data:"))]

"""`show CONFIG`: the whole config as TOML, defaults and overrides included."""

from experiments.commands import words as given
from experiments.common.parser import Parser
from experiments.config.file import load
from experiments.config.toml import to_toml


def main(words: list[str]) -> int:
    """Print it, and return 0."""
    about = "Print every key of CONFIG as TOML; saved, it is a config itself."
    parser = Parser("show", "CONFIG [--KEY VALUE ...]", about)
    name, _, overrides = given.split(parser, words, "show")
    given.refuse_demo(name, "show")
    print(to_toml(load(name, overrides)), end="")
    return 0

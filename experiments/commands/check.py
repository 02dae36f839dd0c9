"""`check CONFIG`: are the gradients that would train this network right?"""

from pathlib import Path

from experiments.commands import words as given
from experiments.common.parser import Parser
from experiments.config.file import load


def main(words: list[str]) -> int:
    """Check, and return 0 where all gradients are right, else 1."""
    about = """Compare the gradients of CONFIG's network, on its first mini-batch, with those of
autodiff. The status is 1 if one is wrong, or could not be judged."""
    parser = Parser("check", "CONFIG [--level LEVEL] [--out DIR] [--KEY VALUE ...]", about)
    given.add_out(parser)
    levels = ("quick", "full", "exhaustive")
    parser.add_argument("--level", choices=levels, default="full", help="(full)")
    name, own, overrides = given.split(parser, words, "check")
    given.refuse_demo(name, "check")
    experiment = load(name, overrides)

    def check(folder: Path) -> int:
        from experiments.common import compile_cache
        from experiments.report.checking import run

        compile_cache.enable()
        return 0 if run(experiment, folder, own.level) else 1

    return given.in_new_folder(own.out, f"{experiment.name}-check", check)

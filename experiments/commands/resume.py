"""`resume RUN`: go on with a run from its last checkpoint."""

from pathlib import Path

from experiments.commands import words as given
from experiments.common.parser import Parser


def main(words: list[str]) -> int:
    """Train on to the end, and return 0."""
    about = "Go on with an interrupted run, to the same bytes as if it had never stopped."
    parser = Parser("resume", "RUN [--every N] [--json]", about)
    parser.add_argument("run", type=Path, metavar="RUN", help="a folder, such as runs/0001-digits")
    given.add_training(parser)
    own = parser.parse_args(words)
    if (own.run / "sweep.json").exists():
        from experiments.commands.sweep import resume as resume_sweep

        return resume_sweep(own)
    from experiments.training.stored import open_run

    open_run(own.run)  # whether it is one, before anything slow is imported
    from experiments.common import compile_cache
    from experiments.training.display import style
    from experiments.training.run import resume

    compile_cache.enable()
    resume(own.run, every=own.every, how=style(own))
    return 0

"""`sweep CONFIG KEY=V1,V2 ...`: train every cell of a grid of settings and seeds, and rank them."""

import argparse
from pathlib import Path

from experiments.commands import words as given
from experiments.common.parser import Parser
from experiments.config.file import load, sweep_table
from experiments.sweeping.asked import grid, split_words
from experiments.sweeping.grid import cells
from experiments.sweeping.ranking import metric
from experiments.sweeping.record import open_sweep

_USAGE = "CONFIG [KEY=V1,V2 ...] [--seeds N] [--by METRIC] [--out DIR] [--every N] [--json]"
_ABOUT = """Train every combination of the values of some keys, and rank them. Values are what TOML
takes, or words: train.lr=0.03,0.1 train.monitor=loss,accuracy model.layers.1.units=32,64. Keys that
are not given come from the table [sweep] of CONFIG: "train.lr" = [0.03, 0.1]. Cells that differ in
numbers alone train together. --KEY VALUE changes a key in all cells."""


def main(words: list[str]) -> int:
    """Train, and return 0."""
    parser = Parser("sweep", f"{_USAGE} [--quiet] [--KEY VALUE ...]", _ABOUT)
    parser.add_argument("--seeds", metavar="N", help="how many, 5 for 0 to 4, or which: 0,3,7")
    parser.add_argument("--by", metavar="METRIC", help="what to rank by (train.monitor)")
    given.add_out(parser)
    given.add_training(parser)
    ours, others = split_words(words)
    name, own, overrides = given.split(parser, others, "sweep")
    given.refuse_demo(name, "sweep over")
    base = load(name, overrides)
    asked = grid(ours, own.seeds, sweep_table(name), overrides)
    metric(own.by, cells(base, asked))  # whether all cells are right, and have that metric

    def train(folder: Path) -> int:
        from experiments.common import compile_cache
        from experiments.sweeping.run import run

        compile_cache.enable()
        return run(folder, base, asked, own)

    return given.in_new_folder(own.out, f"{base.name}-sweep", train)


def resume(own: argparse.Namespace) -> int:
    """Go on with the sweep in the folder `own.run`, and return 0."""
    sweep = open_sweep(own.run)
    from experiments.common import compile_cache
    from experiments.sweeping import run

    compile_cache.enable()
    return run.resume(sweep, own)

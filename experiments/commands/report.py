"""`report RUN`: one HTML page about a run."""

from pathlib import Path

from experiments.common.parser import Parser


def main(words: list[str]) -> int:
    """Write RUN/report.html, and return 0."""
    about = """Write RUN/report.html, one file that opens anywhere: config, curves, confusions and
mistakes of the test part, first-layer weights, histograms, the gradient check. Of a run that has
not ended it shows what is there."""
    parser = Parser("report", "RUN [--best] [--no-check]", about)
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="a folder, such as runs/0001-digits")
    add("--best", action="store_true", help="the network of the best epoch, not of the last")
    add("--no-check", action="store_true", help="leave the gradient check out, which takes longest")
    own = parser.parse_args(words)
    from experiments.training.stored import open_run

    open_run(own.run)  # whether it is one, before anything slow is imported
    from experiments.common import compile_cache
    from experiments.report.run_page import report

    compile_cache.enable()
    print(report(own.run, best=own.best, check=not own.no_check))
    return 0

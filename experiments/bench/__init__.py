"""Benchmarks: `python -m experiments bench NAME`, with an exit status of 1 below a bar.

Each module that is named here has `main(words)`, which prints what it measured.
"""

NAMES = ("check", "check_cost")

"""The equations of five sets of lecture notes, run as they stand and judged by `jax.grad`.

    python -m experiments.lectures.derivations

One idea a file: `equation.py` says what an equation is, `network.py` makes the random network it
is run on and differentiates it, `algebra.py` refuses operands that do not fit, `judge.py` compares,
`table.py` prints. The other files hold the equations, one or more files for each set of notes, and
`sources.py` gathers them. An equation more is a record more in one of those tuples.
"""

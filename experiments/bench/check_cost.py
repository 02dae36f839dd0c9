"""`bench check_cost`: what a check of a million-parameter network costs, in its gradients.

The check compiles programs of its own; their compile time, as JAX reports it, is taken off, and
shown. The gradient is the same hand-written one, jit-compiled, in float64, timed in between.
"""

import statistics
import time
from typing import Any

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.common.parser import Parser, count
from jaxnn.check import check_grad
from jaxnn.sweep.backpropagation import sweep
from jaxnn.sweep.records import Batch, Objective
from jaxnn.sweep.weighing import objective

NET = nn.serial(nn.Dense(1000), nn.tanh, nn.Dense(250), nn.tanh, nn.Dense(10))
BATCH = 256


def value(params: Any, x: Any, y: Any) -> Any:
    """The mean cross-entropy of the network."""
    outputs = NET.forward(params, x)[0]
    return objective(nn.softmax_cross_entropy, outputs, y)[0]


def gradient(params: Any, x: Any, y: Any) -> Any:
    """Its gradient by hand."""
    problem = Objective(NET, nn.softmax_cross_entropy)
    return sweep(problem, params, Batch(x, y), nn.gradient)[1]


def main(words: list[str]) -> int:
    """Prints a line for each level; the exit status is 1 if "quick" costs ten gradients or more."""
    about = "what a check of a million-parameter network costs, in gradients of that network"
    parser = Parser("bench check_cost", "[--rounds N]", about)
    parser.add_argument("--rounds", type=count, default=5, help="of each level (5)")
    rounds = parser.parse_args(words).rounds
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(BATCH, 784)), jnp.float32)
    y = jnp.asarray(rng.integers(0, 10, BATCH), jnp.int32)
    shapes = jax.eval_shape(NET.init, jax.random.key(0), x)
    params = jax.tree.map(lambda a: jnp.asarray(0.03 * rng.normal(size=a.shape), a.dtype), shapes)
    size = nn.core.count_parameters(params)
    print(f"{size:,} parameters, batch {BATCH}, float64; least of {rounds} ratios of wall time")
    ratios = {level: _ratios(level, params, x, y, rounds) for level in ("quick", "full")}
    for level, found in ratios.items():
        least, median = min(found), statistics.median(found)
        print(f"level {level:<6} {least:6.1f} gradients (median {median:.1f}), plus compilation")
    return int(min(ratios["quick"]) >= 10)


def _ratios(level: str, params: Any, x: Any, y: Any, rounds: int) -> list[float]:
    compiling = [0.0]

    def listen(event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile"):
            compiling[0] += duration_secs

    jax.monitoring.register_event_duration_secs_listener(listen)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: a.astype(jnp.float64), (params, x))
        compiled = jax.jit(gradient)
        jax.block_until_ready(compiled(*wide, y))
    found = []
    for _ in range(rounds):
        compiling[0], start = 0.0, time.perf_counter()
        report = check_grad(value, gradient, params, x, y, level=level, dtypes=("float64",))
        seconds = time.perf_counter() - start - compiling[0]
        assert report.ok, report
        found.append(seconds / min(_seconds(compiled, *wide, y) for _ in range(5)))
    return found


def _seconds(f: Any, *args: Any) -> float:
    with jax.enable_x64(True):
        start = time.perf_counter()
        jax.block_until_ready(f(*args))
        return time.perf_counter() - start


if __name__ == "__main__":
    raise SystemExit(main([]))

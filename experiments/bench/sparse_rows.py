"""A step of gradient descent on an embedding of which a mini-batch touches few rows.

The gradient of the table is its factor, ids and errors. Who contracts it gets an array as large as
the table; who takes the factor as it is writes the rows in place.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.bench import passes
from experiments.bench.method import Program
from experiments.bench.workload import Case, Contender, Found, Goal

RATE = 0.01
WORDS, WIDTH, LOOKUPS = 32768, 128, 512
TITLE = f"a step on Embedding({WORDS}, {WIDTH}), {LOOKUPS} ids"


def in_place(inputs: passes.Inputs) -> Program:
    """Ours: the factor of the table, added where it belongs."""
    rows = inputs.params.rows
    layer = nn.Embedding(*rows.shape)

    def step(params: Any, x: Any, dy: Any) -> Any:
        y, residuals = layer.forward(params, x)
        _, factors = layer.backward(params, residuals, dy * y, lambda factor: factor)
        factor = factors.rows
        return params._replace(rows=params.rows.at[factor.ids].add(-RATE * factor.d)), ()

    return start(step, inputs)


def dense(inputs: passes.Inputs) -> Program:
    """The gradient of the whole table, of half the squared outputs weighed by dy."""

    def step(params: Any, x: Any, dy: Any) -> Any:
        def objective(params: Any) -> Any:
            return (0.5 * dy * params.rows[x] ** 2).sum()

        grads = jax.grad(objective)(params)
        return jax.tree.map(lambda p, g: p - RATE * g, params, grads), ()

    return start(step, inputs)


def by_rows(inputs: passes.Inputs) -> Program:
    """`jax.grad` by the rows that were looked up, and these added where they belong."""

    def step(params: Any, x: Any, dy: Any) -> Any:
        grads = jax.grad(lambda y: (0.5 * dy * y**2).sum())(params.rows[x])
        return params._replace(rows=params.rows.at[x].add(-RATE * grads)), ()

    return start(step, inputs)


def start(step: Any, inputs: passes.Inputs) -> Program:
    """The step, of parameters of its own."""
    return Program(step, jax.tree.map(jnp.array, inputs.params), inputs.x, inputs.dy, carry=True)


def torch_step(inputs: passes.Inputs) -> Any:
    """Eager torch with a sparse gradient."""
    import torch  # pyright: ignore[reportMissingImports] - the extra `bench`

    gpu = passes.on_gpu(torch)
    rows, x, dy = (
        torch.tensor(np.array(a), device="cuda" if gpu else "cpu")
        for a in (inputs.params.rows, inputs.x, inputs.dy)
    )
    rows.requires_grad_()
    optimizer = torch.optim.SGD([rows], lr=RATE)

    def step() -> Any:
        optimizer.zero_grad()
        y = torch.nn.functional.embedding(x, rows, sparse=True)
        (0.5 * dy * y**2).sum().backward()
        optimizer.step()
        if gpu:
            torch.cuda.synchronize()
        return rows

    return step


def change(result: Any, inputs: passes.Inputs) -> np.ndarray:
    """How the first step changed the table."""
    first = result[0].rows if isinstance(result, tuple) else result
    return passes.to_numpy(first) - np.asarray(inputs.params.rows)


def case(quick: bool) -> Case:
    """A smaller table if quick."""
    words, lookups = (512, 16) if quick else (WORDS, LOOKUPS)
    title = f"a step on Embedding({words}, {WIDTH}), {lookups} ids"
    found = (
        Contender("jaxnn, rows in place", "ours", in_place, change),
        Contender("jax.grad", "idiomatic", dense, change),
        Contender("jax.grad by rows", "strongest", by_rows, change),
        Contender("torch, sparse", "peer", torch_step, change, "torch"),
    )
    return Case(title, passes.draw(nn.Embedding(words, WIDTH), (lookups,), words), found)


def beside(name: str) -> Any:
    """Ours beside that one."""

    def reach(found: Found) -> float | None:
        return found.speed(TITLE, "ours", name)

    return reach


GOALS = (
    Goal(9, "embedding step, rows in place: beside the dense one", ">= 50", beside("idiomatic")),
    Goal(9, "embedding step, rows in place: beside torch, sparse", ">= 5", beside("torch, sparse")),
)

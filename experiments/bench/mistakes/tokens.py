"""Token and position embeddings: y[b, t] = table[ids[b, t]] + positions[t].

dtable[i] = sum of dy[b, t] where ids[b, t] = i       dpositions[t] = sum_b dy[b, t]
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.bench.mistakes.model import Mistake
from experiments.bench.mistakes.planting import normal, planted

BATCH, LENGTH, WORDS, WIDTH = 3, 7, 11, 5


def embed(params: Any, ids: Any) -> Any:
    """y (B, T, D) for ids (B, T) and params {table (n, D), positions (T, D)}."""
    return params["table"][ids] + params["positions"]


def _backward(number: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    params, ids = args
    empty = jnp.zeros_like(params["table"])
    rows = empty.at[ids - 1 if number == 79 else ids]  # -1 is the last row
    dtable = rows.set(dy) if number == 76 else rows.add(dy)
    if number == 77:
        dtable = dtable / jnp.maximum(_occurrences(params, ids), 1.0)
    if number == 78:
        dtable = dtable.at[0].set(0.0)
    return {"table": dtable, "positions": dy.sum(0)}, None


def _occurrences(params: Any, ids: Any) -> Any:
    table = params["table"]
    return jnp.zeros((len(table), 1), table.dtype).at[ids].add(1.0)


def _draw(seed: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, WORDS, (BATCH, LENGTH))
    ids[0, :2] = 0  # the row that one mistake takes for padding, and an id that is met twice
    params = {"table": normal(rng, WORDS, WIDTH), "positions": normal(rng, LENGTH, WIDTH)}
    return params, jnp.asarray(ids, jnp.int32)


MODELS = (
    planted(
        "embedding",
        embed,
        _backward,
        _draw,
        (
            Mistake(76, "ids met again overwrite the row", "[0]['table']"),
            Mistake(77, "rows averaged over the occurrences of an id", "[0]['table']"),
            Mistake(78, "row 0 taken for padding", "[0]['table']"),
            Mistake(79, "ids off by one", "[0]['table']", "permuted"),
        ),
        known=lambda params, ids: {"occurrences": _occurrences(params, ids)},
    ),
)

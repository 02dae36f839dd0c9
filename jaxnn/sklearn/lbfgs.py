"""The solver for small data: limited-memory BFGS on all examples at once."""

from typing import Any

import jax
import numpy as np
from scipy.optimize import minimize

import jaxnn as nn
from jaxnn.core.types import Params
from jaxnn.sklearn.examples import Examples, mean_weight
from jaxnn.sklearn.hyperparameters import Hyperparameters
from jaxnn.sklearn.network import affine_maps, computing, even, filled
from jaxnn.sklearn.training import Training, note
from jaxnn.sweep.backpropagation import sweep
from jaxnn.sweep.records import Batch, Objective


def run_lbfgs(model: Hyperparameters, training: Training, examples: Examples) -> None:
    """Minimise the objective from where the training stands, in at most `max_iter` iterations.

    It has stopped well if the largest entry of the gradient is not above `tol`, or the objective
    no longer falls. Source: Byrd, Lu, Nocedal and Zhu 1995, as in scipy.
    """
    leaves, structure = jax.tree.flatten(training.state.params)
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    dtype = examples.x.dtype
    penalty = nn.l2(float(model.alpha) / (len(examples.x) * mean_weight(examples)))

    def unpack(flat: np.ndarray) -> Any:
        parts = zip(np.split(flat, ends), leaves, strict=True)
        return structure.unflatten([p.reshape(like.shape).astype(dtype) for p, like in parts])

    with computing(dtype):
        x = filled(examples.x, len(examples.x), even(examples.x.shape[1]))
        batch = Batch(*jax.tree.map(jax.numpy.asarray, examples._replace(x=x)))
        objective = Objective(training.net, training.loss, penalty)

        def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
            value, grads = _objective(objective, unpack(flat), batch)
            found = [np.asarray(g, np.float64).ravel() for g in jax.tree.leaves(grads)]
            return float(value), np.concatenate(found)

        found = minimize(
            value_and_gradient,
            np.concatenate([leaf.ravel() for leaf in leaves]).astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            options={"maxfun": model.max_fun, "maxiter": model.max_iter, "gtol": model.tol},
        )
        note(model, training, float(found.fun), found.nit, found.nfev * len(examples.x))
        training.stopped = bool(found.success)
        training.state = nn.State(unpack(found.x), ())
        training.maps = affine_maps(training.net, training.state, examples.x.shape[1])


@jax.jit
def _objective(objective: Objective, params: Params, batch: Batch) -> tuple[Any, Any]:
    value, grads, _ = sweep(objective, params, batch, nn.gradient)
    extra, more = objective.penalty(params)
    return value + extra.astype(value.dtype), jax.tree.map(jax.numpy.add, grads, more)

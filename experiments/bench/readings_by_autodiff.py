"""Gradients of single examples by autodiff, as functions of params, x, y.

`vmap(grad)` forms the gradient of every example: the idiomatic way. The strongest we know takes
`jax.grad` by zeros that are added in front of every non-linearity: their gradients are the errors
of the layers, and what is wanted follows from these by the same algebra as by hand.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import jaxnn as nn
from experiments.bench.beside_autodiff import by_logsumexp, by_one_hot

NET = nn.serial(nn.Dense(1024), nn.relu, nn.Dense(1024), nn.relu, nn.Dense(10))
BOUND = 1.0


def mean_loss(cross_entropy: Any) -> Callable[..., Any]:
    """The objective, a function of params, x, y."""
    return lambda params, x, y: cross_entropy(NET.forward(params, x)[0], y)


def each(params: Any, x: Any, y: Any) -> Any:
    """The gradient of every example by `vmap(grad)`."""
    one = jax.grad(mean_loss(by_one_hot))
    return jax.vmap(lambda a, b: one(params, a[None], b[None]))(x, y)


def squares(gradients: Any) -> Any:
    """|g_n|^2 of formed gradients, (batch,)."""
    return sum((g.reshape(len(g), -1) ** 2).sum(1) for g in jax.tree.leaves(gradients))


def mean(gradients: Any) -> Any:
    """The gradient of the mean."""
    return jax.tree.map(lambda g: g.mean(0), gradients)


def norms_by_vmap(params: Any, x: Any, y: Any) -> Any:
    """The gradient and the squared norms."""
    formed = each(params, x, y)
    return mean(formed), squares(formed)


def clipped_by_vmap(params: Any, x: Any, y: Any) -> Any:
    """The mean of clipped gradients."""
    formed = each(params, x, y)
    s = scales(squares(formed)) / len(x)
    return jax.tree.map(lambda g: jnp.tensordot(s, g, 1), formed)


def moments_by_vmap(params: Any, x: Any, y: Any) -> Any:
    """The gradient and the sum of the squares."""
    formed = each(params, x, y)
    return mean(formed), jax.tree.map(lambda g: (g * g).sum(0), formed)


def scales(squared: Any) -> Any:
    """What clipping multiplies the gradients of these squared norms with."""
    return jnp.minimum(1, BOUND / jnp.sqrt(squared))


def errors(params: Any, x: Any, y: Any, wanted: bool = True) -> Any:
    """(gradient, [(a, d)]) by `jax.grad`: inputs and errors dl_n/dz of each affine map; the
    gradient is None unless it is wanted."""
    affine = [record for record in params if record]
    zeros = [jnp.zeros((len(x), len(b))) for _, b in affine]

    def objective(affine: Any, zeros: Any) -> Any:
        a, inputs = x, []
        for i, ((w, b), zero) in enumerate(zip(affine, zeros, strict=True)):
            inputs.append(a)
            z = a @ w + b + zero
            a = jax.nn.relu(z) if i < len(affine) - 1 else z
        return by_logsumexp(a, y), inputs

    which = (0, 1) if wanted else 1
    found, inputs = jax.grad(objective, which, has_aux=True)(affine, zeros)
    gradient, d = found if wanted else (None, found)
    return gradient, [(a, len(x) * e) for a, e in zip(inputs, d, strict=True)]


def squares_of(found: Any) -> Any:
    """|g_n|^2 from inputs and errors."""
    return sum(((a * a).sum(1) + 1) * (d * d).sum(1) for a, d in found)


def norms_by_errors(params: Any, x: Any, y: Any) -> Any:
    """The gradient and the squared norms."""
    gradient, found = errors(params, x, y)
    return gradient, squares_of(found)


def clipped_by_errors(params: Any, x: Any, y: Any) -> Any:
    """The mean of clipped gradients."""
    _, found = errors(params, x, y, wanted=False)
    s = (scales(squares_of(found)) / len(x))[:, None]
    return [(a.T @ (s * d), (s * d).sum(0)) for a, d in found]


def moments_by_errors(params: Any, x: Any, y: Any) -> Any:
    """The gradient and the sum of the squares."""
    gradient, found = errors(params, x, y)
    return gradient, [((a * a).T @ (d * d), (d * d).sum(0)) for a, d in found]


def factors_by_errors(params: Any, x: Any, y: Any) -> Any:
    """The gradient, and E[a a^T] with a column of ones, E[d d^T] for each layer."""
    gradient, found = errors(params, x, y)
    ones = jnp.ones((len(x), 1))
    both = [(jnp.concatenate([a, ones], 1), d) for a, d in found]
    return gradient, [(a.T @ a / len(x), d.T @ d / len(x)) for a, d in both]

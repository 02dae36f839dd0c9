"""What arguments are, by name. The names say what is meant; JAX itself checks what comes.

A `Tree` is an array, or arrays in tuples, dicts and records; `None` is a tree without arrays. Where
JAX traces, the arrays have no values yet, so no narrower type would hold everywhere.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax

Array: TypeAlias = jax.Array
"""An array of JAX, traced or not."""

ArrayLike: TypeAlias = Any
"""What `jnp.asarray` takes: numbers, lists, arrays of NumPy or JAX."""

Tree: TypeAlias = Any
"""A pytree of arrays: residuals, readings, states; x and y where several arrays travel together."""

Params: TypeAlias = Any
"""The parameters of a layer or network: records in tuples. Tangents `v` and gradients are alike."""

Key: TypeAlias = Any
"""A random key, `jax.random.key(0)`; None where nothing is drawn."""

Dtype: TypeAlias = Any
"""A floating-point dtype, or its name."""

Number: TypeAlias = Any
"""A number, or an array without axes that a program computes with: a rate, a decay, a bound."""

Path: TypeAlias = tuple[Any, ...]
"""The keys that lead to a leaf of a tree, as `jax.tree_util.tree_leaves_with_path` gives them."""

Read: TypeAlias = Callable[[Any], Any]
"""What a backward sweep calls with the factor of each parameter, see `jaxnn.readings`."""

Aim: TypeAlias = Callable[[Any], tuple[Any, Any]]
"""Where a sweep turns round: of outputs the losses, (batch,), and their derivative, see `turn`."""

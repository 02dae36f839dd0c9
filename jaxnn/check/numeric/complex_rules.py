"""JAX programs of real numbers, computed in complex ones: every primitive continued analytically.

The program is that of the *real* function, so nothing in it takes a conjugate or an absolute
square, as JAX does for complex input in `var`, `norm` and `vdot`. Values that depend on the
argument are complex, all others stay as they are. `RULES` knows four kinds of primitives:

    linear      applied to the real part and to the imaginary part
    bilinear    (a + ib)(c + id) = ac + i (ad + bc), for products are of no use below 1e-60
    analytic    applied to the complex number
    piecewise   the branch is chosen by the real part

Any other that meets a complex value is refused by name.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnn.check.numeric.jaxpr_walk import Path, Walk
from jaxnn.check.numeric.programs import Equation, NotKnown, bind, parameters
from jaxnn.core.types import ArrayLike


class NotAnalytic(ValueError):
    """The complex step is not known to be right for this function. The message says why."""


def refusal(operation: str) -> NotAnalytic:
    """The error for an operation that has no rule."""
    return NotAnalytic(
        "complex step: expected operations whose continuation to complex numbers is known, got "
        f"{operation}; use numerical_jvp, or autodiff of a plain JAX function"
    )


class ComplexWalk(Walk):
    """Runs a program of real numbers at complex ones. Raises NotAnalytic."""

    def enters(self, eqn: Equation, values: list[ArrayLike]) -> bool:
        """A loop over real values runs as a whole."""
        return any(map(np.iscomplexobj, values))

    def apply(self, eqn: Equation, values: list[ArrayLike], path: Path) -> list[Any]:
        """The outputs of a primitive: by its rule where a complex number goes in."""
        if not self.enters(eqn, values):
            return bind(eqn, values)
        if eqn.primitive.name not in RULES:
            raise refusal(eqn.primitive.name)
        try:
            return RULES[eqn.primitive.name](eqn, *values)
        except NotKnown as error:
            raise refusal(f"{eqn.primitive.name} with {error}") from error


def _real(x: ArrayLike) -> Any:
    return jnp.real(x) if np.iscomplexobj(x) else x


def _imag(x: ArrayLike) -> Any:
    """0 for a real number; an integer, as of an index, stays what it is."""
    if np.iscomplexobj(x):
        return jnp.imag(x)
    return jnp.zeros_like(x) if jnp.issubdtype(jnp.result_type(x), jnp.floating) else x


def _complex(x: ArrayLike) -> Any:
    return x if np.iscomplexobj(x) else lax.complex(jnp.asarray(x), jnp.zeros_like(x))


def _linear(eqn: Equation, *values: ArrayLike) -> list[Any]:
    real, imag = bind(eqn, list(map(_real, values))), bind(eqn, list(map(_imag, values)))
    return list(map(lax.complex, real, imag))


def _bilinear(eqn: Equation, a: ArrayLike, b: ArrayLike) -> list[Any]:
    def product(x: ArrayLike, y: ArrayLike) -> Any:
        return bind(eqn, [x, y])[0]

    imag = []
    if np.iscomplexobj(a):
        imag.append(product(jnp.imag(a), _real(b)))
    if np.iscomplexobj(b):
        imag.append(product(_real(a), jnp.imag(b)))
    return [lax.complex(product(_real(a), _real(b)), sum(imag[1:], imag[0]))]


def _analytic(eqn: Equation, *values: ArrayLike) -> list[Any]:
    return bind(eqn, list(map(_complex, values)))


def _power(eqn: Equation, base: ArrayLike, exponent: ArrayLike) -> list[Any]:
    if not np.all(np.asarray(_real(base)) > 0):
        raise refusal("pow of a base <= 0 (x**n is fine for a whole number n in Python)")
    if jnp.issubdtype(jnp.result_type(exponent), jnp.integer):
        exponent = jnp.asarray(exponent, jnp.result_type(_real(base)))
    return _analytic(eqn, base, exponent)


def _by_real_part(eqn: Equation, *values: ArrayLike) -> list[Any]:
    return bind(eqn, list(map(_real, values)))


def _larger(eqn: Equation, a: ArrayLike, b: ArrayLike) -> list[Any]:
    return [jnp.where(_real(a) >= _real(b), _complex(a), _complex(b))]


def _smaller(eqn: Equation, a: ArrayLike, b: ArrayLike) -> list[Any]:
    return [jnp.where(_real(a) <= _real(b), _complex(a), _complex(b))]


def _clamp(eqn: Equation, low: ArrayLike, x: ArrayLike, high: ArrayLike) -> list[Any]:
    return _smaller(eqn, _larger(eqn, x, low)[0], high)


def _magnitude(eqn: Equation, x: ArrayLike) -> list[Any]:
    return [jnp.where(jnp.real(x) < 0, -x, x)]


def _convert(eqn: Equation, x: ArrayLike) -> list[Any]:
    dtype = jnp.dtype(parameters(eqn)["new_dtype"])
    if dtype.kind in "iub":
        return _by_real_part(eqn, x)
    if dtype.kind == "c" or dtype.itemsize < 4:
        raise refusal(f"a conversion to {dtype}")
    return _linear(eqn, x)


def _extreme(pick: Callable[..., Any]) -> Callable[..., list[Any]]:
    def rule(eqn: Equation, x: ArrayLike) -> list[Any]:
        axes = parameters(eqn)["axes"]
        x = jnp.moveaxis(x, axes, range(-len(axes), 0))
        x = x.reshape(*x.shape[: x.ndim - len(axes)], -1)
        where = pick(jnp.real(x), axis=-1)[..., None]
        return [jnp.take_along_axis(x, where, axis=-1)[..., 0]]

    return rule


def _sort(eqn: Equation, *values: ArrayLike) -> list[Any]:
    if parameters(eqn)["num_keys"] > 1:
        raise refusal("sort by several keys")
    axis = parameters(eqn)["dimension"]
    order = jnp.argsort(_real(values[0]), axis=axis, stable=True)
    return [jnp.take_along_axis(jnp.asarray(x), order, axis=axis) for x in values]


def _same(eqn: Equation, x: ArrayLike) -> list[Any]:
    return [x]


def _table(rule: Callable[..., list[Any]], names: str) -> dict[str, Callable[..., list[Any]]]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Callable[..., list[Any]]] = {
    **_table(_linear, "add sub neg reduce_sum cumsum reduce_window_sum add_any copy"),
    **_table(_linear, "reshape transpose squeeze broadcast_in_dim rev slice concatenate pad split"),
    **_table(_linear, "select_n gather scatter scatter-add dynamic_slice dynamic_update_slice"),
    **_table(_bilinear, "mul dot_general conv_general_dilated"),
    **_table(_analytic, "div exp exp2 expm1 log log1p logistic sqrt rsqrt square integer_pow"),
    **_table(_analytic, "sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh"),
    **_table(_analytic, "reduce_prod cumprod"),
    **_table(_by_real_part, "gt lt ge le eq ne sign floor ceil round is_finite argmax argmin"),
    "pow": _power,
    "max": _larger,
    "min": _smaller,
    "clamp": _clamp,
    "abs": _magnitude,
    "convert_element_type": _convert,
    "reduce_max": _extreme(jnp.argmax),
    "reduce_min": _extreme(jnp.argmin),
    "sort": _sort,
    "stop_gradient": _same,
}

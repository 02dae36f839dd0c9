"""The checks of functions: gradients, vector-Jacobian products, custom rules, adjoints, Hessians.

Every check takes the options of `jaxnn.check.options.Options` by keyword and returns a `Report`;
`assert_...` of the same name raises `GradientError` unless the report is ok.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.check.options import read_options
from jaxnn.check.problem import Problem, argument_names, title_of
from jaxnn.check.report.report import Report
from jaxnn.check.trial.verify import verify
from jaxnn.core.types import Params, Tree


def check_grad(
    loss: Callable[..., Any],
    manual: Callable[..., Any],
    params: Params,
    *batch: Tree,
    reference: Callable[..., Any] | None = None,
    **options: Any,
) -> Report:
    """Checks dparams = manual(params, *batch) against the gradient of loss(params, *batch).

    params and batch are pytrees; only params are differentiated by, and perturbed. `reference`
    computes the same number in plain JAX or numpy, where loss itself is not plain.

    options: those of `jaxnn.check.options.Options`.
    """
    names = argument_names(loss, 1 + len(batch))
    problem = Problem(
        title=title_of(manual),
        names=names,
        forward=loss,
        backward=_only_params(manual),
        reference=reference or loss,
        wrt=(0,),
        cotangent=False,
        call=f"check_grad({title_of(loss)}, {title_of(manual)}, {', '.join(names)}",
    )
    return verify(problem, (params, *batch), read_options(options))


def check_vjp(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    args: tuple[Tree, ...],
    *,
    reference: Callable[..., Any] | None = None,
    residuals: bool = False,
    **options: Any,
) -> Report:
    """Checks dargs = backward(args, dy) for y = forward(*args) and random cotangents dy.

    backward returns a tuple with a gradient for every argument, None or float0 for one of
    integers. With `residuals` the two are written as `jax.custom_vjp` wants them:
    forward(*args) -> (y, residuals) and backward(residuals, dy).

    options: those of `jaxnn.check.options.Options`.
    """
    if residuals:
        run = lambda *args: forward(*args)[0]  # noqa: E731 - named for the reader
        pull = lambda args, dy: backward(forward(*args)[1], dy)  # noqa: E731
    else:
        run, pull = forward, backward
    problem = Problem(
        title=title_of(backward),
        names=argument_names(forward, len(args)),
        forward=run,
        backward=pull,
        reference=reference or run,
        wrt=tuple(range(len(args))),
        call=f"check_vjp({title_of(forward)}, {title_of(backward)}, args",
    )
    return verify(problem, tuple(args), read_options(options))


def check_custom_vjp(
    f: Callable[..., Any],
    args: tuple[Tree, ...],
    *,
    reference: Callable[..., Any] | None = None,
    **options: Any,
) -> Report:
    """Checks the rules of a `jax.custom_vjp`, through `jax.vjp`, against its own primal function.

    Raises TypeError for an f without rules. Non-differentiable arguments are bound beforehand:
    `functools.partial` or a lambda around f does.

    options: those of `jaxnn.check.options.Options`.
    """
    plain = reference or getattr(f, "fun", None) or f
    args = tuple(args)

    def forward(*args: Tree) -> Any:
        return jax.vjp(f, *args)[0]

    def backward(args: tuple[Tree, ...], dy: Tree) -> tuple[Any, ...]:
        return jax.vjp(f, *args)[1](dy)

    problem = Problem(
        title=title_of(f),
        names=argument_names(plain, len(args)),
        forward=forward,
        backward=backward,
        reference=plain,
        wrt=tuple(range(len(args))),
        call=f"check_custom_vjp({title_of(f)}, args",
    )
    return verify(problem, args, read_options(options))


def check_adjoint(
    J: Callable[..., Any], JT: Callable[..., Any], x_like: Tree, y_like: Tree, **options: Any
) -> Report:
    """Checks that JT is the adjoint of the linear map J: <y, J x> = <JT y, x>.

    No reference is needed, only J itself, which is checked to be linear on the way. x_like and
    y_like are trees of floating arrays or shapes of them.

    options: those of `jaxnn.check.options.Options`.
    """
    x, y = (jax.tree.map(lambda a: jnp.ones(a.shape, a.dtype), like) for like in (x_like, y_like))
    made = jax.tree.map(lambda a: (jnp.shape(a), jnp.result_type(a)), J(x))
    expected = jax.tree.map(lambda a: (a.shape, a.dtype), y)
    if made != expected:
        raise ValueError(f"expected J to map x_like to y_like, {expected}, got {made}")
    problem = Problem(
        title=title_of(JT),
        names=("x",),
        forward=J,
        backward=lambda args, dy: (JT(dy),),
        reference=J,
        wrt=(0,),
        linear=True,
        call=f"check_adjoint({title_of(J)}, {title_of(JT)}, x_like, y_like",
    )
    return verify(problem, (x,), read_options(options))


def check_second_order(
    loss: Callable[..., Any],
    manual: Callable[..., Any],
    params: Params,
    *batch: Tree,
    reference: Callable[..., Any] | None = None,
    **options: Any,
) -> Report:
    """Checks that manual(params, *batch) can itself be differentiated: H v by `jax.jvp` of it.

    The reference is the Hessian of the loss, which is symmetric, so that the derivative of the
    gradient along v must equal its transpose applied to v. A `stop_gradient` within manual, which
    leaves the gradient right, is seen here.

    options: those of `jaxnn.check.options.Options`.
    """
    plain = reference or loss
    names = argument_names(loss, 1 + len(batch))

    def backward(args: tuple[Tree, ...], v: Tree) -> tuple[Any, ...]:
        params, *batch = args
        return (jax.jvp(lambda p: manual(p, *batch), (params,), (v,))[1],)

    problem = Problem(
        title=f"second order of {title_of(manual)}",
        names=names,
        forward=manual,
        backward=backward,
        reference=jax.grad(plain),
        wrt=(0,),
        call=f"check_second_order({title_of(loss)}, {title_of(manual)}, {', '.join(names)}",
    )
    return verify(problem, (params, *batch), read_options(options))


def _only_params(manual: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    return lambda args, dy: (manual(*args),)

"""Products with curvature matrices, their diagonals and Kronecker factors, beside autodiff.

A network 784-128-128-10 with tanh and softmax cross-entropy, on noise. The autodiff forms are those
that users of JAX write: `jvp` of `grad` for the Hessian H, `jvp` to the outputs and `vjp` back for
the Gauss-Newton matrix G, for its diagonal the Jacobian of every example. The strongest ones take
the errors of the layers by `vjp` to zeros that are added in front of every tanh, and go on as by
hand. Kronecker factors and second moments of the gradients themselves are in `readings`.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.bench.beside_autodiff import by_logsumexp, by_one_hot
from experiments.bench.method import Program, races
from experiments.bench.workload import Case, Contender, Workload

WIDTHS = 784, 128, 128, 10
NET = nn.serial(nn.Dense(128), nn.tanh, nn.Dense(128), nn.tanh, nn.Dense(10))
LOSS = nn.softmax_cross_entropy


def draw(batch: int) -> Callable[[Any], Any]:
    """(params, x, y, v): weights after LeCun, normal inputs, labels at random, and a direction."""

    def drawn(rng: Any) -> Any:
        affine = []
        for n_in, n_out in itertools.pairwise(WIDTHS):
            w = rng.normal(size=(n_in, n_out)) / np.sqrt(n_in)
            affine.append(nn.Affine(w.astype(np.float32), np.zeros(n_out, np.float32)))
        params = affine[0], (), affine[1], (), affine[2]
        x = rng.normal(size=(batch, WIDTHS[0])).astype(np.float32)
        y = rng.integers(0, WIDTHS[-1], batch).astype(np.int32)
        v = jax.tree.map(lambda p: rng.normal(size=p.shape).astype(np.float32), params)
        return jax.tree.map(jnp.asarray, (params, x, y, v))

    return drawn


def objective(cross_entropy: Any, x: Any, y: Any) -> Callable[[Any], Any]:
    """The mean loss, a function of params."""
    return lambda params: cross_entropy(NET.forward(params, x)[0], y)


def hvp_by(cross_entropy: Any) -> Callable[..., Any]:
    """H v, forward over reverse."""

    def product(params: Any, x: Any, y: Any, v: Any) -> Any:
        return jax.jvp(jax.grad(objective(cross_entropy, x, y)), (params,), (v,))[1]

    return product


def hvp_by_reverse(params: Any, x: Any, y: Any, v: Any) -> Any:
    """H v as the gradient of grad . v, reverse over reverse."""
    gradient = jax.grad(objective(by_logsumexp, x, y))

    def along(params: Any) -> Any:
        pairs = zip(jax.tree.leaves(gradient(params)), jax.tree.leaves(v), strict=True)
        return sum(jnp.vdot(g, u) for g, u in pairs)

    return jax.grad(along)(params)


def gnvp_by(cross_entropy: Any) -> Callable[..., Any]:
    """G v, with the Hessian of the loss by autodiff as well."""

    def product(params: Any, x: Any, y: Any, v: Any) -> Any:
        z, vz = jax.jvp(lambda p: NET.forward(p, x)[0], (params,), (v,))
        bent = jax.jvp(jax.grad(lambda z: cross_entropy(z, y)), (z,), (vz,))[1]
        return jax.vjp(lambda p: NET.forward(p, x)[0], params)[1](bent)[0]

    return product


def gnvp_by_linearize(params: Any, x: Any, y: Any, v: Any) -> Any:
    """G v from one forward pass, with H_n written out."""
    del y
    z, push = jax.linearize(lambda p: NET.forward(p, x)[0], params)
    p, vz = jax.nn.softmax(z), push(v)
    bent = p * (vz - (p * vz).sum(-1, keepdims=True)) / len(x)
    return jax.linear_transpose(push, params)(bent)[0]


def diagonal_by_jacobians(params: Any, x: Any, y: Any, v: Any) -> Any:
    """diag(G) from dz/dparams of every example."""
    del y, v

    def outputs(params: Any, one: Any) -> Any:
        return NET.forward(params, one[None])[0][0]

    jacobians = jax.vmap(jax.jacrev(outputs), (None, 0))(params, x)
    p = jax.nn.softmax(NET.forward(params, x)[0])
    h = jax.vmap(jnp.diag)(p) - p[:, :, None] * p[:, None]

    def one_array(j: Any) -> Any:
        flat = j.reshape(*j.shape[:2], -1)
        return jnp.einsum("nip,nij,njp->p", flat, h, flat).reshape(j.shape[2:]) / len(x)

    return jax.tree.map(one_array, jacobians)


def roots(params: Any, x: Any) -> list[tuple[Any, Any]]:
    """[(a, d)] of the affine maps: inputs a (batch, n_in), and d (10, batch, n_out), the columns of
    the root of G at what each map puts out, by `vjp` to zeros that are added there."""
    affine = [record for record in params if record]

    def outputs(zeros: Any) -> Any:
        a, inputs = x, []
        for i, ((w, b), zero) in enumerate(zip(affine, zeros, strict=True)):
            inputs.append(a)
            z = a @ w + b + zero
            a = jnp.tanh(z) if i < len(affine) - 1 else z
        return a, inputs

    zeros = [jnp.zeros((len(x), len(b))) for _, b in affine]
    z, pull, inputs = jax.vjp(outputs, zeros, has_aux=True)
    p = jax.nn.softmax(z)
    root = jax.vmap(jnp.diag)(jnp.sqrt(p)) - p[:, :, None] * jnp.sqrt(p)[:, None]
    (d,) = jax.vmap(pull)(jnp.moveaxis(root, 2, 0) / len(x) ** 0.5)
    return list(zip(inputs, d, strict=True))


def diagonal_by_errors(params: Any, x: Any, y: Any, v: Any) -> Any:
    """diag(G) from inputs and columns."""
    del y, v
    squares = [(a, (d * d).sum(0)) for a, d in roots(params, x)]
    return [((a * a).T @ s, s.sum(0)) for a, s in squares]


def factors_by_errors(params: Any, x: Any, y: Any, v: Any) -> Any:
    """Kronecker factors of G from inputs and columns."""
    del y, v
    ones = jnp.ones((len(x), 1))
    both = [(jnp.concatenate([a, ones], 1), d) for a, d in roots(params, x)]
    return [(a.T @ a / len(x), jnp.einsum("vni,vnj->ij", d, d)) for a, d in both]


def ours(name: str) -> Callable[..., Any]:
    """What `jaxnn` has under that name; the objective beside a product is left away."""
    if name in ("hvp", "gnvp"):
        return lambda p, x, y, v: getattr(nn.curvature, name)(NET, LOSS, p, x, y, v)[1]
    return lambda p, x, y, v: getattr(nn.curvature, name)(NET, LOSS, p, x, y)


def contender(name: str, role: Any, function: Callable[..., Any]) -> Contender:
    """What must agree are the arrays, whatever records they are in."""
    given = lambda inputs: Program(function, *inputs)  # noqa: E731 - a name for a long argument
    return Contender(name, role, given, lambda result, inputs: jax.tree.leaves(result))


def cases(quick: bool) -> Iterator[Case]:
    """Small batches if quick."""
    forms = {
        "hvp": (
            ("idiomatic", "jvp of grad", hvp_by(by_one_hot)),
            ("strongest", "jvp of grad, logsumexp", hvp_by(by_logsumexp)),
            ("strongest", "grad of grad . v", hvp_by_reverse),
        ),
        "gnvp": (
            ("idiomatic", "jvp, jvp of grad, vjp", gnvp_by(by_one_hot)),
            ("strongest", "linearize, H by hand", gnvp_by_linearize),
        ),
        "ggn_diagonal": (
            ("idiomatic", "vmap(jacrev)", diagonal_by_jacobians),
            ("strongest", "vjp to zeros", diagonal_by_errors),
        ),
        "kflr": (("strongest", "vjp to zeros", factors_by_errors),),
    }
    for name, others in forms.items():
        batch = 4 if quick else 32 if name == "ggn_diagonal" else 128
        found = [contender(f"jaxnn.{name}", "ours", ours(name))]
        found += [contender(label, role, function) for role, label, function in others]
        yield Case(f"{name}, batch {batch}", draw(batch), found)


WORKLOAD = Workload(
    "products with curvature matrices, diagonals, factors",
    "What second-order quantities cost. Autodiff is good at products with H and G; we win nothing "
    "there. Jacobians of every example, for the diagonal of G, take far more time and memory than "
    "one backward sweep for each output, one after the other. Who gets the errors of the layers by "
    "vjp, and adds up their squares over the outputs before one product, is faster still.",
    races(cases),
)

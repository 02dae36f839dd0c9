"""K-FAC: the natural gradient, with the Fisher matrix of every affine map as a Kronecker product.

    F = inputs (x) errors,   [dw; db] -> (F + damping I)^-1 [dw; db]

The two factors are small, and so is the inverse of their product. `KFAC(SGD(0.1))` hands what comes
out to an ordinary optimizer, which takes the step; `kfac_start` and `kfac_step` are used as `start`
and `train_step` are, inside your own jit or `lax.scan` too.

A layer is an affine map if the factor of its w is an `Outer`: `Dense`, the weights of a recurrent
layer. All other parameters (embeddings, scales, masked or tied weights, convolutions) go on with
their plain gradient. Source: Martens and Grosse 2015, sections 3 to 6.
"""

from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp

from jaxnn.core.layer import Layer
from jaxnn.core.types import ArrayLike, Key, Params, Tree
from jaxnn.core.values import Pytree, check_count, check_number, static
from jaxnn.curvature.kronecker_factors import Kronecker, Shared, root_factors
from jaxnn.curvature.roots import check_unmixed, n_columns, random_signs, root_column, unit
from jaxnn.losses.loss import Loss
from jaxnn.optim.kfac_inverse import Inverse, inverted, preconditioned
from jaxnn.optim.transforms import apply_updates, as_argument
from jaxnn.sweep.backpropagation import objective, prepare
from jaxnn.training.steps import State

Fisher = Literal["sampled", "exact", "empirical"]


class KFAC(Pytree):
    """The natural gradient, for `optimizer` to step with; `KFAC(SGD(0.1, momentum=0.9))`.

    `damping` lambda > 0 is added to F. `inverse` "exact" adds it to the eigenvalues of the product;
    "factored", which needs no eigenvectors, adds pi sqrt(lambda) to one factor and sqrt(lambda)/pi
    to the other, pi^2 the ratio of their mean eigenvalues.

    Factors are taken anew every `every` steps, and both averaged with the same weight: decay for
    the old, but at least 1/k for the k-th, so the first is taken as it is. `fisher` says of what:
    "sampled" of the model's own errors, one backward sweep; "exact" of all of them, one for each
    class; "empirical" of the errors at the targets, which are no sample of the model's and vanish
    where it fits. `shared` is for inner axes, see `jaxnn.curvature.kronecker_factors`.

    Nothing bounds a step but the optimizer: `KFAC(chain(clip_by_global_norm(1.0), SGD(0.1)))` does.
    Raises ValueError for numbers out of range and words that mean nothing.
    """

    optimizer: Any
    damping: Any = 0.01
    decay: Any = 0.95
    every: int = static(default=1)
    inverse: Inverse = static(default="exact")
    fisher: Fisher = static(default="sampled")
    shared: Shared = static(default="expand")

    def __post_init__(self) -> None:
        check_number(self, "damping", 0.0, open_low=True)
        check_number(self, "decay", 0.0, 1.0)
        check_count(self, "every")
        for field, words in {"inverse": Inverse, "fisher": Fisher, "shared": Shared}.items():
            if getattr(self, field) not in get_args(words):
                raise ValueError(
                    f"KFAC: expected {field} to be one of {get_args(words)}, "
                    f"got {getattr(self, field)!r}"
                )


class KFACState(NamedTuple):
    """`step` counts updates; `factors` are running averages, `inverses` what is made of them;
    `signs` is a random key, and `optimizer` the state of the optimizer inside."""

    step: Any
    factors: Any
    inverses: Any
    signs: Any
    optimizer: Any


def kfac_start(net: Layer, kfac: KFAC, key: Key, x: Tree) -> State:
    """The state before the first step, as `start` makes it. Of x only shape and dtype are used.

    Raises ValueError for a network that mixes examples, or has no affine map.
    """
    check_unmixed("kfac_start", net)
    params, reading = net.init(key, x), Kronecker(kfac.shared)

    def kept(params: Params, x: Tree, key: Key) -> Any:
        outputs, residuals = net.forward(params, x, key)
        _, found = net.backward(params, residuals, outputs, reading)
        factors = reading.answer(found)
        return factors, inverted(factors, params, kfac.damping, kfac.inverse)

    like = jax.eval_shape(kept, params, jax.ShapeDtypeStruct(x.shape, x.dtype), key)
    if not jax.tree.leaves(like):
        raise ValueError(
            f"{net!r}: expected a network with an affine map, such as Dense, got one without "
            "factors for K-FAC to invert; train it with train_step and an ordinary optimizer"
        )
    factors, inverses = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
    inner = as_argument(kfac.optimizer).init(params)
    step, signs = jnp.zeros((), jnp.int32), jax.random.fold_in(key, 1)
    return State(params, KFACState(step, factors, inverses, signs, inner))


def kfac_step(
    net: Layer,
    loss: Loss,
    kfac: KFAC,
    state: State,
    x: Tree,
    y: Tree,
    key: Key = None,
    *,
    weights: ArrayLike = None,
    penalty: Any = None,
) -> tuple[State, Any]:
    """One update from one mini-batch: the new state and the objective before the update.

    Arguments as for `train_step`. A penalty is in the gradient, not in F: add the strength of an
    `l2` to the damping. Errors as for `ggn_diagonal`; ValueError for a loss with reduction "none".
    """
    check_unmixed("kfac_step", net)
    if loss.reduction == "none":
        raise ValueError(
            f"{loss!r}: expected reduction 'mean' or 'sum' to train on one number, got 'none'"
        )
    x, y, weights = prepare(net, loss, state.params, x, y, key, weights)
    kfac = kfac.replace(optimizer=as_argument(kfac.optimizer))
    return _step(_Batch(net, loss, x, y, key, weights), kfac, state, penalty)


class _Batch(NamedTuple):
    """What a step looks at."""

    net: Layer
    loss: Loss
    x: Any
    y: Any
    key: Any
    weights: Any


@jax.jit
def _step(batch: _Batch, kfac: KFAC, state: State, penalty: Any) -> tuple[State, Any]:
    net, params, kept = batch.net, state.params, state.optimizer
    swept = net.forward(params, batch.x, batch.key)
    value, deltas, c = objective(batch.loss, swept[0], batch.y, batch.weights)
    _, grads = net.backward(params, swept[1], deltas, lambda factor: factor.contract(c))
    if penalty is not None:
        extra, dparams = penalty(params)
        value, grads = value + extra.astype(value.dtype), jax.tree.map(jnp.add, grads, dparams)

    def refresh() -> Any:
        signs = jax.random.fold_in(kept.signs, kept.step)
        new = _fisher(batch, kfac, params, swept, (deltas, c), signs)
        factors = _averaged(kfac, kept, new)
        return factors, inverted(factors, params, kfac.damping, kfac.inverse)

    old = kept.factors, kept.inverses
    factors, inverses = jax.lax.cond(kept.step % kfac.every == 0, refresh, lambda: old)
    natural = preconditioned(inverses, grads)
    updates, inner = kfac.optimizer.update(natural, kept.optimizer, params)
    kept = KFACState(kept.step + 1, factors, inverses, kept.signs, inner)
    return State(apply_updates(params, updates), kept, state.statistics), value


def _fisher(
    batch: _Batch, kfac: KFAC, params: Params, swept: Any, errors: Tree, signs: ArrayLike
) -> Any:
    """The factors of this mini-batch, from the outputs and residuals of its forward sweep."""
    (outputs, residuals), (deltas, c), reading = swept, errors, Kronecker(kfac.shared)

    def read(dy: Tree, c: ArrayLike) -> Any:
        return batch.net.backward(params, residuals, dy, lambda factor: reading.of(factor, c))[1]

    def pull(v: Tree, c: ArrayLike) -> Any:
        u = unit(v, outputs) if kfac.fisher == "exact" else random_signs(signs, outputs)
        return read(root_column(batch.loss, outputs, batch.y, batch.weights, u), c)

    if kfac.fisher == "empirical":
        return reading.answer(read(deltas, c))
    return root_factors(pull, c, n_columns(outputs) if kfac.fisher == "exact" else 1)


def _averaged(kfac: KFAC, kept: KFACState, new: Tree) -> Any:
    """decay * old + (1 - decay) * new for inputs and errors alike; the k-th weighs 1/k or more."""

    def mix(old: Tree, new: Tree) -> Any:
        least = 1 / (kept.step // kfac.every + 1).astype(old.dtype)
        part = jnp.maximum(least, 1 - jnp.asarray(kfac.decay, old.dtype))
        return old + part * (new - old)

    return jax.tree.map(mix, kept.factors, new)

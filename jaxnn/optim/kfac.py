"""K-FAC: the natural gradient, with the Fisher matrix of every affine map as a Kronecker product.

    F = inputs (x) errors,   [dw; db] -> (F + damping I)^-1 [dw; db]

The two factors are small, and so is the inverse of their product. `KFAC(SGD(0.1))` hands what comes
out to an ordinary optimizer, which takes the step, and is itself used like one.

A layer is an affine map if the factor of its w is an `Outer`: `Dense`, the weights of a recurrent
layer, a weight used in several places, each of those in a `Repeat`; or a `ConvOuter` in one group:
`Conv`. All other parameters (embeddings, scales, masked weights, transposed convolutions) go on
with their plain gradient. Sources: Martens and Grosse 2015, sections 3 to 6; Grosse and Martens
2016, for convolutions.
"""

from typing import Annotated, Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp

from jaxnn.core.ranges import Count, Positive, Share
from jaxnn.core.types import Array, Key, Number, Params, Tree
from jaxnn.core.values import Pytree, static
from jaxnn.curvature.fisher import Fisher, Source
from jaxnn.curvature.kronecker_factors import Kronecker, Shared
from jaxnn.optim.asking import check_inner
from jaxnn.optim.chaining import as_argument
from jaxnn.optim.kfac_inverse import Inverse, inverted, preconditioned
from jaxnn.readings.linear import gradient


class KFACState(NamedTuple):
    """`step` counts updates; `factors` are running averages, `inverses` what is made of them;
    `signs` is a random key, and `optimizer` the state of the optimizer inside."""

    step: Any
    factors: Any
    inverses: Any
    signs: Any
    optimizer: Any


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

    A penalty is in the gradient, not in F: add the strength of an `l2` to the damping. Nothing
    bounds a step but the optimizer: `KFAC(chain(clip_by_global_norm(1.0), SGD(0.1)))` does. The
    state is that of `jaxnn.start`, which knows the network. Raises ValueError for numbers out of
    range and words that mean nothing and, at the start, for a network that mixes examples or has no
    affine map.
    """

    optimizer: Any
    damping: Annotated[Number, Positive] = 0.01
    """Added to the curvature."""
    decay: Annotated[Number, Share] = 0.95
    """Share of the running mean of the factors that is kept."""
    every: Annotated[int, Count] = static(default=1)
    """Steps between two looks at the curvature."""
    inverse: Inverse = static(default="exact")
    """What the damping is added to: the product of the factors, or each of them."""
    fisher: Source = static(default="sampled")
    """Whose errors the curvature is taken from."""
    shared: Shared = static(default="expand")
    """How positions that share a weight count."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_inner(self.optimizer)

    def read(self, state: KFACState | None) -> tuple[Any, Kronecker]:
        """The gradient, and the Fisher matrix in the steps that take it anew."""
        if state is None:
            return gradient, Kronecker(self.shared)
        signs = jax.random.fold_in(state.signs, state.step) if self.fisher == "sampled" else None
        return gradient, Fisher(self.shared, self.fisher, signs, self._due(state))

    def init(self, params: Params) -> NoReturn:
        raise ValueError(
            f"{self!r}: expected its state from jaxnn.start(net, optimizer, key, x), which knows "
            "the network; params alone do not tell which of them are affine maps"
        )

    def start(self, params: Params, found: Tree, key: Key) -> KFACState:
        _, factors = found
        if not jax.tree.leaves(factors):
            raise ValueError(
                f"{self!r}: expected a network with an affine map, such as Dense, got one without "
                "factors to invert; train it with an ordinary optimizer"
            )
        like = factors, jax.eval_shape(self._inverted, factors, params)
        factors, inverses = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
        inner = as_argument(self.optimizer).init(params)
        step, signs = jnp.zeros((), jnp.int32), jax.random.fold_in(key, 1)
        return KFACState(step, factors, inverses, signs, inner)

    def update(self, found: Tree, state: KFACState, params: Params) -> tuple[Any, KFACState]:
        """(updates, state), the updates of the optimizer for the natural gradient."""
        grads, new = found

        def refresh() -> tuple[Any, Any]:
            factors = self._averaged(state, new)
            return factors, self._inverted(factors, params)

        due, old = self._due(state), (state.factors, state.inverses)
        factors, inverses = refresh() if due is None else jax.lax.cond(due, refresh, lambda: old)
        natural = preconditioned(inverses, grads)
        updates, inner = as_argument(self.optimizer).update(natural, state.optimizer, params)
        return updates, KFACState(state.step + 1, factors, inverses, state.signs, inner)

    def _due(self, state: KFACState) -> Array | None:
        """Whether this step takes the factors anew; None where every step does."""
        return None if self.every == 1 else state.step % self.every == 0

    def _inverted(self, factors: Tree, params: Params) -> Tree:
        return inverted(factors, params, self.damping, self.inverse)

    def _averaged(self, state: KFACState, new: Tree) -> Tree:
        """decay * old + (1 - decay) * new for both factors; the k-th weighs 1/k or more."""

        def mix(old: Array, new: Array) -> Array:
            least = 1 / (state.step // self.every + 1).astype(old.dtype)
            part = jnp.maximum(least, 1 - jnp.asarray(self.decay, old.dtype))
            return old + part * (new - old)

        return jax.tree.map(mix, state.factors, new)

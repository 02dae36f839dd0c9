"""Optimizers: gradient transformations written as a rule for one array.

The numbers of an optimizer are pytree leaves: another learning rate does not compile again, and a
sweep over rates is one `jax.vmap`. `learning_rate` is a number or a schedule. Letters: g gradient,
p parameter, t = 1, 2, ... the step, eta the learning rate. State and arithmetic are at least
float32, whatever the parameters are.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.parameters import weights
from jaxnn.core.ranges import Fraction, NotNegative, Positive, Share
from jaxnn.core.refusals import check_same_tree
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, Number, Params, Path
from jaxnn.core.values import Pytree, static
from jaxnn.schedules import rate_at


class OptimizerState(NamedTuple):
    """`step` counts the updates made; `slots` holds one tree like params for each running sum."""

    step: Any
    slots: tuple[Any, ...]


class Optimizer(Pytree):
    """Base of all optimizers. A subclass says how many `slots` it keeps and writes `rule`."""

    learning_rate: Annotated[Number, NotNegative] | Callable[[Array], Any]
    """A number, or a schedule of the step."""

    def n_slots(self) -> int:
        """How many arrays the rule keeps for each parameter, zero at first."""
        return 0

    def rule(
        self, g: Array, p: Array, slots: Any, eta: Array, t: Array
    ) -> tuple[Any, tuple[Any, ...]]:
        """The update of one array, to be added to p, and its new slots."""
        raise NotImplementedError(f"write {type(self).__name__}.rule(self, g, p, slots, eta, t)")

    def update_of(self, path: Path, g: Array, p: Array, slots: Any, eta: Array, t: Array) -> Any:
        """`rule` for the parameter at `path`, where it depends on what the parameter is."""
        del path
        return self.rule(g, p, slots, eta, t)

    def init(self, params: Params) -> OptimizerState:
        """State before the first update."""
        return _no_steps(params, self.n_slots())

    def update(
        self, grads: Params, state: OptimizerState, params: Params
    ) -> tuple[Any, OptimizerState]:
        """(updates, state): updates are shaped and typed like params, to be added to them.

        Raises ValueError where the structures or shapes of grads, params and state differ.
        """
        check_same_tree("grads", grads, "params", params)
        for slot in state.slots:
            check_same_tree("the optimizer's state", slot, "params", params)
        eta = rate_at(self.learning_rate, state.step.astype(float))
        leaves, structure = jax.tree_util.tree_flatten_with_path(params)
        columns = [jax.tree.leaves(tree) for tree in (grads, *state.slots)]
        updates, slots = [], []
        for (path, p), g, *slot in zip(leaves, *columns, strict=True):
            dtype = wide_dtype(p)
            u, new = self.update_of(
                path,
                g.astype(dtype),
                p.astype(dtype),
                slot,
                jnp.asarray(eta, dtype),
                (state.step + 1).astype(dtype),
            )
            updates.append(u.astype(p.dtype))
            slots.append(new)
        trees = [structure.unflatten(column) for column in zip(*slots, strict=True)]
        return structure.unflatten(updates), OptimizerState(state.step + 1, tuple(trees))


@partial(jax.jit, static_argnums=1)  # one program for all parameters, instead of one for each
def _no_steps(params: Params, slots: int) -> OptimizerState:
    def zeros() -> Any:
        return jax.tree.map(lambda p: jnp.zeros(p.shape, wide_dtype(p)), params)

    return OptimizerState(jnp.zeros((), jnp.int32), tuple(zeros() for _ in range(slots)))


class SGD(Optimizer):
    """Gradient descent: p <- p - eta g. With momentum mu, v <- mu v + g and

        p <- p - eta v,    or with `nesterov`    p <- p - eta (g + mu v).

    Without momentum (None) nothing is kept. Sources: Polyak 1964, eq. 9; Nesterov 1983 in the form
    of Sutskever et al. 2013, eqs. 3 and 4, with the rate outside of v.
    """

    any_shape = True
    momentum: Annotated[Number, Share] | None = None
    """Share of the last step that is kept."""
    nesterov: bool = static(default=False)
    """Whether the momentum looks ahead; needs momentum above 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and self.momentum is None:
            raise ValueError("SGD: expected a momentum with nesterov=True, got None; try 0.9")

    def n_slots(self) -> int:
        return 0 if self.momentum is None else 1

    def rule(
        self, g: Array, p: Array, slots: Any, eta: Array, t: Array
    ) -> tuple[Any, tuple[Any, ...]]:
        if self.momentum is None:
            return -eta * g, ()
        mu = jnp.asarray(self.momentum, g.dtype)
        v = mu * slots[0] + g
        return -eta * (g + mu * v if self.nesterov else v), (v,)


class AdaGrad(Optimizer):
    """s <- s + g^2,   p <- p - eta g / (sqrt(s) + eps). Source: Duchi, Hazan and Singer 2011."""

    any_shape = True
    eps: Annotated[Number, Positive] = 1e-10
    """Keeps the division finite."""

    def n_slots(self) -> int:
        return 1

    def rule(
        self, g: Array, p: Array, slots: Any, eta: Array, t: Array
    ) -> tuple[Any, tuple[Any, ...]]:
        s = slots[0] + g * g
        return -eta * g / (jnp.sqrt(s) + jnp.asarray(self.eps, g.dtype)), (s,)


class RMSProp(Optimizer):
    """s <- decay s + (1 - decay) g^2,   p <- p - eta g / (sqrt(s) + eps).

    Source: Tieleman and Hinton 2012, lecture 6.5.
    """

    any_shape = True
    decay: Annotated[Number, Share] = 0.9
    """Share of the running mean that is kept."""
    eps: Annotated[Number, Positive] = 1e-8
    """Keeps the division finite."""

    def n_slots(self) -> int:
        return 1

    def rule(
        self, g: Array, p: Array, slots: Any, eta: Array, t: Array
    ) -> tuple[Any, tuple[Any, ...]]:
        decay, eps = jnp.asarray(self.decay, g.dtype), jnp.asarray(self.eps, g.dtype)
        s = decay * slots[0] + (1 - decay) * g * g
        return -eta * g / (jnp.sqrt(s) + eps), (s,)


class Adam(Optimizer):
    """m <- b1 m + (1 - b1) g,   s <- b2 s + (1 - b2) g^2,

        p <- p - eta (m / (1 - b1^t)) / (sqrt(s / (1 - b2^t)) + eps).

    Source: Kingma and Ba 2015, algorithm 1.
    """

    any_shape = True
    b1: Annotated[Number, Fraction] = 0.9
    """Share of the running mean of the gradient that is kept."""
    b2: Annotated[Number, Fraction] = 0.999
    """Share of the running mean of the squared gradient that is kept."""
    eps: Annotated[Number, Positive] = 1e-8
    """Keeps the division finite."""

    def n_slots(self) -> int:
        return 2

    def rule(
        self, g: Array, p: Array, slots: Any, eta: Array, t: Array
    ) -> tuple[Any, tuple[Any, ...]]:
        b1, b2, eps = (jnp.asarray(v, g.dtype) for v in (self.b1, self.b2, self.eps))
        m = b1 * slots[0] + (1 - b1) * g
        s = b2 * slots[1] + (1 - b2) * g * g
        return -eta * (m / (1 - b1**t)) / (jnp.sqrt(s / (1 - b2**t)) + eps), (m, s)


class AdamW(Adam):
    """Adam, and apart from it p <- p - eta weight_decay p for weights (not biases or scales).

    The decay does not pass through the division by sqrt(s): it is decoupled, unlike an `l2` penalty
    added to g. Source: Loshchilov and Hutter 2019, algorithm 2.
    """

    any_shape = True
    weight_decay: Annotated[Number, NotNegative] = 0.01
    """Shrinks the weights directly, not through the gradient (decoupled)."""

    def update_of(self, path: Path, g: Array, p: Array, slots: Any, eta: Array, t: Array) -> Any:
        u, slots = self.rule(g, p, slots, eta, t)
        decay = jnp.asarray(self.weight_decay, g.dtype) if weights(path) else 0
        return u - eta * decay * p, slots

"""An optimizer says what it reads: steps, epochs, micro-batches and many models honour it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxnn as nn
from jaxnn.curvature import Fisher, kflr
from jaxnn.readings import second_moment
from tests.compare import assert_trees_close, draw

KEY = jax.random.key(3)
NET = nn.serial(nn.Dense(4), nn.tanh, nn.Dense(3))
LOSS = nn.softmax_cross_entropy
pytestmark = pytest.mark.usefixtures("x64")


def data(n=8):
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=(n, 5))), jnp.asarray(rng.integers(0, 3, n))


class BySpread(NamedTuple):
    """An optimizer of one's own, two methods and what it reads: dw over the root of its moment."""

    rate: float = 0.1
    read = (nn.gradient, second_moment)

    def init(self, params):
        return jnp.zeros(())

    def update(self, found, state, params):
        grads, moments = found
        move = jax.tree.map(lambda g, m: -self.rate * g / jnp.sqrt(m + 1e-3), grads, moments)
        return move, state + nn.total(jax.tree.map(jnp.sum, moments))

    def report(self, state):
        return {"moments": state}


class EverySecond(NamedTuple):
    """One whose state decides: the gradient with its sign turned in every second step."""

    def read(self, state):
        turned = False if state is None else state % 2 == 1
        return nn.readings.weighted(jnp.where(turned, -jnp.ones(8), jnp.ones(8)) / 8)

    def init(self, params):
        return jnp.zeros((), jnp.int32)

    def update(self, found, state, params):
        return jax.tree.map(jnp.negative, found), state + 1


def start(optimizer, net=NET):
    x, y = data()
    return nn.start(net, optimizer, KEY, x), x, y


def test_a_step_hands_over_what_is_read_and_the_penalty_is_in_the_first_of_it():
    state, x, y = start(BySpread())
    _, (grads, moments) = nn.backprop(NET, LOSS, state.params, x, y, read=BySpread.read)
    grads = jax.tree.map(jnp.add, grads, nn.l2(0.3)(state.params)[1])
    wanted, _ = BySpread().update((grads, moments), state.optimizer, state.params)
    moved, _ = nn.train_step(
        NET, LOSS, BySpread(), state, x, y, options=nn.Options(penalty=nn.l2(0.3))
    )
    assert_trees_close(moved.params, jax.tree.map(jnp.add, state.params, wanted), rtol=1e-12)
    assert nn.optim.reported(BySpread(), moved.optimizer) == {"moments": moved.optimizer}
    assert float(moved.optimizer) > 0


def test_what_is_read_may_depend_on_the_state():
    state, x, y = start(EverySecond())
    once, _ = nn.train_step(NET, LOSS, EverySecond(), state, x, y)
    _, grads = nn.backprop(NET, LOSS, once.params, x, y)
    twice, _ = nn.train_step(NET, LOSS, EverySecond(), once, x, y)
    assert_trees_close(twice.params, jax.tree.map(jnp.add, once.params, grads), rtol=1e-12)


OPTIMIZERS = {
    "own": BySpread(),
    "kfac": nn.KFAC(nn.SGD(0.1, momentum=0.5), fisher="exact", every=2),
    "empirical": nn.Averaged(nn.KFAC(nn.Adam(0.01), fisher="empirical", inverse="factored"), 0.9),
    "clipped": nn.chain(nn.clip_examples(0.3), nn.Adam(0.1)),
    "noise": nn.chain(nn.track_noise_scale(0.9), nn.clip_by_global_norm(1.0), nn.SGD(0.1)),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_parts_of_a_mini_batch_and_an_epoch_give_what_steps_give(optimizer):
    state, x, y = start(optimizer)
    order, w = np.random.default_rng(1).permutation(8), np.linspace(0.5, 1.5, 8)
    for rows in (order[:4], order[4:]):
        options = nn.Options(weights=w[rows], penalty=nn.l2(0.1))
        training = NET, LOSS, optimizer, state, x[rows], y[rows]
        state, _ = nn.train_step(*training, options=options)
    for parts in (1, 2):
        fresh, options = start(optimizer)[0], nn.Options(w, nn.l2(0.1), micro_batches=parts)
        training = NET, LOSS, optimizer, fresh, x, y, order
        got, _ = nn.train_epoch(*training, batch_size=4, options=options)
        assert_trees_close(got.params, state.params, rtol=1e-9)
        assert_trees_close(
            nn.optim.reported(optimizer, got.optimizer),
            nn.optim.reported(optimizer, state.optimizer),
            rtol=1e-9,
        )


def test_many_models_take_each_its_own_reading():
    x, y = data()
    optimizers = [nn.chain(nn.clip_examples(b), nn.SGD(0.5)) for b in (0.1, 0.4)]
    alone, states = [], [nn.start(NET, o, KEY, x) for o in optimizers]
    together = nn.stack([nn.start(NET, o, KEY, x) for o in optimizers])
    given = x, y, np.arange(8)
    for optimizer, state in zip(optimizers, states, strict=True):
        alone.append(nn.train_epoch(NET, LOSS, optimizer, state, *given, batch_size=4)[0])
    training = NET, LOSS, nn.stack(optimizers), together
    got, _ = nn.train_epoch_together(*training, *given, batch_size=4)
    assert_trees_close(got.params, nn.stack(alone).params, rtol=1e-12)


def test_clipping_bounds_each_example_and_says_how_many():
    state, x, y = start(nn.SGD(1.0))
    optimizer = nn.chain(nn.clip_examples(1.5), nn.SGD(1.0))
    _, each = nn.backprop(NET, LOSS, state.params, x, y, read=nn.per_example)
    flat = jax.vmap(lambda tree: ravel_pytree(tree)[0])(each)
    norms = np.linalg.norm(flat, axis=1)
    wanted = np.mean(flat * np.minimum(1, 1.5 / norms)[:, None], 0)
    assert 0 < (norms > 1.5).mean() < 1
    moved, _ = nn.train_step(NET, LOSS, optimizer, nn.start(NET, optimizer, KEY, x), x, y)
    got = jax.tree.map(jnp.subtract, state.params, moved.params)
    assert_trees_close(ravel_pytree(got)[0], wanted, rtol=1e-12)
    share = nn.optim.reported(optimizer, moved.optimizer)["clipped_share"]
    assert float(share) == (norms > 1.5).mean()


def test_noise_has_the_size_of_one_example_and_is_new_in_every_step():
    x, y = data()
    wide = nn.serial(nn.Dense(400), nn.tanh, nn.Dense(3))
    quiet, loud = (nn.chain(nn.clip_examples(1e-9, noise), nn.SGD(1.0)) for noise in (0.0, 2.0))
    first = nn.start(wide, loud, KEY, x)
    once, _ = nn.train_step(wide, LOSS, loud, first, x, y)
    twice, _ = nn.train_step(wide, LOSS, loud, once, x, y)
    steps = [
        ravel_pytree(jax.tree.map(jnp.subtract, a.params, b.params))[0] * 1e9
        for a, b in ((once, first), (twice, once))
    ]
    size = len(steps[0])  # 3,600 numbers: four standard errors are 5 %
    assert [float(s.std()) for s in steps] == pytest.approx([2 / 8, 2 / 8], rel=0.05)
    assert abs(float(jnp.corrcoef(jnp.stack(steps))[0, 1])) < 4 / np.sqrt(size)
    still, _ = nn.train_step(wide, LOSS, quiet, nn.start(wide, quiet, KEY, x), x, y)
    moved = ravel_pytree(jax.tree.map(jnp.subtract, still.params, first.params))[0]
    assert float(jnp.linalg.norm(moved)) <= 1e-9  # the bound, without noise


def test_the_noise_scale_is_the_ratio_of_sums():
    state, x, y = start(nn.chain(nn.track_noise_scale(0.5), nn.SGD(0.0)))
    optimizer, traces, squares = nn.chain(nn.track_noise_scale(0.5), nn.SGD(0.0)), 0.0, 0.0
    for rows in (slice(0, 4), slice(4, 8)):
        given = NET, LOSS, state.params, x[rows], y[rows]
        _, noise = nn.backprop(*given, read=nn.readings.noise_scale)
        traces, squares = 0.5 * traces + noise.trace, 0.5 * squares + noise.square
        state, _ = nn.train_step(NET, LOSS, optimizer, state, x[rows], y[rows])
    found = nn.optim.reported(optimizer, state.optimizer)
    assert_trees_close(found, {"noise_scale": traces / squares}, rtol=1e-6)  # kept in float32


def test_the_fisher_matrix_is_a_reading_beside_others():
    x, y = data()
    params = draw(NET.init(KEY, x), 0)
    read = nn.squared_norms, Fisher("expand", "exact"), nn.gradient
    _, (norms, found, grads) = nn.backprop(NET, LOSS, params, x, y, read=read)
    _, (same, wanted) = nn.backprop(NET, LOSS, params, x, y, read=(nn.squared_norms, nn.gradient))
    assert_trees_close((norms, grads), (same, wanted), rtol=1e-12)
    assert_trees_close(found, kflr(NET, LOSS, params, x, y), rtol=1e-12)
    _, parts = nn.accumulate(NET, LOSS, params, x, y, micro_batches=4, read=Fisher())
    assert_trees_close(parts, found, rtol=1e-12)
    _, nothing = nn.backprop(NET, LOSS, params, x, y, read=Fisher(due=jnp.asarray(False)))
    assert not any(leaf.any() for leaf in jax.tree.leaves(nothing))


class NoTree(NamedTuple):
    """Reads numbers for each example alone, to which no penalty can be added."""

    read: Any = nn.squared_norms

    def init(self, params):
        return ()

    def update(self, found, state, params):
        return jax.tree.map(jnp.zeros_like, params), state


NO: Any = "no"  # where a word is asked for
MIXING = nn.serial(nn.Dense(4), nn.BatchNorm(), nn.Dense(3))


def penalised():
    state, x, y = start(NoTree())
    return nn.train_step(NET, LOSS, NoTree(), state, x, y, options=nn.Options(penalty=nn.l2(0.1)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (penalised, r"the first of what an optimizer reads\[0\]\.w: expected shape \(5, 4\) as in"),
        (
            lambda: nn.chain(nn.SGD(0.1), nn.clip_examples(1.0)),
            r"only the first to read more than the gradient, got clip_examples\(1.0\) at \[1\]",
        ),
        (lambda: start(nn.KFAC(nn.SGD(0.1)), MIXING), r"got layers that mix .*\[1\] BatchNorm"),
        (lambda: start(OPTIMIZERS["clipped"], MIXING), r"clipped: .*\[1\] BatchNorm\(\); no bound"),
        (lambda: nn.KFAC(nn.SGD(0.1)).init(()), r"expected its state from jaxnn\.start"),
        (lambda: nn.clip_examples(0.0), r"clip_examples: expected a finite bound in \(0, inf\]"),
        (lambda: nn.clip_examples(1.0, -1.0), r"clip_examples: expected a finite noise in \[0"),
        (
            lambda: nn.clip_examples(1.0, how=NO),
            r"one of \('flat', 'per_layer', 'automatic'\), got 'no'",
        ),  # pyright: ignore
        (lambda: Fisher(source="sampled"), r"Fisher: expected a key `signs` to sample with"),
        (lambda: Fisher(source="none"), r"source to be one of .*, got 'none'"),  # pyright: ignore
    ],
)
def test_what_cannot_be_read_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_keywords_of_the_last_version_still_work_and_say_what_to_write():
    x, y = data()
    old: dict[str, Any] = {"weights": np.linspace(0, 1, 8), "penalty": nn.l2(0.1)}
    state = nn.start(NET, nn.SGD(0.1), KEY, x)
    given = NET, LOSS, nn.SGD(0.1), state, x, y
    wanted, _ = nn.train_step(*given, options=nn.Options(**old))
    said = (
        r"train_step\(weights, penalty=\.\.\.\) is now options=jaxnn\.Options\(weights=\.\.\., pen"
    )
    with pytest.warns(DeprecationWarning, match=said):
        got, _ = nn.train_step(*given, **old)
    assert_trees_close(got.params, wanted.params, rtol=0)

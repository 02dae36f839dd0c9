"""Loss scaling: nothing changes but what float16 would lose; steps that overflow are skipped."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import SGD, Dense, LossScaled, MixedPrecision, Options, serial, softmax_cross_entropy
from jaxnn.layers import Chunked
from tests.compare import KEY, assert_trees_close, draw

NET, LOSS = serial(Dense(5), nn.tanh, Dense(3)), softmax_cross_entropy
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(6, 4)), jnp.float32)
Y = jnp.asarray(RNG.integers(0, 3, 6))


def start(net, optimizer, x=X):
    state = nn.start(net, optimizer, KEY, x)
    return state._replace(params=draw(state.params, 1))


def numbers(tree):
    return [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.number)]


def step(
    net: Any, optimizer: Any, state: Any, loss: Any = LOSS, y: Any = Y, x: Any = X, **options: Any
) -> tuple[Any, Any]:
    return nn.train_step(net, loss, optimizer, state, x, y, options=Options(**options))


INSIDE = {
    "sgd": SGD(0.5, momentum=0.9),
    "kfac": nn.KFAC(SGD(0.5)),
    "clipped examples": nn.chain(nn.clip_examples(0.3), SGD(0.5)),
    "noise": nn.chain(nn.track_noise_scale(), nn.clip_by_global_norm(0.1), SGD(0.5)),
    "averaged": nn.Averaged(nn.Adam(0.1)),
}
NETS = {
    "float32": NET,
    "bfloat16": MixedPrecision(NET),
    "chunked": serial(Dense(5), Chunked(Dense(3), 2)),
    "repeat": serial(Dense(5), nn.Repeat(MixedPrecision(Dense(5)), 3), Dense(3)),
}


@pytest.mark.parametrize("inner", INSIDE.values(), ids=INSIDE)
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_a_power_of_2_changes_nothing_where_nothing_is_lost(net, inner):
    outer = LossScaled(inner, 1024.0)
    plain, scaled = start(net, inner), start(net, outer)
    for options in ({"penalty": nn.l2(0.1), "weights": np.arange(6.0)}, {"micro_batches": 2}):
        plain, wanted = step(net, inner, plain, **options)
        scaled, value = step(net, outer, scaled, **options)
        assert float(value) == float(wanted)
        found = scaled._replace(optimizer=scaled.optimizer.optimizer)
        assert_trees_close(numbers(found), numbers(plain), rtol=1e-5)
    assert nn.optim.reported(outer, scaled.optimizer)["skipped"] == 0


class Tiny(nn.Loss, name="tiny"):
    """2^-30 times half_square: errors that float16 makes 0."""

    def __call__(self, outputs, y):
        values, deltas = nn.half_square(outputs, y)
        return values * 2.0**-30, deltas * 2.0**-30


@pytest.mark.parametrize("parts", [1, 2])
def test_errors_that_float16_loses_are_kept(parts):
    net, y = MixedPrecision(NET, "float16"), jnp.asarray(RNG.normal(size=(6, 3)), jnp.float32)

    def moved(net, optimizer):
        state = start(net, optimizer)
        new, _ = step(net, optimizer, state, Tiny(), y, micro_batches=parts)
        return jax.tree.map(jnp.subtract, new.params, state.params)

    sgd = SGD(2.0**30)
    assert not any(leaf.any() for leaf in jax.tree.leaves(moved(net, sgd)))
    # float16 keeps 11 bits, and every layer rounds once forward and once backward
    assert_trees_close(moved(net, LossScaled(sgd)), moved(NET, sgd), rtol=8 * 2.0**-11)


def test_a_step_that_overflows_is_skipped_and_the_scale_finds_its_place():
    net = MixedPrecision(serial(Dense(5), nn.BatchNorm(), nn.tanh, Dense(3)), "float16")
    optimizer = LossScaled(nn.Averaged(SGD(0.5, momentum=0.9)), 2.0**18, every=3)
    state, scales = start(net, optimizer), []
    for _ in range(9):
        old = state
        state, value = step(net, optimizer, state)
        assert jnp.isfinite(value)
        scales.append(np.log2(state.optimizer.scale))
        if scales[-1] == np.log2(old.optimizer.scale) - 1:
            kept = lambda state: numbers((state.params, state.optimizer.optimizer))  # noqa: E731
            assert_trees_close(kept(state), kept(old), rtol=0)
    assert scales == [17, 16, 15, 15, 15, 16, 15, 14, 14]  # doubled after three good steps
    assert nn.optim.reported(optimizer, state.optimizer) == {"loss_scale": 2.0**14, "skipped": 5}
    static = optimizer.replace(every=None)
    state, _ = step(net, static, start(net, static))
    assert nn.optim.reported(static, state.optimizer) == {"loss_scale": 2.0**18, "skipped": 1}


def test_a_forward_sweep_that_overflows_leaves_running_statistics_alone():
    net = MixedPrecision(serial(Dense(5), nn.BatchNorm(), Dense(3)), "float16")
    optimizer = LossScaled(SGD(0.5), 256.0)
    state, _ = step(net, optimizer, start(net, optimizer))
    after, _ = step(net, optimizer, state, x=X.at[0, 0].set(1e6))
    assert int(after.optimizer.skipped) == 1
    assert_trees_close(after.statistics, state.statistics, rtol=0)
    assert_trees_close(after.params, state.params, rtol=0)


def test_an_epoch_in_float16_learns_what_one_in_float32_does():
    order, found, scaled = np.tile(np.arange(6), 20), [], LossScaled(SGD(0.5), 256.0)
    for net, optimizer in ((NET, SGD(0.5)), (MixedPrecision(NET, "float16"), scaled)):
        state = start(net, optimizer)
        state, _ = nn.train_epoch(net, LOSS, optimizer, state, X, Y, order, batch_size=6)
        found.append(nn.evaluate(net, LOSS, state.params, X, Y)["loss"])
    # twenty steps, each rounded in 11 bits
    assert abs(found[0] - found[1]) < 20 * 2.0**-11
    assert found[1] < 0.5


def test_chunked_goes_part_by_part_under_a_scale():
    """No array of the program has all logits."""
    net, optimizer = NETS["chunked"], LossScaled(SGD(0.5))
    state = start(net, optimizer)
    program = jax.jit(lambda state, x, y: step(net, optimizer, state, x=x, y=y)[0])
    text = program.lower(state, X, Y).as_text()
    assert "tensor<2x3xf32>" in text
    assert "tensor<6x3xf32>" not in text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LossScaled(SGD(0.1), 0.0), "expected a finite scale in"),
        (lambda: LossScaled(SGD(0.1), every=0), "expected every to be a whole number >= 1"),
        (lambda: nn.Averaged(LossScaled(SGD(0.1))), "put its LossScaled around the whole"),
        (lambda: nn.KFAC(LossScaled(SGD(0.1))), "put its LossScaled around the whole"),
        (lambda: nn.chain(LossScaled(SGD(0.1))), "put its LossScaled around the whole"),
        (lambda: LossScaled(LossScaled(SGD(0.1))), "put its LossScaled around the whole"),
    ],
)
def test_a_scale_out_of_place_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

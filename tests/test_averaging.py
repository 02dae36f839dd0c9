"""The average of parameters against its definition, wherever it stands among transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import SGD, Averaged, averaged, chain, softmax_cross_entropy
from tests.compare import KEY, assert_trees_close, draw

x64 = pytest.mark.usefixtures("x64")
PARAMS = (nn.Affine(np.zeros((3, 5)), np.zeros(5)),)


def run(optimizer, params, steps=5):
    """The parameters after each update, and the state in the end."""
    state = nn.State(params, optimizer.init(params))
    seen = []
    for seed in range(steps):
        updates, kept = optimizer.update(draw(params, seed + 1), state.optimizer, state.params)
        state = nn.State(nn.optim.apply_updates(state.params, updates), kept)
        seen.append(state.params)
    return seen, state


@x64
@pytest.mark.parametrize("decay", [0.0, 0.7, 0.999, 1.0])
def test_the_average_is_its_definition(decay):
    params = draw(PARAMS, 0)
    seen, state = run(Averaged(SGD(0.3), decay), params)
    plain, _ = run(SGD(0.3), params)
    assert_trees_close(seen[-1], plain[-1], rtol=0)
    w = np.array([decay ** (len(seen) - 1 - i) for i in range(len(seen))])
    wanted = jax.tree.map(lambda *p: jnp.tensordot(w / w.sum(), jnp.stack(p), 1), *seen)
    assert_trees_close(averaged(state), wanted, rtol=1e-11)  # 1 - 0.999^t has lost three digits


@x64
def test_it_stands_inside_a_chain_or_around_it_and_takes_a_pair_of_functions():
    params, clip = draw(PARAMS, 0), nn.clip_by_global_norm(0.5)
    around = averaged(run(Averaged(chain(clip, SGD(0.3)), 0.7), params)[1])
    inside = averaged(run(chain(clip, Averaged(SGD(0.3), 0.7)), params)[1])
    assert_trees_close(inside, around, rtol=0)
    assert_trees_close(averaged(run(Averaged(SGD(0.3), 0.7), params, 0)[1]), params, rtol=0)


@x64
def test_a_sweep_over_decays_is_one_vmap():
    params, decays = draw(PARAMS, 0), jnp.array([0.5, 0.9, 1.0])
    together = jax.vmap(lambda decay: averaged(run(Averaged(SGD(0.3), decay), params)[1]))(decays)
    for i, decay in enumerate([0.5, 0.9, 1.0]):
        alone = averaged(run(Averaged(SGD(0.3), decay), params)[1])
        assert_trees_close(jax.tree.map(lambda leaf, i=i: leaf[i], together), alone)


def test_narrow_parameters_have_a_wide_average():
    params = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, jnp.bfloat16), PARAMS)
    _, state = run(Averaged(SGD(0.3)), params)
    assert {leaf.dtype for leaf in jax.tree.leaves(state.optimizer.params)} == {np.dtype("float32")}
    assert {leaf.dtype for leaf in jax.tree.leaves(averaged(state))} == {jnp.bfloat16.dtype}


def test_an_epoch_donates_it_and_the_frozen_network_has_the_running_statistics():
    net = nn.serial(nn.Dense(3, bias=False), nn.BatchNorm())
    x, y = draw(jnp.zeros((8, 5)), 0), jnp.arange(8) % 3
    optimizer = Averaged(SGD(0.1), 1.0)
    state = nn.start(net, optimizer, KEY, x)
    state, _ = nn.train_epoch(
        net, softmax_cross_entropy, optimizer, state, x, y, np.arange(8), batch_size=8
    )
    # after one step the average is that step's parameters
    mine = nn.freeze(net, averaged(state), state.statistics)
    assert_trees_close(mine[1], nn.freeze(net, state.params, state.statistics)[1], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Averaged(SGD(0.1), 1.5), r"finite decay in \[0, 1\], got 1.5"),
        (lambda: averaged(run(SGD(0.1), (), 0)[1]), "with one Averaged in it, got 0"),
        (
            lambda: averaged(run(chain(Averaged(SGD(0.1)), Averaged(SGD(0.1))), (), 0)[1]),
            "with one Averaged in it, got 2",
        ),
    ],
)
def test_what_has_no_average_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

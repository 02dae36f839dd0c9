"""The demos of readings: clipping, the noise scale and influence, beside their definitions."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from experiments.data import load
from experiments.lectures.demos import clipping, influence, noise_scale


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    """The digits, cached in the test's own folder, not in the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return load("digits")


def each_gradient(net, params, x, y):
    """The gradient of every example by autodiff: a tree of (n, ...), and as rows (n, size)."""

    def loss(params, x, y):
        return nn.softmax_cross_entropy(net.forward(params, x[None])[0], y[None])[0][0]

    if net not in _PROGRAMS:  # one program for each network
        _PROGRAMS[net] = jax.jit(jax.vmap(jax.grad(loss), (None, 0, 0)))
    grads = _PROGRAMS[net](params, jnp.asarray(x), jnp.asarray(y))
    return grads, flat(grads, len(x))


_PROGRAMS = {}


def flat(tree, n=1):
    return np.concatenate([np.asarray(g).reshape(n, -1) for g in jax.tree.leaves(tree)], 1)


@pytest.fixture
def few(data):
    """Two mini-batches of a hundred."""
    return replace(data, x=data.x[:200], y=data.y[:200])


def clip(data, bound, noise=0.0, rate=0.5, epochs=1):
    return clipping.train(data, bound=bound, noise=noise, rate=rate, epochs=epochs, batch_size=100)


def test_every_gradient_is_clipped_before_they_are_averaged(few):
    rate, bound, net = 0.5, 4.5, clipping.network(few)
    params, found = net.init(jax.random.key(0), jnp.asarray(few.x)), []
    for rows in np.random.default_rng(0).permutation(200).reshape(2, 100):
        tree, g = each_gradient(net, params, few.x[rows], few.y[rows])
        found.append(np.linalg.norm(g, axis=1))
        s = jnp.asarray(np.minimum(1, bound / found[-1]) / 100)
        params = jax.tree.map(lambda p, g, s=s: p - rate * jnp.tensordot(s, g, 1), params, tree)
    clipped = clip(few, bound)
    assert 0.1 < (clipped.norms > bound).mean() < 0.9
    np.testing.assert_allclose(clipped.norms[0], np.concatenate(found), rtol=2e-6)
    np.testing.assert_allclose(flat(clipped.params), flat(params), atol=3e-7)


def test_noise_is_in_proportion_to_the_bound_and_drawn_anew_for_every_step(few):
    first = flat(clipping.network(few).init(jax.random.key(0), jnp.asarray(few.x)))
    # The clipped gradients are too small to count: their sum has a norm of 0.1 or less.
    for bound, noise, epochs in ((1e-3, 100.0, 1), (1e-3, 100.0, 2), (2e-3, 200.0, 2)):
        added = flat(clip(few, bound, noise, 1.0, epochs).params) - first
        deviation = noise * bound / 100 * np.sqrt(2 * epochs)
        within = 4 / np.sqrt(added.size)  # four standard deviations of the estimates, or more
        assert abs(added.std() / deviation - 1) < within
        assert abs(added.mean() / deviation) < within
        numbers = added.ravel() / deviation
        assert abs((numbers[1:] * numbers[:-1]).mean()) < within


def test_without_noise_under_a_large_bound_training_is_the_plain_one(few):
    private, plain = clip(few, 1e6, epochs=2), clip(few, None, epochs=2)
    np.testing.assert_allclose(flat(private.params), flat(plain.params), atol=3e-7)
    assert private.norms.shape == (2, 200)
    assert private.accuracy == plain.accuracy


def test_clipping_shows_the_share_above_the_bound(few, tmp_path, capsys):
    norms = np.array([[1.0, 3.0, 4.0, 5.0], [0.1, 0.2, 0.3, 5.0]])
    plain, private = (clipping.Trained(norms, [0.5, 0.75], None) for _ in range(2))
    rows = list(zip(*(c.cells for c in clipping.table(plain, private, 2.0).columns), strict=True))
    assert rows[0] == ("1", "50.0%", "50.0%", "75.0%", "3.50")
    assert rows[1] == ("2", "75.0%", "75.0%", "25.0%", "0.25")
    for panel, title in zip(clipping.draw(private, 2.0).axes, ("75%", "25%"), strict=True):
        assert sum(bar.get_height() for bar in panel.patches) == 4
        assert list(panel.lines[0].get_xdata()) == [2.0, 2.0]
        assert title in panel.get_title()
    clipping.run(tmp_path, few, epochs=2, batch_size=100)
    printed = capsys.readouterr().out
    assert clipping.WARNING in printed
    assert printed.count("\n") == 4
    assert (tmp_path / "clipping.png").read_bytes().startswith(b"\x89PNG")


def test_the_noise_of_an_epoch_is_that_of_its_gradients(data):
    net, x, y = noise_scale.NET, jnp.asarray(data.x), jnp.asarray(data.y)
    batches = np.arange(44 * 32).reshape(44, 32)
    params, estimates = net.init(jax.random.key(0), x), []
    for rows in batches:
        tree, g = each_gradient(net, params, data.x[rows], data.y[rows])
        trace = g.var(0, ddof=1).sum()
        estimates.append((trace, (g.mean(0) ** 2).sum() - trace / 32))
        params = jax.tree.map(lambda p, g: p - 0.1 * g.mean(0), params, tree)
    state = nn.start(net, noise_scale.OPTIMIZER, jax.random.key(0), x)
    state, (_, noise) = noise_scale.epoch(state, x, y, batches.ravel())
    np.testing.assert_allclose(flat(state.params), flat(params), atol=1e-6)
    trace, square = np.mean(estimates, 0)
    np.testing.assert_allclose(noise, [trace / square, trace, square], rtol=5e-6)


def test_spans_divide_averages_and_not_average_ratios():
    trace, square = np.array([1.0, 3.0, 2.0, 4.0]), np.array([1.0, -0.5, 0.1, 0.2])
    noise = nn.readings.Noise(trace / square, trace, square)
    found = noise_scale.spans(noise_scale.Measured(trace, noise, noise), 2)
    np.testing.assert_allclose([one.batches.scale for one in found], [8.0, 20.0])
    rows = list(zip(*(c.cells for c in noise_scale.table(found, 2).columns), strict=True))
    assert rows[1] == ("3 to 4", "3.0000", "3", "0.15", "20", "20")


def test_the_noise_scale_grows_over_training(data, tmp_path, capsys):
    noise_scale.run(tmp_path, epochs=12, length=4)
    lines = capsys.readouterr().out.splitlines()[1:]
    scales = np.array([line.split()[-2:] for line in lines], float)
    assert scales.shape == (3, 2)
    assert (scales[0] > noise_scale.BATCH).all()
    assert (scales[2] > 1.5 * scales[0]).all()
    assert (tmp_path / "noise_scale.png").read_bytes().startswith(b"\x89PNG")


def test_influences_are_the_products_of_gradients_summed_over_checkpoints(data):
    x, y, settings = jnp.asarray(data.x), jnp.asarray(data.y), {"epochs": 4, "every": 2}
    traced = influence.trace(data, **settings)
    *kept, _ = influence.checkpoints(x, y, rate=0.1, batch_size=32, **settings)
    expected, i = np.zeros(len(x)), traced.index
    both = [np.concatenate(pair) for pair in (
        (data.x, data.x_test[i : i + 1]), (data.y, data.y_test[i : i + 1])
    )]  # fmt: skip
    for params in kept:
        _, g = each_gradient(influence.NET, params, *both)
        expected += 2 * 0.1 / 32 * g[:-1] @ g[-1]
    assert len(kept) == 2
    np.testing.assert_allclose(traced.influence, expected, atol=1e-6)


def test_influences_of_all_images_add_up_to_what_the_loss_fell(data):
    traced = influence.trace(data, rate=3e-4, epochs=4, every=1)
    before, after = traced.losses
    assert abs(before - after) > 0.02
    # 2.3 % off, for the second order of the steps, and the last mini-batch of an epoch is of 29.
    np.testing.assert_allclose(traced.influence.sum(), before - after, rtol=0.04)


def test_influence_shows_the_ends_and_their_images(data, tmp_path, capsys):
    traced = influence.Traced(np.linspace(3, -1, len(data.x)), 5, (1.0, 2.0), 7)
    ends = influence.extremes(traced, 3)
    assert [list(rows) for rows in ends.values()] == [
        [0, 1, 2],
        [len(data.x) - 1 - i for i in range(3)],
    ]
    drawn = [panel.images[0].get_array() for panel in influence.draw(traced, data, 3).axes]
    np.testing.assert_array_equal(drawn[0], data.x_test[5])
    for image, n in zip(drawn[1:], np.concatenate(list(ends.values())), strict=True):
        np.testing.assert_array_equal(image, data.x[n])
    influence.run(tmp_path, number=3, epochs=4, every=2)
    lines = capsys.readouterr().out.splitlines()
    label = lines[0].split(", a ")[1][0]
    assert lines[2].count(f"a {label}: +") == 3  # those that helped are of its own class
    assert lines[3].count(": -") == 3
    assert f"a {label}:" not in lines[3]
    assert (tmp_path / "influence.png").read_bytes().startswith(b"\x89PNG")

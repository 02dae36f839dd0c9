"""Dropout in all its forms: what is dropped, how it is made up for, what is left at inference."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Dense, DropConnect, Dropout, freeze, serial
from tests.compare import KEY, assert_trees_close, draw

ONES = jnp.ones((50, 20))


def masked(layer, x=ONES, key=KEY):
    return np.asarray(layer.forward((), x, key)[0])


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.75])
def test_the_rate_is_the_fraction_dropped(rate):
    y = masked(Dropout(rate), jnp.ones((400, 100)))
    # 40,000 draws: within 5 standard errors of the rate
    assert abs((y == 0).mean() - rate) <= 5 * np.sqrt(rate * (1 - rate) / y.size)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)


def test_an_exact_fraction_is_dropped_from_every_row():
    y = masked(Dropout(0.35, draw="exact"))
    assert set((y == 0).sum(-1)) == {7}
    assert len(np.unique(y == 0, axis=0)) > 40


@pytest.mark.parametrize("how", ["bernoulli", "exact"])
def test_one_mask_for_the_mini_batch_blanks_rows_of_the_next_weight(how):
    layer = Dropout(0.35, per="batch", draw=how, rescale="inference")
    x = draw(jax.ShapeDtypeStruct((6, 20), jnp.float32), 1)
    w = draw(jax.ShapeDtypeStruct((20, 3), jnp.float32), 2)
    kept = masked(layer, jnp.ones((6, 20)))[0]
    assert 0 < kept.sum() < 20
    np.testing.assert_allclose(masked(layer, x) @ w, x @ (w * kept[:, None]), rtol=1e-6)


def test_dropconnect_masks_single_weights():
    layer = DropConnect(6, drop_rate=0.5, draw="exact")
    params = draw(jax.eval_shape(layer.init, KEY, ONES), 0)
    y, (_, m) = layer.forward(params, ONES, KEY)
    assert set(np.asarray(m).sum(-1)) == {3}
    np.testing.assert_allclose(y, ONES @ jnp.where(m, params.w * 2, 0) + params.b, rtol=1e-6)


@pytest.mark.parametrize(
    "layer", [Dropout(0.5), Dropout(0.5, per="batch"), DropConnect(6, drop_rate=0.5)], ids=repr
)
def test_another_key_is_another_mask_and_the_same_key_the_same(layer):
    params = draw(jax.eval_shape(layer.init, KEY, ONES), 0)
    again, other = (layer.forward(params, ONES, k)[0] for k in (KEY, jax.random.key(8)))
    assert_trees_close(layer.forward(params, ONES, KEY)[0], again, rtol=0)
    assert float(jnp.abs(again - other).max()) > 0


@pytest.mark.parametrize("rescale", ["training", "inference"])
def test_the_mean_over_masks_is_what_the_frozen_network_puts_out(rescale):
    net = serial(Dropout(0.4, rescale=rescale), DropConnect(3, drop_rate=0.3, rescale=rescale))
    x = draw(jax.ShapeDtypeStruct((2, 5), jnp.float32), 1)
    params = draw(jax.eval_shape(net.init, KEY, x), 2)
    still, still_params = freeze(net, params)
    outputs = jax.vmap(lambda k: net.forward(params, x, k)[0])(jax.random.split(KEY, 20_000))
    error = outputs.std(0) / np.sqrt(20_000)
    difference = outputs.mean(0) - nn.predict(still, still_params, x)
    assert (np.abs(difference) <= 5 * error).all()


def test_freezing_takes_every_mask_out_and_needs_no_key():
    net = serial(Dense(3), Dropout(0.4), nn.Skip(Dropout(0.4, rescale="inference")))
    still, params = freeze(net, net.init(KEY, ONES))
    assert still == serial(Dense(3), nn.linear, nn.Skip(nn.linear(0.6)))
    assert nn.predict(still, params, ONES).shape == (50, 3)


@pytest.mark.usefixtures("x64")
def test_the_proximal_step_makes_weights_exactly_zero_where_the_subgradient_does_not():
    x, y = draw(jax.ShapeDtypeStruct((30, 8), jnp.float64), 1), np.zeros((30, 1))
    net, strength = Dense(1), 0.1
    y += np.asarray(x[:, :2] @ np.array([[1.0], [-2.0]]))  # two of eight inputs matter

    def trained(optimizer, penalty):
        state = nn.start(net, optimizer, KEY, x)
        for _ in range(3):
            state, _ = nn.train_epoch(
                net, nn.half_square, optimizer, state, x, y, np.tile(np.arange(30), 100),
                batch_size=30, options=nn.Options(penalty=penalty),
            )  # fmt: skip
        return np.asarray(state.params.w[:, 0])

    proximal = trained(nn.chain(nn.SGD(0.1), nn.soft_threshold(0.1 * strength)), None)
    subgradient = trained(nn.SGD(0.1), nn.l1(strength))
    assert (proximal != 0).tolist() == [True] * 2 + [False] * 6
    assert (subgradient != 0).all()
    # The subgradient steps past zero and back for ever, by 0.1 * strength at a time.
    np.testing.assert_allclose(proximal, subgradient, atol=2 * 0.1 * strength)


def test_the_proximal_step_leaves_biases_alone_and_follows_a_schedule():
    params = nn.Affine(jnp.full((2, 2), 0.5), jnp.full(2, 0.5))
    transform = nn.soft_threshold(nn.schedules.StepDecay(0.2, 0.5, every=1))
    state, zero = transform.init(params), jax.tree.map(jnp.zeros_like, params)
    for left in (0.3, 0.2):
        updates, state = transform.update(zero, state, params)
        params = nn.optim.apply_updates(params, updates)
        np.testing.assert_allclose(params.w, left, rtol=1e-6)
    np.testing.assert_array_equal(params.b, [0.5, 0.5])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Dropout(1.0), ValueError, "Dropout: expected a finite drop_rate"),
        (lambda: Dropout(-0.1), ValueError, "drop_rate in"),
        (lambda: Dropout(0.5, per="unit"), ValueError, "per to be one of .* got 'unit'"),
        (lambda: Dropout(0.5, draw="fixed"), ValueError, "draw to be one of"),
        (lambda: Dropout(0.5, rescale="never"), ValueError, "rescale to be one of"),
        (lambda: DropConnect(0), ValueError, "DropConnect: expected n_out to be a whole number"),
        (lambda: DropConnect(3, drop_rate=2.0), ValueError, "DropConnect: expected a finite drop"),
        (lambda: Dropout(0.5).forward((), ONES), ValueError, r"Dropout\(0.5\): .*key, got None"),
        (lambda: Dropout(0.5).forward((), ONES.astype(int), KEY), TypeError, "got int32"),
        (
            lambda: DropConnect(3, drop_rate=0.5).forward(Dense(3).init(KEY, ONES), ONES),
            ValueError,
            r"DropConnect\(3\): expected a random key",
        ),
        (lambda: nn.soft_threshold(-1.0), ValueError, "threshold"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("how", ["bernoulli", "exact"])
def test_the_mask_is_the_same_in_every_precision(how):
    x, key = jnp.ones((3, 40)), jax.random.key(5)
    layer = Dropout(0.4, draw=how)
    masks = [layer.forward((), x.astype(dtype), key)[1] for dtype in (jnp.float32, jnp.bfloat16)]
    with jax.enable_x64(True):
        masks.append(layer.forward((), x.astype(jnp.float64), key)[1])
    assert all(np.array_equal(mask, masks[0]) for mask in masks)

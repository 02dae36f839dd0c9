"""Optimizers, schedules and clipping against formulas written out in numpy."""

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import SGD, AdaGrad, Adam, AdamW, RMSProp
from jaxnn.core.trees import global_norm
from tests.compare import assert_trees_close, draw

x64 = pytest.mark.usefixtures("x64")
PARAMS = nn.Affine(jax.ShapeDtypeStruct((3, 5), jnp.float64), jax.ShapeDtypeStruct((5,), "float64"))


def by_sgd(p, grads, eta, w):
    for g in grads:
        p = p - eta * g
    return p


def by_momentum(p, grads, eta, w, mu=0.8, nesterov=False):
    v = 0
    for g in grads:
        v = mu * v + g
        p = p - eta * (g + mu * v if nesterov else v)
    return p


def by_adagrad(p, grads, eta, w, eps=0.01):
    s = 0
    for g in grads:
        s = s + g**2
        p = p - eta * g / (np.sqrt(s) + eps)
    return p


def by_rmsprop(p, grads, eta, w, decay=0.7, eps=0.01):
    s = 0
    for g in grads:
        s = decay * s + (1 - decay) * g**2
        p = p - eta * g / (np.sqrt(s) + eps)
    return p


def by_adam(p, grads, eta, w, b1=0.7, b2=0.9, eps=0.01, decay=0.0):
    m = s = 0
    for t, g in enumerate(grads, start=1):
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * g**2
        step = (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps)
        p = p - eta * (step + (decay * p if w else 0))
    return p


RULES = [
    (SGD(0.3), by_sgd),
    (SGD(0.3, momentum=0.8), by_momentum),
    (SGD(0.3, momentum=0.8, nesterov=True), lambda *a: by_momentum(*a, nesterov=True)),
    (AdaGrad(0.3, eps=0.01), by_adagrad),
    (RMSProp(0.3, decay=0.7, eps=0.01), by_rmsprop),
    (Adam(0.3, b1=0.7, b2=0.9, eps=0.01), by_adam),
    (AdamW(0.3, b1=0.7, b2=0.9, eps=0.01, weight_decay=0.2), lambda *a: by_adam(*a, decay=0.2)),
]


def named(value) -> str:
    """The id of a parameter, the same in every process: a function's repr has its address."""
    return value.__name__ if inspect.isfunction(value) else repr(value)[:60]


over_rules = pytest.mark.parametrize(("optimizer", "formula"), RULES, ids=named)


def run(optimizer, params, grads):
    state = optimizer.init(params)
    for g in grads:
        updates, state = jax.jit(type(optimizer).update)(optimizer, g, state, params)
        params = nn.optim.apply_updates(params, updates)
    return params


@over_rules
@x64
def test_five_steps_follow_the_formula(optimizer, formula):
    start = draw(PARAMS, 0)
    grads = [draw(PARAMS, seed) for seed in range(1, 6)]
    got = run(optimizer, start, grads)
    for name in ("w", "b"):
        column = [np.asarray(getattr(g, name)) for g in grads]
        want = formula(np.asarray(getattr(start, name)), column, 0.3, name == "w")
        assert_trees_close(getattr(got, name), jnp.asarray(want), rtol=1e-12)


@pytest.mark.parametrize(
    ("optimizer", "formula"),
    [
        (SGD(0.3, momentum=1), lambda *a: by_momentum(*a, mu=1)),
        (RMSProp(0.3, decay=1, eps=0.01), lambda *a: by_rmsprop(*a, decay=1)),
    ],
    ids=named,
)
@x64
def test_a_running_sum_may_forget_nothing(optimizer, formula):
    start, grads = draw(PARAMS, 0), [draw(PARAMS, seed) for seed in range(1, 3)]
    got = run(optimizer, start, grads).w
    want = formula(np.asarray(start.w), [np.asarray(g.w) for g in grads], 0.3, True)
    assert_trees_close(got, jnp.asarray(want), rtol=1e-12)


@over_rules
@x64
def test_every_optimizer_finds_the_minimum_of_a_bowl(optimizer, formula):
    optimizer = optimizer.replace(learning_rate=nn.schedules.InverseDecay(0.3, 0.05))
    if isinstance(optimizer, AdamW):
        optimizer = optimizer.replace(weight_decay=0.0)
    params = nn.Affine(jnp.full((2, 3), 2.0), jnp.full(3, -1.0))
    scale = nn.Affine(jnp.asarray([[1.0], [3.0]]), jnp.ones(()))

    def step(carry, _):
        params, state = carry
        updates, state = optimizer.update(jax.tree.map(jnp.multiply, scale, params), state, params)
        return (nn.optim.apply_updates(params, updates), state), None

    (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), length=1000)
    assert float(global_norm(params)) < 0.05


@over_rules
def test_low_precision_parameters_keep_their_dtype_and_state_is_float32(optimizer, formula):
    params = draw(jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, jnp.bfloat16), PARAMS), 0)
    updates, state = optimizer.update(params, optimizer.init(params), params)
    assert {leaf.dtype for leaf in jax.tree.leaves(updates)} == {jnp.dtype(jnp.bfloat16)}
    assert {leaf.dtype for leaf in jax.tree.leaves(state.slots)} <= {jnp.dtype(jnp.float32)}


@x64
def test_l2_in_the_gradient_and_decoupled_decay_differ_under_adam_and_agree_under_sgd():
    params, g = draw(PARAMS, 0), draw(PARAMS, 1)
    penalised = jax.tree.map(jnp.add, g, nn.l2(0.2)(params)[1])
    adam = run(Adam(0.3), params, [penalised])
    adamw = run(AdamW(0.3, weight_decay=0.2), params, [g])
    assert float(jnp.abs(adam.w - adamw.w).max()) > 0.01
    assert_trees_close(adam.b, adamw.b, rtol=1e-12)
    decayed = jax.tree.map(lambda p, u: p - 0.3 * u, params, g)
    decayed = decayed._replace(w=decayed.w - 0.3 * 0.2 * params.w)
    assert_trees_close(run(SGD(0.3), params, [penalised]), decayed, rtol=1e-12)


@x64
@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        (nn.schedules.ConstantRate(0.3), lambda t: 0.3),
        (nn.schedules.ExponentialDecay(0.3, 0.5, every=4), lambda t: 0.3 * 0.5 ** (t / 4)),
        (nn.schedules.StepDecay(0.3, 0.5, every=4), lambda t: 0.3 * 0.5 ** (t // 4)),
        (nn.schedules.InverseDecay(0.3, 0.1), lambda t: 0.3 / (1 + 0.1 * t)),
        (
            nn.schedules.CosineDecay(0.3, 8, final=0.1),
            lambda t: 0.1 + 0.2 * (1 + math.cos(math.pi * min(t, 8) / 8)) / 2,
        ),
        (nn.schedules.WarmUp(4, 0.3), lambda t: 0.3 * min(1, (t + 1) / 4)),
        (
            nn.schedules.WarmUp(4, nn.schedules.StepDecay(0.3, 0.5, every=3)),
            lambda t: 0.3 * 0.5 ** (t // 3) * min(1, (t + 1) / 4),
        ),
    ],
    ids=named,
)
def test_a_schedule_follows_its_formula_step_by_step(schedule, formula):
    """Seen through the updates of gradient descent, whose step is eta for a gradient of 1."""
    optimizer, params = SGD(schedule), jnp.zeros(())
    state, rates = optimizer.init(params), []
    for _ in range(12):
        updates, state = optimizer.update(jnp.ones(()), state, params)
        rates.append(-float(updates))
    np.testing.assert_allclose(rates, [formula(t) for t in range(12)], rtol=1e-12)


@x64
def test_clipping_by_global_norm_binds_above_the_limit_only():
    grads = draw(PARAMS, 1)
    norm = math.sqrt(sum(float((g * g).sum()) for g in jax.tree.leaves(grads)))
    clipped, _ = nn.clip_by_global_norm(norm / 4).update(grads, (), grads)
    assert_trees_close(clipped, jax.tree.map(lambda g: g / 4, grads), rtol=1e-12)
    same, _ = nn.clip_by_global_norm(norm * 4).update(grads, (), grads)
    assert_trees_close(same, grads, rtol=0)
    zero = jax.tree.map(jnp.zeros_like, grads)
    assert_trees_close(nn.clip_by_global_norm(1.0).update(zero, (), zero)[0], zero)


@x64
def test_clipping_by_value_and_a_chain():
    grads, params = draw(PARAMS, 1), draw(PARAMS, 0)
    optimizer = nn.chain(nn.clip_by_value(0.5), SGD(0.3, momentum=0.8))
    got = run(optimizer, params, [grads, grads])
    clipped = jax.tree.map(lambda g: jnp.clip(g, -0.5, 0.5), grads)
    assert_trees_close(got, run(SGD(0.3, momentum=0.8), params, [clipped, clipped]), rtol=1e-12)


def test_a_sweep_over_learning_rates_is_one_vmap():
    params, grads = jnp.ones(3), jnp.asarray([1.0, 2.0, 3.0])

    def trained(rate):
        optimizer = SGD(rate, momentum=0.9)
        updates, _ = optimizer.update(grads, optimizer.init(params), params)
        return nn.optim.apply_updates(params, updates)

    rates = jnp.asarray([0.1, 0.2])
    np.testing.assert_allclose(jax.vmap(trained)(rates), 1 - rates[:, None] * grads, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: SGD(float("nan")), ValueError, "SGD: expected a finite learning_rate"),
        (lambda: SGD(-0.1), ValueError, r"learning_rate in \[0, inf\], got -0.1"),
        (lambda: SGD("fast"), TypeError, "a number for learning_rate, got 'fast'"),
        (lambda: SGD(0.1, momentum=1.5), ValueError, r"momentum in \[0, 1\], got 1.5"),
        (lambda: SGD(0.1, nesterov=True), ValueError, "a momentum with nesterov=True"),
        (lambda: RMSProp(0.1, decay=2.0), ValueError, "decay"),
        (lambda: RMSProp(0.1, eps=0.0), ValueError, r"eps in \(0, inf\]"),
        (lambda: AdaGrad(0.1, eps=-1.0), ValueError, "AdaGrad: expected a finite eps"),
        (lambda: Adam(0.1, b1=-0.1), ValueError, "b1"),
        (lambda: Adam(0.1, b2=float("inf")), ValueError, "b2"),
        (lambda: Adam(0.1, b2=1.0), ValueError, r"b2 in \[0, 1\), got 1.0"),  # would divide 0 by 0
        (
            lambda: AdamW(0.1, weight_decay=-0.1),
            ValueError,
            "AdamW: expected a finite weight_decay",
        ),
        (lambda: nn.schedules.ConstantRate(-1.0), ValueError, "rate"),
        (lambda: nn.schedules.ExponentialDecay(0.1, 0.0), ValueError, "factor"),
        (
            lambda: nn.schedules.StepDecay(0.1, 0.5, every=0),
            ValueError,
            "StepDecay: expected a finite every",
        ),
        (lambda: nn.schedules.InverseDecay(0.1, -1.0), ValueError, "decay"),
        (lambda: nn.schedules.CosineDecay(0.1, 0), ValueError, "steps"),
        (lambda: nn.schedules.WarmUp(0, 0.1), ValueError, "steps"),
        (lambda: nn.schedules.WarmUp(5, float("nan")), ValueError, "then"),
        (lambda: nn.clip_by_global_norm(0.0), ValueError, r"limit in \(0, inf\]"),
        (lambda: nn.clip_by_value(-1.0), ValueError, "limit"),
        (
            lambda: SGD(0.1).update(jnp.ones(3), SGD(0.1).init(jnp.ones(2)), jnp.ones(2)),
            ValueError,
            r"grads: expected shape \(2,\) as in params, got \(3,\)",
        ),
        (
            lambda: Adam(0.1).update(jnp.ones(2), Adam(0.1).init(jnp.ones(3)), jnp.ones(2)),
            ValueError,
            "the optimizer's state: expected shape",
        ),
        (
            lambda: nn.optim.apply_updates({"a": 1}, {"b": 1}),
            ValueError,
            "updates: expected the struct",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

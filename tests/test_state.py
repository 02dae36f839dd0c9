"""Sequences in parts: what a network puts out part by part is what it does of the whole."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Dense, Join, Layer, Repeat, Skip, Take, Tie, serial
from jaxnn.core.walk import every_layer
from jaxnn.core.watch import watched, without_notes
from jaxnn.feedback import GradientReversal, WithBackward
from jaxnn.training import Statistics
from tests.cases import CASES, over
from tests.compare import KEY, assert_trees_close, draw, setting
from tests.private_layers import LSTM, CausalAttention
from tests.test_repeat import QUICK

x64 = pytest.mark.usefixtures("x64")
quick = functools.partial(jax.jit, compiler_options=QUICK)


def mixing(layer):
    """The layers in it that mix positions. Batch-norm is frozen here, which does not."""
    inside = (one for _, one in every_layer(layer) if not isinstance(one, nn.BatchNorm))
    return [one for one in inside if one.mixes_positions]


def cut(x, start, stop):
    """A part of the sequences. Lengths count from its first position; of the other entries those
    as long as the main one are cut, while a memory belongs to all positions."""
    if not isinstance(x, tuple):
        return x[:, start:stop]
    main, *others = x

    def part(entry):
        if entry.ndim == 1:
            return jnp.clip(entry - start, 0, stop - start)
        return entry[:, start:stop] if entry.shape[1] == main.shape[1] else entry

    return (main[:, start:stop], *map(part, others))


def length(x):
    return jax.tree.leaves(x)[0].shape[1]


def in_two(net, params, x, at):
    """The outputs part by part."""
    state = net.begin(params, x)
    first, _, state = net.resume(params, state, cut(x, 0, at))
    second, _, _ = net.resume(params, state, cut(x, at, length(x)))
    return jnp.concatenate([first, second], 1)


def frozen(case):
    """(layer, params, x) without draws and moments of the batch, and with time in x: where a case
    has none, three positions with other numbers in each."""
    x = case.x()
    params, dy = setting(case.layer, x)
    _, residuals = case.layer.forward(params, x, KEY)
    observed = Statistics(jnp.ones(()), case.layer.observe(residuals))
    if case.main().ndim == dy.ndim == 2:
        x = jax.tree.map(lambda entry: jnp.stack([entry, entry[::-1], entry], 1), x)
    return *nn.freeze(case.layer, params, observed), x


# Take(1) puts out an entry that has no time
BY_POSITION = [c for c in CASES if not mixing(c.layer) and c.layer != Take(1)]
GOING_ON = [
    c
    for c in CASES
    if mixing(c.layer) and all(type(one).resume is not Layer.resume for one in mixing(c.layer))
]


@x64
@over(BY_POSITION)
def test_a_layer_that_does_not_mix_positions_takes_a_prefix_as_it_takes_the_whole(case):
    layer, params, x = frozen(case)

    @quick
    def run(params, x):
        whole = layer.forward(params, x)[0]
        prefix = layer.forward(params, cut(x, 0, 2))[0]
        return (prefix, in_two(layer, params, x, 2)), (whole[:, :2], whole)

    assert_trees_close(*run(params, x), rtol=1e-12)


@x64
@over(GOING_ON)
def test_two_halves_are_the_whole(case):
    layer, params, x = frozen(case)
    run = quick(lambda p, x: (in_two(layer, p, x, 1), layer.forward(p, x)[0]))
    assert_trees_close(*run(params, x), rtol=1e-12)


BOTH = serial(LSTM(5), CausalAttention(5))
AROUND = {  # x (2, 7, 5)
    "Serial": serial(BOTH, Dense(3)),
    "Skip": Skip(BOTH),
    "Parallel": nn.Parallel((LSTM(3), nn.Dropout(0.4), CausalAttention(2)), "concat"),
    "Repeat": Repeat(BOTH, 2),
    "Repeat(Recompute)": Repeat(nn.Recompute(Skip(BOTH)), 2),
    "Recompute": nn.Recompute(BOTH),
    "Tie": Tie(serial(BOTH, BOTH), ("[0]", "[1]")),
    "Chunked": serial(BOTH, nn.Chunked(Dense(3), 4)),
    "MixedPrecision": nn.MixedPrecision(BOTH, "float64"),
    "Watched": watched(BOTH),
    "WithBackward": WithBackward(BOTH, GradientReversal()),
}


@x64
@pytest.mark.parametrize("around", AROUND)
def test_every_combinator_hands_the_state_on_and_takes_it_for_a_constant(around):
    net, x = AROUND[around], draw(jnp.zeros((2, 7, 5)), 1)
    params = draw(jax.eval_shape(net.init, KEY, x), 2)

    @quick
    def run(params, x):
        start = net.begin(params, x)
        first, _, state = net.resume(params, start, x[:, :3], KEY)

        def second(params, x):
            y, residuals, state_behind = net.resume(params, state, x, KEY)
            return y, (residuals, state_behind)

        y, pull, (residuals, behind) = jax.vjp(second, params, x[:, 3:], has_aux=True)
        dx, readings = net.backward(params, residuals, y, nn.gradient)
        dparams, by_autodiff = pull(y)
        dx = -dx if around == "WithBackward" else dx  # whose rule turns it
        if around == "Parallel":  # a dropout draws for each part anew
            return (readings, dx), (dparams, by_autodiff), (start, behind)
        halves = jnp.concatenate([first, y], 1)
        return (
            (halves, readings, dx),
            (net.forward(params, x)[0], dparams, by_autodiff),
            (start, behind),
        )

    found, wanted, (start, behind) = run(params, x)
    assert_trees_close(found, without_notes(wanted), rtol=1e-11)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), start) == jax.tree.map(
        lambda a: (a.shape, a.dtype), behind
    )


BLOCK = serial(
    Skip(serial(nn.LayerNorm(), CausalAttention(5))),
    Skip(serial(nn.LayerNorm(), Dense(7), nn.gelu, Dense(5))),
)
WRITERS = {
    "GPT": Tie(
        serial(nn.Embedding(11, 5), Repeat(BLOCK, 2), nn.LayerNorm(), Dense(11)),
        ("[0].rows", "[3].w"),
    ),
    "LSTM": serial(nn.Embedding(11, 5), LSTM(7), Dense(11)),
}


@x64
@pytest.mark.parametrize("net", WRITERS.values(), ids=WRITERS)
def test_what_is_written_symbol_by_symbol_is_the_argmax_of_the_whole(net):
    prompt = jnp.array([[3, 1, 4], [1, 5, 9]])
    params = draw(jax.eval_shape(net.init, KEY, prompt), 3)
    outputs, state = nn.resume(net, params, nn.begin(net, params, prompt), prompt)
    text = prompt
    for _ in range(6):
        text = jnp.concatenate([text, outputs[:, -1:].argmax(-1)], 1)
        outputs, state = nn.resume(net, params, state, text[:, -1:])
    whole = nn.predict(net, params, text)
    assert (whole[:, 2:-1].argmax(-1) == text[:, 3:]).all()
    assert_trees_close(outputs, whole[:, -1:], rtol=1e-11)


class Hidden(LSTM):
    """A recurrence that does not say that it mixes positions, and starts anew in each part."""

    mixes_positions = False
    begin = Layer.begin
    resume = Layer.resume

    def forward(self, params, x, key=None):
        return LSTM(self.n).forward(params, x)


def test_a_layer_that_hides_its_mixing_breaks_the_law():
    x = draw(jnp.zeros((2, 4, 5)), 1)
    params, _ = setting(Hidden(3), x)
    gap = in_two(Hidden(3), params, x, 2) - Hidden(3).forward(params, x)[0]
    assert float(jnp.abs(gap).max()) > 1e-3


X = jnp.zeros((2, 4, 5))
REFUSED = [
    (serial(Dense(5), nn.tanh, nn.Flatten()), r"^\[2\] Flatten\(\): expected a layer that takes"),
    (serial(Dense(5), nn.BatchNorm()), r"^\[1\] BatchNorm\(\): .* or freeze the network first"),
    (Repeat(serial(Dense(5), nn.BatchNorm()), 2), r"^\[1\] BatchNorm\(\): expected"),
    (
        nn.Parallel((nn.tanh, Skip(serial(nn.tanh, nn.BatchNorm()))), "sum"),
        r"^\[1\]\[1\] BatchNorm",
    ),
    (serial(Join(serial(Take(0), nn.BatchNorm())), Take(0)), r"^\[0\]\[1\] BatchNorm\(\): expect"),
]


@pytest.mark.parametrize(("net", "message"), REFUSED)
def test_a_layer_that_mixes_positions_and_cannot_go_on_is_refused_by_name(net, message):
    x = (X, X) if "Join" in repr(net) else X
    params = net.init(KEY, x)
    with pytest.raises(TypeError, match=message):
        nn.begin(net, params, x)


class Around(Layer):
    """A combinator that knows nothing of states."""

    layer: Layer

    def forward(self, params, x, key=None):
        return self.layer.forward(params, x, key)


def test_a_combinator_without_resume_is_refused_where_something_inside_has_a_state():
    assert Around(Dense(3)).begin((), X) == ()
    with pytest.raises(TypeError, match=r"^Around\(LSTM\(3\)\), which holds LSTM\(3\): expected"):
        Around(LSTM(3)).begin((), X)
    with pytest.raises(TypeError, match=r"which holds Conv\(3, 2\)"):
        Around(serial(Dense(3), nn.Conv(3, window=2))).begin((), X)


def test_a_part_may_be_resumed_twice_and_states_are_values():
    net = WRITERS["LSTM"]
    x = jnp.array([[3, 1]])
    params = draw(jax.eval_shape(net.init, KEY, x), 3)
    _, state = nn.resume(net, params, nn.begin(net, params, x), x)
    once, _ = nn.resume(net, params, state, x)
    again, _ = nn.resume(net, params, state, x)
    np.testing.assert_array_equal(once, again)
    with pytest.raises(ValueError, match="one or more examples"):
        nn.begin(net, params, x[:0])

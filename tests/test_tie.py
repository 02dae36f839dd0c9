"""One parameter in several places: where it lies, what is refused, what freezing leaves."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import BatchNorm, Dense, DropConnect, Embedding, Tie, serial
from jaxnn.core import count_parameters
from jaxnn.training.inference import Statistics
from tests.compare import KEY, assert_trees_close, draw

IDS = np.array([[1, 0, 1], [4, 2, 2]])
TIED = Tie(serial(Embedding(5, 3), Dense(3), nn.tanh, Dense(5)), ("[0].rows", "[3].w"))


def test_the_parameters_hold_none_where_one_is_used_again():
    params = TIED.init(KEY, IDS)
    assert params[3].w is None
    assert count_parameters(params) == nn.summary(TIED, IDS).parameters == 5 * 3 + 3 * 3 + 3 + 5
    _, grads = nn.backprop(TIED, nn.softmax_cross_entropy, params, IDS, IDS)
    assert grads[3].w is None
    assert TIED.groups == (("[0].rows", "[3].w"),)


def test_it_trains_is_saved_and_loaded(tmp_path):
    optimizer = nn.Adam(0.1)
    state, values = nn.start(TIED, optimizer, KEY, IDS), []
    for _ in range(12):
        state, value = nn.train_epoch(
            TIED, nn.softmax_cross_entropy, optimizer, state, IDS, IDS, np.arange(2), batch_size=2
        )
        values.append(float(value))
    assert values[-1] < 0.5 * values[0]
    pytest.importorskip("safetensors")
    nn.save(tmp_path / "net.safetensors", state.params)
    assert_trees_close(nn.load(tmp_path / "net.safetensors", state.params), state.params, rtol=0)


@pytest.mark.usefixtures("x64")
def test_kfac_finds_the_layers_of_a_repeat_inside():
    middle = nn.Repeat(nn.Skip(Dense(3)), 2)
    net = serial(Embedding(5, 3), middle, Dense(3), nn.tanh, Dense(3), Dense(5))
    tied = Tie(net, (("[0].rows", "[5].w"), ("[2].w", "[4].w")))
    params = draw(jax.eval_shape(tied.init, KEY, IDS), 1)
    given = nn.softmax_cross_entropy, params, IDS, IDS
    found = nn.backprop(tied, *given, read=nn.curvature.kronecker)[1]
    full = tied._full(params)
    apart = nn.backprop(net, given[0], full, IDS, IDS, read=nn.curvature.kronecker)[1]
    assert_trees_close(found[1], apart[1], rtol=1e-12)
    sums = (apart[2].w.inputs + apart[4].w.inputs) / 2, apart[2].w.errors + apart[4].w.errors
    assert_trees_close(tuple(found[2].w), sums, rtol=1e-12)
    assert found[0].rows is None
    assert found[4].w is None


def test_a_table_with_as_many_rows_as_columns_is_used_transposed():
    net = Tie(serial(Embedding(3, 3), Dense(3, bias=False)), ("[0].rows", "[1].w"))
    params = draw(jax.eval_shape(net.init, KEY, IDS), 1)
    y, _ = net.forward(params, IDS % 3)
    rows = params[0].rows
    assert_trees_close(y, rows[IDS % 3] @ rows.T, rtol=1e-6)


def test_what_freezing_leaves_alone_stays_tied():
    x = draw(jnp.zeros((7, 5)), 1)
    net = Tie(serial(Dense(5), BatchNorm(), Dense(5)), ("[0]", "[2]"))
    params = draw(jax.eval_shape(net.init, KEY, x), 2)
    y, residuals = net.forward(params, x)
    still, frozen = nn.freeze(net, params, Statistics(1, net.observe(residuals)))
    assert still == Tie(serial(Dense(5), nn.layers.Rescale(), Dense(5)), ("[0]", "[2]"))
    assert_trees_close(nn.predict(still, frozen, x), y, rtol=1e-5)
    dropped = DropConnect(5, drop_rate=0.5, rescale="inference")
    net = Tie(serial(dropped, Dense(5)), ("[0].w", "[1].w"))
    params = draw(jax.eval_shape(net.init, KEY, x), 2)
    still, frozen = nn.freeze(net, params)
    assert still == serial(Dense(5), Dense(5))
    assert_trees_close(frozen[1].w, params[0].w, rtol=0)


TWO = serial(Dense(7), nn.tanh, Dense(5))
X = jnp.zeros((3, 5))
REFUSED = [
    (lambda: Tie(TWO, ("[0].w",)), "expected two or more different paths"),
    (lambda: Tie(TWO, ("[0].w", "[0].w.T")), "expected two or more different paths"),
    (lambda: Tie(TWO, "[0].w"), "expected two or more different paths"),
    (lambda: Tie(TWO, ("[0].w", "[2].v")).init(KEY, X), r"got '\[2\].v'; there are: \[0\].w, "),
    (lambda: Tie(TWO, ("[0].w", "2.w")).init(KEY, X), r"a path such as '\[0\].w', got '2.w'"),
    (
        lambda: Tie(TWO, ("[0].w", "[2].w")).init(KEY, X),
        r"^Tie: expected \[2\].w to be float32 \(5, 7\) like \[0\].w, got float32 \(7, 5\); write ",
    ),
    (
        lambda: Tie(TWO, ("[0]", "[2].T")).init(KEY, X),
        r"expected a matrix at \[0\].b to transpose",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_cannot_be_one_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

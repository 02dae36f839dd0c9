"""n equal layers as one scan, beside the same layers in a row."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import BatchNorm, Dense, Dropout, Repeat, serial
from jaxnn.core.leaves import without
from jaxnn.core.walk import mixing_layers
from jaxnn.sweep.backpropagation import sweep
from jaxnn.sweep.records import Batch, Objective
from tests.compare import KEY, assert_trees_close, draw

N = 3
LAYERS = [
    serial(Dense(5), nn.tanh),
    serial(Dense(7), nn.relu, Dense(5), nn.tanh),
    serial(nn.DropConnect(5, drop_rate=0.4), nn.silu, Dropout(0.3)),
    nn.Skip(serial(Dense(5, bias=False), BatchNorm(), nn.relu)),
    nn.Parallel((Dense(2), serial(nn.tanh, Dense(3))), "concat"),
    nn.MixedPrecision(serial(Dense(5), nn.tanh), "float64"),
    nn.feedback.WithBackward(Dense(5), nn.feedback.FeedbackAlignment()),
    serial(nn.LayerNorm(), Dense(5)),
    Repeat(serial(Dense(5), nn.sigmoid), 2),
    nn.tanh,
]
# half the time to compile; what is computed stays the same
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
x64 = pytest.mark.usefixtures("x64")
over_layers = pytest.mark.parametrize("layer", LAYERS, ids=repr)


def stacked(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def around(middle):
    """A network with the layers between two others."""
    return serial(Dense(5), middle, Dense(3))


def setting(layer, shape=(6, 2, 5)):
    """(x, y, params of `Repeat`, params of `serial`)."""
    x = draw(jnp.zeros(shape), 1)
    first, *inner, last = (
        draw(jax.eval_shape(one.init, KEY, x), seed)
        for seed, one in enumerate((Dense(5), *[layer] * N, Dense(3)))
    )
    y = np.random.default_rng(0).integers(0, 3, shape[:-1])
    return x, y, (first, stacked(inner), last), (first, tuple(inner), last)


def both(layer, call):
    """What `call(net, params, x, y)` gives for `Repeat`, and for `serial` put together alike."""
    x, y, repeated, in_a_row = setting(layer)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def run(repeated, in_a_row, x, y):
        found = call(around(Repeat(layer, N)), repeated, x, y)
        return found, call(around(serial(*[layer] * N)), in_a_row, x, y)

    return run(repeated, in_a_row, x, y)


def joined(tree, join=stacked):
    """A tree like the parameters of `serial`, as one like those of `Repeat`."""
    return (tree[0], join(tree[1]), tree[2])


@x64
@over_layers
def test_it_is_what_n_layers_in_a_row_are(layer):
    def call(net, params, x, y):
        outputs, residuals = net.forward(params, x, KEY)
        given = net, nn.softmax_cross_entropy, params, x, y, KEY
        dx, _ = net.backward(params, residuals, outputs, nn.gradient)
        return outputs, dx, nn.backprop(*given, weights=np.arange(1.0, 7.0))

    (outputs, dx, (value, grads)), wanted = both(layer, call)
    expected = (*wanted[:2], (wanted[2][0], joined(wanted[2][1])))
    assert_trees_close((outputs, dx, (value, grads)), expected, rtol=1e-12)


SUMMED = {  # of n layers: one number for each example, or pair of examples
    "squared_norms": nn.squared_norms,
    "gram norms": nn.readings.SquaredNorms("gram"),
    "formed norms": nn.readings.SquaredNorms("each"),
    "gram": nn.readings.gram,
}
ENTRIES = {  # for each entry of a parameter
    "gradient": nn.gradient,
    "weighted": nn.readings.weighted(np.arange(6.0)),
    "second_moment": nn.readings.second_moment,
    "variance": nn.readings.variance,
    "clipped": nn.clipped(0.3),
    "automatic": nn.clipped(0.3, "automatic"),
}


@x64
@pytest.mark.parametrize("layer", [a for a in LAYERS if not mixing_layers(a)], ids=repr)
def test_every_reading_is_that_of_n_layers_in_a_row(layer):
    def call(net, params, x, y):
        asked = (*SUMMED.values(), *ENTRIES.values(), nn.per_example, nn.readings.noise_scale)
        asked = (*asked, nn.readings.directional(params))
        return nn.backprop(net, nn.softmax_cross_entropy, params, x, y, KEY, read=asked)[1]

    found, wanted = both(layer, call)
    sums = lambda trees: jax.tree.map(lambda *leaves: sum(leaves), *trees)  # noqa: E731
    examples = lambda trees: jax.tree.map(lambda *leaves: jnp.stack(leaves, 1), *trees)  # noqa: E731
    joins = [*[sums] * len(SUMMED), *[stacked] * len(ENTRIES), examples, None, sums]
    for got, want, join in zip(found, wanted, joins, strict=True):
        assert_trees_close(got, want if join is None else joined(want, join), rtol=1e-11)


@x64
def test_a_large_batch_is_read_a_block_at_a_time(monkeypatch):
    layer = LAYERS[1]
    read = (
        nn.readings.SquaredNorms("each"),
        nn.squared_norms,
        nn.readings.second_moment,
        nn.readings.variance,
    )

    def given(net, params, x, y):
        loss = nn.softmax_cross_entropy.replace(reduction="sum")
        return sweep(Objective(net, loss), params, Batch(x, y), read)[1]

    whole, _ = both(layer, given)
    monkeypatch.setattr("jaxnn.readings.blocks.LIMIT", 300)
    assert_trees_close(both(layer, given)[0], whole, rtol=1e-12)


@x64
@pytest.mark.parametrize("product", [nn.curvature.hvp, nn.curvature.gnvp])
@pytest.mark.parametrize("layer", LAYERS[:3] + LAYERS[4:6] + LAYERS[8:], ids=repr)
@pytest.mark.parametrize("alone", [False, True], ids=["", "first"])
def test_products_with_the_curvature_are_those_of_n_layers(layer, product, alone):
    x, y, repeated, in_a_row = setting(layer)
    nets = around(Repeat(layer, N)), around(serial(*[layer] * N))
    if alone:  # nothing moves below it
        y = draw(jnp.zeros(x.shape), 2)
        nets, repeated, in_a_row = [n.layers[1] for n in nets], repeated[1], in_a_row[1]
    loss = nn.half_square if alone else nn.softmax_cross_entropy
    v = draw(in_a_row, 9)
    join = stacked if alone else joined

    @functools.partial(jax.jit, compiler_options=QUICK)
    def run(repeated, in_a_row, v):
        found = product(nets[0], loss, repeated, x, y, join(v), KEY)
        value, wanted = product(nets[1], loss, in_a_row, x, y, v, KEY)
        return found, (value, join(wanted))

    assert_trees_close(*run(repeated, in_a_row, v), rtol=1e-11)


@pytest.mark.parametrize("key", [jax.random.key(3), KEY])
def test_it_starts_as_n_layers_in_a_row_do_inside_a_jit_too(key):
    layer, x = serial(Dense(5, b_init=nn.initializers.normal(1.0)), BatchNorm()), jnp.zeros((3, 5))
    expected = stacked(serial(*[layer] * N).init(key, x))
    net = Repeat(layer, N)
    assert_trees_close(net.init(key, x), expected, rtol=0)
    assert_trees_close(jax.jit(net.init)(key, x), expected, rtol=1e-6)
    assert Repeat(nn.tanh, N).init(None, x) == ()
    assert_trees_close(
        Repeat(BatchNorm(), N).init(None, x), stacked([BatchNorm().init(None, x)] * N)
    )


def test_the_program_does_not_grow_with_n():
    def size(n):
        net, optimizer = around(Repeat(serial(Dense(5), nn.tanh), n)), nn.Adam(0.1)
        state = nn.start(net, optimizer, KEY, jnp.zeros((6, 5)))

        def step(state, x, y):
            return nn.train_step(net, nn.softmax_cross_entropy, optimizer, state, x, y)

        compiled = jax.jit(step).lower(state, jnp.zeros((6, 5)), jnp.zeros(6, int)).compile()
        start = jax.jit(net.init).lower(KEY, jnp.zeros((6, 5))).compile()
        return np.array([(c.as_text() or "").count(" = ") for c in (compiled, start)])

    assert np.abs(size(64) - size(4)).max() <= 4


def test_what_two_layers_keep_is_stored_once():
    x = draw(jnp.zeros((6, 5)), 1)

    def kept(layer):
        net = Repeat(layer, N)
        params = draw(jax.eval_shape(net.init, KEY, x), 2)
        return sum(leaf.size for leaf in jax.tree.leaves(net.forward(params, x, KEY)[1]))

    one = x.size
    assert kept(nn.linear) == 0
    assert kept(Dense(5)) == kept(nn.tanh) == kept(serial(Dense(5), nn.tanh)) == (N + 1) * one
    hidden = serial(Dense(5), nn.relu, Dense(5), nn.relu)  # the first relu's y is an x, too
    assert kept(hidden) == (2 * N + 1) * one


def test_a_tree_without_what_is_known_is_found_again():
    x, y, z = (draw(jnp.zeros(n), n) for n in (1, 2, 3))
    tree = {"a": (z, x, None), "b": [y, z]}
    rest = without(tree, (x, y))
    assert rest.others == (z,)
    assert rest.needs(0, 2)
    assert not without((z, x), (x, y)).needs(1, 2)
    assert jax.tree.all(jax.tree.map(lambda a, b: a is b, rest.whole((x, y)), tree))


X = jnp.zeros((3, 5))
REFUSED = [
    (lambda: Repeat(Dense(5), 0), ValueError, "Repeat: expected n to be a whole number >= 1"),
    (lambda: Repeat(Dense, 3), TypeError, "Repeat: expected a layer at .0., got <class"),
    (
        lambda: Repeat(Dense(7), 3).forward(Repeat(Dense(7), 3).init(KEY, X), X),
        ValueError,
        r"^Repeat\(Dense\(7\), 3\): expected a layer that keeps shape and dtype of x, float32 "
        r"\(3, 5\), got float32 \(3, 7\); give it 5 outputs",
    ),
    (
        lambda: serial(Repeat(Dense(5), 3)).forward((Repeat(Dense(5), 2).init(KEY, X),), X),
        ValueError,
        r"^\[0\] Repeat\(Dense\(5\), 3\): expected parameters with a first axis of 3, .* got \.w "
        r"of shape \(2, 5, 5\)",
    ),
    (lambda: Repeat(nn.Pixels(), 3).init(KEY, jnp.zeros((3, 5), int)), TypeError, "floating-point"),
    (
        lambda: serial(nn.tanh, Repeat(serial(nn.tanh, Dropout(0.5)), 3)).forward(
            ((), ((), ())), X
        ),
        ValueError,
        r"^\[1\]\[1\] Dropout\(0.5\): expected a random key",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

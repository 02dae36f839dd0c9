"""Every refusal of a layer says what was expected, what came, where, and what to do."""

# The arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
import pytest

import jaxnn as nn
from jaxnn import Dense, Dropout, Flatten, Layer, Parallel, Pixels, Skip, serial
from jaxnn.core.refusals import check_same_tree
from tests.compare import KEY, draw

X = jnp.ones((3, 5))
NET = serial(Dense(7), nn.relu, Dense(2))
PARAMS = NET.init(KEY, X)


class Unfinished(Layer):
    """A layer without forward and backward."""


class Foreign(Layer):
    """A layer whose own error knows nothing of its place."""

    def forward(self, params, x, key=None):
        raise ValueError("something inside")


def forward(layer, x, params=None):
    params = draw(jax.eval_shape(layer.init, KEY, X), 0) if params is None else params
    return layer.forward(params, x)


REFUSED = [
    (
        lambda: forward(Dense(7), jnp.ones(5)),
        ValueError,
        r"Dense\(7\): .* got shape \(5,\); .*x\[N",
    ),
    (
        lambda: Dense(7).init(KEY, jnp.ones(5)),
        ValueError,
        r"\(batch, \.\.\., features\), got shape",
    ),
    (lambda: forward(Dense(7), jnp.ones((3, 4))), ValueError, r"last axis 5, got shape \(3, 4\)$"),
    (lambda: forward(Dense(7), jnp.ones((3, 2, 4))), ValueError, r"put Flatten\(\) before it"),
    (lambda: forward(Dense(7), jnp.ones((3, 5), int)), TypeError, r"got int32 of .*put Pixels\(\)"),
    (
        lambda: forward(Dense(7), X.astype(jnp.bfloat16)),
        TypeError,
        r"dtype float32 like the parameters, got bfloat16; .*astype\(float32\)",
    ),
    (lambda: forward(Dense(7), X, ()), TypeError, r"expected parameters Affine.*got tuple; take"),
    (lambda: NET.forward(PARAMS[:2], X), ValueError, r"tuple of 3 parameter records.* got 2 entri"),
    (lambda: NET.forward({}, X), ValueError, r"tuple of 3 parameter records, .*<class 'dict'>"),
    (lambda: Dense(7).init(None, X), ValueError, r"Dense\(7\): expected a random key, got None"),
    (lambda: NET.init(None, X), ValueError, r"^\[0\] Dense\(7\): expected a random key"),
    (lambda: Dense(0), ValueError, "n_out to be a whole number >= 1, got 0"),
    (lambda: Dense(2.5), ValueError, "got 2.5"),
    (lambda: Dense(True), ValueError, "got True"),
    (lambda: nn.relu.forward((), jnp.ones(3, int)), TypeError, "relu: expected floating-point x"),
    (lambda: nn.softmax.forward((), jnp.ones(())), ValueError, r"x \(\.\.\., classes\), got a sca"),
    (lambda: nn.relu(0.1), TypeError, "relu has no parameter, got 0.1"),
    (lambda: nn.leaky_relu(float("nan")), ValueError, "finite slope"),
    (lambda: nn.elu("1"), TypeError, "a number for alpha, got '1'"),
    (lambda: Flatten().forward((), jnp.ones(())), ValueError, r"x \(batch, \.\.\.\), got a scalar"),
    (lambda: Pixels().forward((), X), TypeError, r"x of bytes .* got float32; leave this layer"),
    (lambda: Pixels(0.0), ValueError, r"top in \(0, inf\], got 0"),
    (lambda: serial(), TypeError, r"serial: expected a tuple of one or more layers, got \(\)"),
    (lambda: serial(Dense(3), Dense), TypeError, r"a layer at \[1\], got <class .*Dense"),
    (lambda: nn.layers.Serial([Dense(3)]), TypeError, r"expected a tuple of one or more layers"),
    (lambda: Skip(3), TypeError, r"Skip: expected a layer at \[0\], got 3"),
    (lambda: forward(Skip(Dense(7)), X), ValueError, r"keep the shape \(3, 5\) .* of 5 outputs"),
    (lambda: Parallel((Dense(3),), "mean"), ValueError, "merge to be one of .* got 'mean'"),
    (
        lambda: forward(Parallel((Dense(3), Dense(2)), "sum"), X),
        ValueError,
        r"outputs of equal shapes to sum, got \[\(3, 3\), \(3, 2\)\]",
    ),
    (
        lambda: forward(Parallel((Flatten(), Dense(3)), "concat"), X[None].repeat(3, 0)),
        ValueError,
        "equal but for the last axis",
    ),
    (lambda: Parallel((Dense(3),), "sum").forward((), X), ValueError, "tuple of 1 parameter rec"),
    (lambda: serial(Dropout(0.5)).forward(((),), X), ValueError, r"^\[0\] Dropout\(0.5\): .*key"),
    (lambda: Unfinished().forward((), X), NotImplementedError, r"write Unfinished\.forward\(self"),
    (lambda: Unfinished().backward((), (), X, None), NotImplementedError, r"Unfinished\.backward"),
    (
        lambda: check_same_tree("grads", PARAMS[:2], "params", PARAMS),
        ValueError,
        "grads: expected the structure of params, .* build grads from these very params",
    ),
    (
        lambda: check_same_tree("grads", NET.init(KEY, X[:, :4]), "params", PARAMS),
        ValueError,
        r"grads\[0\]\.w: expected shape \(5, 7\) as in params, got \(4, 7\)",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_a_refusal_says_what_where_and_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_path_of_a_nested_layer_finds_its_parameters():
    net = serial(nn.relu, serial(Dense(5), Skip(serial(Dense(7), Dense(5)))))
    params = draw(jax.eval_shape(net.init, KEY, X), 0)
    broken = jax.tree.map(lambda p: p, params)
    inner = broken[1][1][1]
    broken = (broken[0], (broken[1][0], (broken[1][1][0], inner._replace(w=inner.w[:3]))))
    with pytest.raises(
        ValueError, match=r"^\[1\]\[1\]\[1\] Dense\(5\): expected x with last axis 3"
    ):
        net.forward(broken, X)


def test_an_error_from_a_users_layer_is_given_its_place_too():
    with pytest.raises(ValueError, match=r"^\[0\]\[1\] Foreign\(\): something inside"):
        serial(serial(nn.relu, Foreign())).forward((((), ()),), X)


def test_the_place_survives_jit():
    with pytest.raises(ValueError, match=r"^\[0\] Dense\(7\): expected x with last axis 5"):
        jax.jit(NET.forward)(PARAMS, jnp.ones((3, 4)))

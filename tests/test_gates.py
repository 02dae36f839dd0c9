"""Gates by their truth tables, and regions against geometry that knows nothing of half-planes."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.perceptron.gates import (
    and_gate,
    beside,
    convex_region,
    half_planes,
    negated,
    or_gate,
    regions_of_classes,
    threshold_network,
    union_of_regions,
    xor_network,
)

GRID = np.stack(np.meshgrid(*2 * [np.linspace(-3, 3, 101)]), -1).reshape(-1, 2)
SQUARE = half_planes([[1, 0], [-1, 0], [0, 1], [0, -1]], [1, 1, 1, 1])  # |x1|, |x2| <= 1
DIAMOND = half_planes([[1, 1], [1, -1], [-1, 1], [-1, -1]], 4 * [1.5])  # |x1| + |x2| <= 1.5


def shifted(region, by):
    """The region moved by a vector."""
    return nn.Affine(region.w, region.b - jnp.asarray(by, region.w.dtype) @ region.w)


def in_square(x):
    return abs(x).max(1) <= 1


def in_diamond(x):
    return abs(x).sum(1) <= 1.5


def outputs(network, x):
    net, params = network
    return np.asarray(nn.predict(net, params, np.asarray(x, np.float32)))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("gate", "truth"),
    [
        (and_gate, all),
        (or_gate, any),
        (lambda n: negated(and_gate(n)), lambda bits: not all(bits)),
        (lambda n: negated(or_gate(n)), lambda bits: not any(bits)),
    ],
    ids=["AND", "OR", "NAND", "NOR"],
)
def test_a_gate_has_its_whole_truth_table(gate, truth, n):
    rows = list(itertools.product((0, 1), repeat=n))
    expected = [[float(truth(bits))] for bits in rows]
    np.testing.assert_array_equal(outputs(threshold_network(gate(n)), rows), expected)
    sums = np.asarray(rows, np.float32) @ gate(n).w + gate(n).b
    assert abs(sums).min() == 0.5  # far from 0, where the output changes


def test_not_is_a_negated_or_of_one_input():
    net = threshold_network(negated(or_gate(1)))
    assert outputs(net, [[0], [1]]).tolist() == [[1], [0]]


def test_gates_of_several_sizes_take_inputs_in_turn():
    rows = list(itertools.product((0, 1), repeat=5))
    got = outputs(threshold_network(and_gate(2, 3)), rows)
    np.testing.assert_array_equal(got, [[all(row[:2]), all(row[2:])] for row in rows])


def test_xor_takes_two_layers_and_no_unit_alone_does_it():
    network = xor_network()
    rows = list(itertools.product((0, 1), repeat=2))
    assert repr(network[0]) == "serial(Dense(2), step, Dense(1), step)"
    assert outputs(network, rows)[:, 0].tolist() == [0, 1, 1, 0]
    tries = half_planes(
        np.random.default_rng(0).normal(size=(10_000, 2)), np.linspace(-2, 2, 10_000)
    )
    single = outputs(threshold_network(tries), rows)
    assert not (single == [[0], [1], [1], [0]]).all(0).any()


def test_a_convex_region_is_the_intersection_of_half_planes_with_its_boundary():
    network = convex_region(SQUARE)
    np.testing.assert_array_equal(outputs(network, GRID)[:, 0], in_square(GRID.astype(np.float32)))
    assert outputs(network, [[1, 1], [1, 0], [1.001, 0]])[:, 0].tolist() == [1, 1, 0]


def test_a_union_is_one_where_any_region_is():
    a, b = np.array([-1.2, -0.8]), np.array([1.1, 0.7])
    network = union_of_regions(shifted(SQUARE, a), shifted(DIAMOND, b), DIAMOND)
    # none of these points is so near to a side that rounding decides
    x = np.random.default_rng(0).uniform(-3, 3, (5000, 2))
    expected = in_square(x - a) | in_diamond(x - b) | in_diamond(x)
    assert 0.2 < expected.mean() < 0.8
    np.testing.assert_array_equal(outputs(network, x)[:, 0], expected)
    assert repr(network[0]) == "serial(Dense(12), step, Dense(3), step, Dense(1), step)"


def test_several_groups_tell_several_classes_apart():
    centres = np.array([[-1.5, -1.5], [1.5, 1.5], [-1.5, 1.5], [1.5, -1.5]])
    regions = [shifted(SQUARE, c) for c in centres[:3]] + [shifted(DIAMOND, centres[3])]
    network = regions_of_classes(regions[:2], regions[2:3], regions[3:])
    x = np.random.default_rng(1).uniform(-3, 3, (5000, 2))
    inside = [in_square(x - c) for c in centres[:3]] + [in_diamond(x - centres[3])]
    expected = np.stack([inside[0] | inside[1], inside[2], inside[3]], axis=1)
    assert expected.any(0).all()
    np.testing.assert_array_equal(outputs(network, x), expected)


def test_the_parameters_are_those_of_the_network(x64):
    net, params = union_of_regions(SQUARE, DIAMOND)
    like = jax.eval_shape(net.init, jax.random.key(0), jnp.ones((1, 2)))
    assert jax.tree.structure(params) == jax.tree.structure(like)
    assert [p.shape for p in jax.tree.leaves(params)] == [p.shape for p in jax.tree.leaves(like)]
    assert and_gate(2).w.dtype == np.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: and_gate(), r"number of inputs of each gate, 1 or more, got \(\)"),
        (lambda: or_gate(2, 0), r"got \(2, 0\)"),
        (lambda: and_gate(2.0), r"got \(2.0,\)"),
        (lambda: half_planes([1, 2], [1]), r"normals \(m, k\) and offsets \(m,\), got \(2,\) and"),
        (lambda: half_planes([[1, 2]], [1, 2]), r"got \(1, 2\) and \(2,\)"),
        (lambda: beside(), r"units on equally many inputs, got \[\]"),
        (lambda: beside(and_gate(2), and_gate(3)), r"equally many inputs, got \[2, 3\]"),
        (lambda: threshold_network(), "one or more layers, got none"),
        (
            lambda: threshold_network(SQUARE, and_gate(3)),
            r"as many inputs as units before them, got w \[\(2, 4\), \(3, 1\)\]",
        ),
        (lambda: regions_of_classes([SQUARE], []), r"1 or more, got \(1, 0\)"),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(call, message):
    with pytest.raises(ValueError, match=message):
        call()

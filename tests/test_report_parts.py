"""What the figures and tables of a page are computed from."""

import re

import numpy as np

from experiments.data import Dataset, load as load_data
from experiments.report import confusion, curves, histograms, images, mistakes, svg, weights
from experiments.report.outcome import Outcome


def test_confusions_are_counted_with_the_true_class_first():
    y, said = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    found = confusion.counts(y, said, 3)
    assert found.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert confusion.recall(found) == ["50.0%", "66.7%", ""]
    many = confusion.confusion(y, said, [f"class {i}" for i in range(confusion.MOST + 1)])
    assert many.count("<tr>") == 3  # the head, and the two that were confused
    assert '<th scope="row">class 0</th><td>class 1</td>' in many


def test_misread_examples_come_by_their_loss():
    loss = np.array([0.1, 3.0, 2.0, 5.0])
    found = Outcome(np.array([0, 1, 1, 0]), np.array([0, 0, 0, 0]), loss, None)
    assert found.misread.tolist() == [1, 2]


def test_features_come_back_in_their_own_units():
    data: Dataset = load_data("iris")
    raw = mistakes.readable(data, data.x_test[:3])
    assert list(raw) == list(data.features)
    assert all(0.1 <= float(v) <= 7.9 and len(v) <= 4 for values in raw.values() for v in values)
    assert min(map(float, raw["sepal length (cm)"])) > 4


def test_bins_of_any_range_keep_their_counts():
    bins = {"low": -1.0, "high": 2.0, "counts": [3, 0, 9]}
    found = histograms.rebinned(bins, np.linspace(-4, 4, 17))
    np.testing.assert_allclose(found, [*[0] * 6, 1.5, 1.5, 0, 0, 4.5, 4.5, *[0] * 4], atol=1e-12)
    single = histograms.rebinned({"low": 0.5, "high": 0.5, "counts": [7]}, np.array([0.0, 1, 2]))
    assert single.tolist() == [7, 0]


def test_weights_are_those_of_the_pixels_of_each_unit():
    w = np.arange(12.0).reshape(6, 2)
    found = weights.first_weights((np.zeros(6), {"b": np.zeros((4, 2)), "w": w}), (2, 3))
    assert found is not None
    np.testing.assert_array_equal(found[1], [[1, 3, 5], [7, 9, 11]])
    assert weights.first_weights({"w": w}, (5, 5)) is None
    mean = weights.first_weights({"w": w}, (1, 2, 3))
    assert mean is not None
    np.testing.assert_array_equal(mean[0], [[2, 8]])


def test_signed_colours_are_clear_at_zero_and_full_at_the_scale():
    found = images.signed(np.array([[0.0, 2.0, -4.0]]), 4.0)
    assert found[0, :, 3].tolist() == [0, 127, 255]
    assert found[0, 1, :3].tolist() == [0x00, 0x72, 0xB2]
    assert found[0, 2, :3].tolist() == [0xD5, 0x5E, 0x00]


def test_metrics_of_parts_and_of_layers_share_a_figure():
    line = {"epoch": 3, "train_top_3": 0.5, "test_top_3": 0.4, "dead 3": 0.1, "[1].w angle": 9.0}
    assert curves.grouped([line]) == {
        "top_3": {"train": ([3], [0.5]), "test": ([3], [0.4])},
        "dead": {"3": ([3], [0.1])},
        "angle": {"[1].w": ([3], [9.0])},
    }


def test_figures_with_the_same_content_share_no_id():
    def paint(axes) -> None:
        axes.plot([1, 2], [3, 4], marker="o")

    first, second = (svg.drawing(name, "a < b", paint, 2, 2) for name in ("one", "two"))
    ids = [set(re.findall(r'\bid="([^"]*)"', drawn)) for drawn in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert 'aria-label="a &lt; b"' in first

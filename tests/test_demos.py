"""The demos: what they print and draw, and that the command line finds them."""

import importlib

import numpy as np
import pytest

from experiments.common import plots
from experiments.data import load
from experiments.lectures import demos
from experiments.lectures.demos import perceptron, regions, xor


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Data sets are cached in the test's own folder, not in the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["perceptron", "xor", "regions"])
def test_a_demo_prints_and_leaves_its_plot(name, tmp_path, capsys):
    importlib.import_module(f"experiments.lectures.demos.{name}").run(tmp_path)
    assert [path.name for path in tmp_path.glob("*.*")] == [f"{name}.png"]
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert 3 <= printed.count("\n") <= 15
    assert "\x1b" not in printed


def test_a_demo_is_found_by_its_file():
    assert {"perceptron", "regions", "xor"} <= set(demos.names())
    assert "__init__" not in demos.names()


@pytest.fixture
def pairs(own_cache):
    data = load("iris")
    return [perceptron.learn(data, 0, 1), perceptron.learn(data, 1, 2)]


def test_one_pair_of_iris_is_separable_and_the_other_is_not(pairs):
    separable, other = pairs
    last = separable.fits["last weights"]
    assert all(fit.separated for fit in separable.fits.values())
    assert 1 <= last.mistakes <= separable.bound
    assert other.bound is None
    assert not any(fit.separated for fit in other.fits.values())
    assert other.fits["last weights"].mistakes == perceptron.LIMIT
    assert other.fits["pocket"].wrong <= 2 < other.fits["last weights"].wrong


def test_the_table_of_the_perceptron_has_a_row_for_each_pair_and_way(pairs):
    table = perceptron.table(pairs)
    columns = {str(column.header): list(column.cells) for column in table.columns}
    assert columns["separated"] == ["yes"] * 3 + ["no"] * 3
    assert columns["accuracy"][:3] == ["100.0%"] * 3
    assert columns["Novikoff"][0] == f"at most {pairs[0].bound:.0f}"


def test_the_plot_of_the_perceptron_shows_all_points_and_lines(pairs):
    figure = perceptron.draw(pairs)
    for panel, pair in zip(figure.axes, pairs, strict=True):
        drawn = [points.get_offsets() for points in panel.collections]
        np.testing.assert_array_equal(drawn[0], pair.x[pair.y == 0])
        np.testing.assert_array_equal(drawn[1], pair.x[pair.y == 1])
        assert [line.get_label() for line in panel.lines] == list(pair.fits)
        (low, high), (bottom, top) = panel.get_xlim(), panel.get_ylim()
        assert ((pair.x >= [low, bottom]) & (pair.x <= [high, top])).all()


def test_a_boundary_is_drawn_where_the_weighted_sum_is_0():
    _, (panel,) = plots.panels(1)
    panel.set(xlim=(0, 1), ylim=(0, 1))
    plots.draw_boundary(panel, np.array([3.0, -2.0]), 0.5)
    (line,) = panel.lines
    for x in (line.get_xy1(), line.get_xy2()):  # pyright: ignore[reportAttributeAccessIssue]
        assert abs(np.dot([3.0, -2.0], x) + 0.5) < 1e-12
    assert line.get_xy1() != line.get_xy2()  # pyright: ignore[reportAttributeAccessIssue]
    assert (panel.get_xlim(), panel.get_ylim()) == ((0, 1), (0, 1))


def images(figure):
    return [np.ma.asarray(panel.images[0].get_array()) for panel in figure.axes]


def test_xor_is_learned_and_its_regions_are_drawn():
    learned = xor.learn()
    logits = xor.output(learned, xor.INPUTS)
    np.testing.assert_array_equal(logits > 0, xor.TARGETS[:, 0] == 1)
    assert abs(logits).min() > 3
    rows = list(zip(*(c.cells for c in xor.truth_table(xor.gates(), learned).columns), strict=True))
    assert [row[:6] for row in rows] == [
        ("0 0", "1", "0", "0", "1", "0"),
        ("0 1", "1", "0", "1", "1", "1"),
        ("1 0", "0", "0", "1", "1", "1"),
        ("1 1", "0", "1", "1", "0", "0"),
    ]
    for image in images(xor.draw(learned)):  # row and column of the inputs 0 and 1 in 400 of each
        assert [image[i, j] for i in (100, 299) for j in (100, 299)] == [0, 1, 1, 0]


def test_the_regions_are_those_of_geometry_and_are_drawn():
    shown = regions.examples()
    points = plots.grid(*regions.SQUARE, 200)
    for example in shown:
        np.testing.assert_array_equal(example.classify(points), example.expected(points))
    filled = [set(np.ma.unique(image).compressed()) for image in images(regions.draw(shown))]
    assert filled == [{0}, {0}, {0, 1, 2}]
    assert list(regions.table(shown).columns[2].cells) == ["40,000 of 40,000"] * 3


@pytest.mark.parametrize("corners", [3, 4, 7])
def test_a_polygon_contains_what_is_nearer_than_its_sides(corners):
    polygon = regions.regular(corners, (0.3, -0.2), 2.0)
    inner = 2.0 * np.cos(np.pi / corners)  # radius of the circle that touches the sides
    angles = np.linspace(0, 2 * np.pi, 50)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert polygon.contains([0.3, -0.2] + 0.999 * inner * circle).all()
    assert not polygon.contains([0.3, -0.2] + 2.001 * circle).any()


def test_a_grid_runs_along_rows_from_the_low_corner():
    np.testing.assert_array_equal(plots.grid(0, 1, 2), [[0, 0], [1, 0], [0, 1], [1, 1]])

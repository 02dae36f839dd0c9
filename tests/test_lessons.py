"""The demos of training: starting points, batch sizes, regularisation, text as numbers."""

import jax
import numpy as np
import pytest

import jaxnn as nn
from experiments.data import load
from experiments.lectures.demos import characters, derivations, descent, regularisation, starts
from experiments.lectures.derivations import table


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Data sets are cached in the test's own folder, not in the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def printed(demo, folder, capsys):
    """The lines a demo prints, once it has run and left its plot."""
    demo.run(folder)
    name = demo.__name__.rpartition(".")[2]
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    lines = capsys.readouterr().out.splitlines()
    assert all("\x1b" not in line and len(line) <= 110 for line in lines)
    return lines


def test_the_best_of_many_starts_is_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(starts, "STARTS", 8)
    monkeypatch.setattr(starts, "EPOCHS", 5)
    lines = printed(starts, tmp_path, capsys)
    best, median, worst = (float(line.split()[-2]) for line in lines[1:4])
    assert best < median < worst
    data = load("iris")
    like = starts.NET.init(jax.random.key(0), data.x)
    params = nn.load(tmp_path / "parameters.safetensors", like)
    got = nn.evaluate(starts.NET, starts.LOSS, params, data.x, data.y)["loss"]
    assert f"{float(got):.4f}" == f"{best:.4f}"


def test_starts_trained_together_are_those_trained_alone(monkeypatch):
    monkeypatch.setattr(starts, "STARTS", 3)
    monkeypatch.setattr(starts, "EPOCHS", 2)
    data = load("iris")
    found = starts.explore(data)
    for i, key in enumerate(jax.random.split(jax.random.key(0), 3)):
        state = nn.start(starts.NET, starts.OPTIMIZER, key, data.x)
        for number in range(2):
            order = np.random.default_rng([0, number]).permutation(len(data.x))
            state, _ = nn.train_epoch(
                starts.NET, starts.LOSS, starts.OPTIMIZER, state, data.x, data.y, order,
                batch_size=starts.BATCH,
            )  # fmt: skip
        loss = nn.evaluate(starts.NET, starts.LOSS, state.params, data.x, data.y)["loss"]
        np.testing.assert_allclose(found.losses[-1, i], loss, rtol=1e-6)


def test_smaller_batches_make_more_iterations_and_more_progress_in_an_epoch(tmp_path, capsys):
    rows = [line.split() for line in printed(descent, tmp_path, capsys)[1:]]
    assert [row[-3] for row in rows] == ["1", "9", "142"]
    losses = [float(row[-1]) for row in rows]
    assert losses[0] > losses[1] > losses[2]


def test_the_proximal_step_leaves_zeros_and_every_variant_is_shown(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(regularisation, "EPOCHS", 4)
    lines = printed(regularisation, tmp_path, capsys)[1:]
    names = regularisation.networks().keys()
    assert len(lines) == len(names) == 11
    zeros = {name: line.split()[-1] for name, line in zip(names, lines, strict=True)}
    assert float(zeros.pop("l1, proximal").rstrip("%")) > 1  # 68 % after all hundred epochs
    assert set(zeros.values()) == {"0.0%"}


def test_no_variant_touches_the_output_layer():
    for net, _ in regularisation.networks().values():
        assert isinstance(net, nn.layers.Serial)
        assert net.layers[-1] == nn.Dense(10)


def test_the_derivations_are_printed_and_kept(tmp_path, capsys, monkeypatch):
    few = [source for source in table.SOURCES if source.name == "Punnen"]
    monkeypatch.setattr(table, "SOURCES", few)
    derivations.run(tmp_path)
    kept = (tmp_path / "derivations.txt").read_text()
    assert kept == capsys.readouterr().out
    assert "Punnen" in kept


def test_one_hot_rows_and_embeddings_learn_alike(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(characters, "EPOCHS", 3)
    one_hot, embedding = printed(characters, tmp_path, capsys)[1:]
    assert one_hot.split()[-3:] == embedding.split()[-3:]
    x, y, alphabet = characters.examples("abcab")
    assert (x.tolist(), y.tolist(), alphabet) == ([[0, 1, 2], [1, 2, 0]], [0, 1], "abc")

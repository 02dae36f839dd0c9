"""The guard against programs that grow."""

import json

import jax
import numpy as np
import pytest

import jaxnn as nn
from experiments.__main__ import main
from experiments.bench import gate
from experiments.bench.gate_programs import (
    LAYERS,
    LEAN,
    LOSSES,
    ON_IDS,
    ON_SEVERAL,
    Call,
    Program,
    programs,
)
from jaxnn.core.walk import every_layer
from tests.public import public as names

VERSION = f"jax {jax.__version__} {jax.default_backend()}"


@jax.jit
def square(x):
    return x * x


@jax.jit
def sorted_twice(x):
    return jax.numpy.sort(jax.numpy.sort(x)[::-1] * x)


def of(function, name="a program"):
    return Program(name, lambda: Call(function, (np.ones(1000, np.float32),)))


@pytest.fixture
def committed(monkeypatch, tmp_path):
    """Figures in a file of the test's own, and one program to watch."""
    monkeypatch.setattr(gate, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr(gate, "programs", lambda: iter([of(square)]))
    monkeypatch.setenv("XLA_FLAGS", "")
    return tmp_path / "figures.json"


def run(*words):
    return main(["bench", "gate", *words])


def test_a_version_without_figures_passes_and_says_how_to_add_it(committed, capsys):
    committed.write_text('{"jax 0.1 cpu": {}}')
    assert run() == 0
    said = capsys.readouterr().out
    assert f"no figures for {VERSION}, only for: jax 0.1 cpu" in said
    assert "bench gate --update" in said


def test_what_is_committed_passes_and_what_has_grown_fails(committed, capsys, monkeypatch):
    committed.write_text('{"jax 0.1 cpu": {}}')
    assert run("--update") == run() == 0
    assert set(json.loads(committed.read_text())) == {"jax 0.1 cpu", VERSION}
    assert "0 figures have grown" in capsys.readouterr().out
    monkeypatch.setattr(gate, "programs", lambda: iter([of(sorted_twice)]))
    assert run() == 1
    said = capsys.readouterr().out
    assert "a program" in said
    assert "instructions" in said
    assert run("--update") == run() == 0
    monkeypatch.setattr(gate, "programs", lambda: iter([of(square)]))
    assert run() == 0
    assert "smaller than committed, which --update keeps: a program" in capsys.readouterr().out


def test_programs_and_figures_name_the_same(committed, capsys, monkeypatch):
    assert run("--update") == 0
    monkeypatch.setattr(gate, "programs", lambda: iter([of(square, "another")]))
    assert run() == 1
    said = capsys.readouterr().out
    assert "'another' is not committed" in said
    assert "'a program' is committed, but there is no such one" in said


def test_a_file_that_is_no_json_is_refused(committed, capsys):
    committed.write_text("{")
    assert run() == 2
    assert "expected JSON" in capsys.readouterr().err


def test_what_compiles_again_for_equal_values_shows():
    assert gate.figures(of(square))["recompiled"] == 0
    anew = Program("a lambda", lambda: of(jax.jit(lambda x: x + 1)).build())
    assert gate.figures(anew)["recompiled"] == 1


def test_growth_is_what_leaves_the_margin():
    before = {"p": {"temp": 10_000, "instructions": 100, "recompiled": 0}}

    def now(**changes):
        return gate.growths({"p": before["p"] | changes}, before)

    assert now() == now(temp=11_000, instructions=107) == []
    assert now(temp=11_100) == [gate.Growth("p", "temp", 10_000, 11_100)]
    assert now(instructions=108) == [gate.Growth("p", "instructions", 100, 108)]
    assert now(recompiled=1) == [gate.Growth("p", "recompiled", 0, 1)]


def public(kind):
    types = {v if isinstance(v, type) else type(v) for v in names().values()}
    return {t for t in types if issubclass(t, kind) and t is not kind}


def test_every_layer_and_loss_of_the_library_is_watched():
    rows = *LAYERS, *LEAN.values()
    made = [make() for make in (*(make for _, make in rows), *ON_IDS, *ON_SEVERAL)]
    layers = {type(layer) for net in made for _, layer in every_layer(net)}
    assert public(nn.Layer) - layers == set(), "add a row to experiments/bench/gate_programs.py"
    losses = {type(make()) for _, make in LOSSES}
    assert public(nn.Loss) - losses == set(), "add a row to experiments/bench/gate_programs.py"


def test_the_committed_figures_are_of_the_programs_there_are():
    names = [program.name for program in programs()]
    assert len(set(names)) == len(names)
    for version, found in gate.read(gate.FIGURES).items():
        assert set(found) == set(names), f"{version}: python -m experiments bench gate --update"

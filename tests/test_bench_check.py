"""The checker on the planted mistakes, and the benchmark that counts them.

Here one seed for a mistake and 20 for right code; `pytest -m slow` takes five and 200, as the
benchmark does.
"""

import functools
import json

import pytest

from experiments.__main__ import main
from experiments.bench import peers, tally
from experiments.bench.check import measure
from experiments.bench.mistakes import interface, models
from experiments.bench.mistakes.model import Mistake
from experiments.bench.planted import DTYPES, JUDGED, Alarms, Score, alarms, judge, second_order

MODELS = models()
OF_VALUE = ("value", "structure", "finite", "gradient", "homogeneity")  # what such mistakes need
over_models = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def named(name):
    """The model of that name."""
    (model,) = (model for model in MODELS if model.name == name)
    return model


@functools.cache
def scores(name):
    """The scores of a model's mistakes at one seed."""
    model = named(name)
    options = {} if model in interface.MODELS else {"checks": OF_VALUE}
    return [judge(model, mistake, (0,), **options) for mistake in model.mistakes]


@over_models
def test_every_mistake_is_caught_and_its_place_named(model):
    for score in scores(model.name):
        if score.mistake.equivalent:
            assert not any(map(any, score.caught.values())), score
        else:
            assert not tally.misses(score._replace(cause_right=None))


@pytest.mark.slow
def test_most_causes_are_named():
    found = [s.cause_right for model in MODELS for s in scores(model.name)]
    starred = [right for right in found if right is not None]
    assert sum(starred) >= tally.CAUSES * len(starred)


@pytest.mark.parametrize(
    "dtypes",
    [JUDGED, pytest.param(tuple(d for d in DTYPES if d not in JUDGED), marks=pytest.mark.slow)],
    ids=["wide", "narrow"],
)
@over_models
def test_right_code_raises_no_alarm(model, dtypes):
    for found in alarms(model, tuple(range(20)), dtypes):
        assert not found.bad, found.report


def test_right_code_raises_no_alarm_at_the_second_order():
    for found in alarms(named("scalar_loss"), tuple(range(20)), DTYPES, by=second_order):
        assert not found.bad, found.report


def test_right_code_is_not_caught_and_wrong_code_is_an_alarm():
    model = named("max_pooling")
    score = judge(model, Mistake(0, "none at all", "[0]"), (0, 1), checks=OF_VALUE)
    assert score.caught == {dtype: [False, False] for dtype in JUDGED}
    assert not score.place_right
    wrong = model._replace(plant=lambda number: model.plant(92))
    (found,) = alarms(wrong, (0, 1, 2), ("float32",))
    assert found.bad == found.seeds == 3
    assert "wrong" in found.report


@pytest.mark.slow
@pytest.mark.timeout(3600)  # 5 minutes on one core
def test_the_bars_of_the_benchmark():
    lines = tally.summary(*measure(MODELS, tuple(range(5)), tuple(range(200))), [])
    assert [line.text for line in lines if not line.ok] == []


def row(name, **changes):
    """A score of a mistake caught at both seeds in both precisions, with place and cause."""
    mistake = Mistake(1, name, "[0]", "sign")
    caught = {dtype: [True, True] for dtype in JUDGED}
    return Score("m", mistake, caught, "x", True, "sign", True, 0.1)._replace(**changes)


def below(scores, found=(), rows=()):
    """The texts of the summary that are below a bar."""
    return [line.text for line in tally.summary(scores, found, rows) if not line.ok]


def peer_row(number, *said):
    return peers.Row("p", "m", number, said)


def test_the_summary_says_what_is_below_its_bar():
    good = [row(name) for name in "abcd"]
    assert below(good, [Alarms("m", "float32", 9, 0, "")]) == []
    missed = row("e", caught={"float64": [True, True], "float32": [True, False]})
    assert below([*good, missed]) == ["caught in float32 at every seed: 4 of 5   below the bar"]
    assert below([*good, row("e", place="y", place_right=False)])[0].startswith("place named: 4 of")
    unnamed = row("e", cause="", cause_right=False)
    assert below([*good, unnamed]) == []
    assert below([*good, unnamed, unnamed])[0].startswith("cause named: 4 of 6")
    doubtful = [Alarms("m", "float16", 9, 2, ""), Alarms("n", "float16", 9, 3, "")]
    assert below(good, doubtful)[0].startswith("alarms for right code in float16: 5 of 18")


def test_a_mistake_that_is_none_is_an_alarm_if_it_is_caught():
    forgiven = row("f", mistake=Mistake(2, "f", equivalent="the same"))
    assert below([row("a"), forgiven])[0].startswith("alarms for mistakes that are none: 1 of 1")
    passed = forgiven._replace(caught={dtype: [False, False] for dtype in JUDGED})
    assert below([row("a"), passed]) == []


def test_no_other_checker_may_catch_as_much():
    weaker, equal = [peer_row(1, "seen", "")], [peer_row(1, "seen", "seen")]
    assert below([row("a")], rows=[*weaker, peer_row(0, "alarm", "")]) == []
    assert below([row("a")], rows=equal) == ["NOT above p: 100.0% of the runs, 100.0%"]


def test_misses_are_listed():
    bad = row("e", caught={"float64": [False, True], "float32": [True, True]}, cause_right=False)
    texts = [line.text for line in tally.summary([bad], [], [])]
    assert texts[-2:] == [
        "  missed in float64: m 1 e, seeds [0]",
        "  cause: m 1 e: sign, not sign",
    ]


def peer_named(name):
    (peer,) = (peer for peer in peers.peers() if peer.name == name)
    return peer


def test_the_peers_see_what_they_are_known_to_see():
    model = named("cross_entropy_mean")
    flipped = model._replace(mistakes=(mistake(7),))
    for name, seen in (("jax.test_util.check_grads", True), ("chex.assert_numerical_grads", False)):
        right, sign = peers.rows(peer_named(f"{name} float64"), flipped, (0,))
        assert right.said == ("",)
        assert sign.caught == [seen]
    lenient, strict = (peer_named(f"allclose(jax.grad) float32, {t}") for t in ("1e-2", "1e-5"))
    assert peers.said(lenient, model, 6, 0) == ""
    assert "Not equal to tolerance" in peers.said(strict, model, 6, 0)


def test_torch_sees_an_ignored_cotangent():
    pytest.importorskip("torch")
    model = named("cross_entropy_rows")
    for mode in ("slow", "fast"):
        peer = peer_named(f"torch.autograd.gradcheck {mode} float64")
        assert peers.said(peer, model, 0, 0) == ""
        assert "GradcheckError" in peers.said(peer, model, 1, 0)


def mistake(number):
    """The row of the list."""
    (found,) = (m for model in MODELS for m in model.mistakes if m.number == number)
    return found


def test_the_bench_prints_and_writes_what_it_found(tmp_path, capsys):
    file = tmp_path / "bench.json"
    words = f"bench check --seeds 1 --false-alarms 1 --only cross_entropy_rows --json {file}"
    assert main(words.split()) == 0
    said = capsys.readouterr()
    assert "upstream ignored" in said.out
    assert "caught in float32 at every seed: 2 of 2" in said.out
    assert "cross_entropy_rows: 1 upstream ignored" in said.err
    found = json.loads(file.read_text())
    assert [m["mistake"]["number"] for m in found["mistakes"]] == [1, 2]
    assert {r["dtype"] for r in found["right"]} == set(DTYPES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("bench nothing", "no bench is called 'nothing'"),
        ("bench chekc", "did you mean 'check'?"),
        ("bench check --only mlp_tan", "did you mean 'mlp_tanh'?"),
    ],
)
def test_a_wrong_bench_ends_with_status_2(words, message, capsys):
    assert main(words.split()) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    ["check --seeds 0", "check --false-alarms ten", "check --jsn x", "check_cost --rounds 0"],
)
def test_a_wrong_option_ends_with_status_2(words, capsys):
    command, option, *_ = words.split()
    assert main(["bench", *words.split()]) == 2
    said = capsys.readouterr().err
    assert option in said
    assert f"usage: python -m experiments bench {command} [" in said

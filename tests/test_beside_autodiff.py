"""The comparison with autodiff trains the same network three times."""

import numpy as np
import pytest

from experiments.bench import beside_autodiff
from experiments.config.file import load


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Data sets are cached in the test's own folder, not in the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_by_hand_and_by_autodiff_train_the_same_network():
    overrides = ["--train.epochs", "2", "--model.loss.smoothing", "0"]
    seconds, accuracy = beside_autodiff.compare(load("digits", overrides))
    assert all(len(times) == 2 and min(times) > 0 for times in seconds.values())
    np.testing.assert_allclose(
        list(accuracy.values()), accuracy["by hand"], atol=1 / 359
    )  # an image


def test_the_comparison_refuses_what_it_cannot_compare(capsys):
    assert beside_autodiff.main(["diabetes"]) == 2
    assert "softmax_cross_entropy without smoothing" in capsys.readouterr().err

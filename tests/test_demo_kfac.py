"""The demo that sets K-FAC beside momentum, on a part of the data and one of its networks."""

import jax.numpy as jnp

import jaxnn as nn
from experiments.data import load
from experiments.lectures.demos import kfac_digits


def test_the_natural_gradient_leaves_the_plateau_first(monkeypatch):
    monkeypatch.setattr(kfac_digits, "EPOCHS", 5)
    data = load("digits")
    x, y = jnp.asarray(data.x[:640]), jnp.asarray(data.y[:640])
    net = kfac_digits.network(nn.sigmoid)
    found = {m: kfac_digits.descend(net, m, 0.1, x, y) for m in kfac_digits.METHODS}
    assert found["K-FAC"].losses[-1] < 0.7 * found["momentum"].losses[-1]
    shown = kfac_digits.table({("sigmoid", m): descent for m, descent in found.items()})
    rows = dict(zip(shown.columns[1].cells, shown.columns[5].cells, strict=True))
    assert rows == {m: f"{descent.losses[-1]:.4f}" for m, descent in found.items()}

"""Epochs of other libraries, from the same parameters and in the same order of examples.

They get the rows in order beforehand, which spares them the gathering that ours does.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

RATE = 0.01


def torch_epoch(inputs: Any, rate: float = RATE) -> Callable[[], Any]:
    """Eager torch with its own layers, loss and optimizer: the network."""
    import torch  # pyright: ignore[reportMissingImports] - the extra `bench`

    gpu = jax.default_backend() == "gpu" and torch.cuda.is_available()
    device = "cuda" if gpu else "cpu"
    layers: list[Any] = []
    for w, b in inputs.params:
        layer = torch.nn.Linear(*w.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(w.T.copy()))
            layer.bias.copy_(torch.from_numpy(b.copy()))
        layers += [layer, torch.nn.Sigmoid()]
    net = torch.nn.Sequential(*layers[:-1]).to(device)
    x = torch.from_numpy(inputs.x[inputs.order]).to(device)
    y = torch.from_numpy(inputs.y[inputs.order]).long().to(device)
    loss, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), lr=rate)

    def epoch() -> Any:
        for rows, labels in zip(x.split(inputs.batch), y.split(inputs.batch), strict=True):
            optimizer.zero_grad()
            loss(net(rows), labels).backward()
            optimizer.step()
        if gpu:
            torch.cuda.synchronize()
        return net

    return epoch


def torch_arrays(net: Any) -> list[Any]:
    """w (n_in, n_out) and b of every layer."""
    return [p.detach().cpu().numpy().T for p in net.parameters()]  # (n,) stays as it is


def sklearn_epoch(inputs: Any, rate: float = RATE) -> Callable[[], Any]:
    """`MLPClassifier.partial_fit`, which does one epoch: the classifier."""
    from sklearn.neural_network import MLPClassifier

    classes = np.arange(len(inputs.params[-1][1]))
    net = MLPClassifier(
        tuple(len(b) for _, b in inputs.params[:-1]),
        activation="logistic",
        solver="sgd",
        alpha=0.0,
        batch_size=inputs.batch,
        learning_rate_init=rate,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
    )
    x, y = inputs.x[inputs.order], inputs.y[inputs.order]
    net.partial_fit(x[: inputs.batch], y[: inputs.batch], classes=classes)  # makes the parameters
    for i, (w, b) in enumerate(inputs.params):
        net.coefs_[i][...], net.intercepts_[i][...] = w, b

    def epoch() -> Any:
        net.partial_fit(x, y)
        return net

    return epoch


def sklearn_arrays(net: Any) -> list[Any]:
    """w (n_in, n_out) and b of every layer."""
    return [a for pair in zip(net.coefs_, net.intercepts_, strict=True) for a in pair]

"""The network of an estimator: built, drawn, folded for inference, and run."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

import jaxnn as nn
from jaxnn.core.types import Dtype
from jaxnn.layers.elementwise import Activation

_NAMED = {"identity": nn.linear, "logistic": nn.sigmoid}  # as scikit-learn calls them
_APART = (*_NAMED.values(), nn.step, nn.softmax)  # no gradient; not a unit by itself
ACTIVATIONS: Mapping[str, nn.Layer] = _NAMED | {
    layer.name: layer
    for layer in (getattr(nn.layers, name) for name in nn.layers.__all__)
    if isinstance(layer, Activation) and layer not in _APART
}
FEW, CHUNK = (64, 256), 1024  # the numbers of rows that programs are made for
COLUMNS = 16


@contextlib.contextmanager
def computing(dtype: Dtype) -> Iterator[None]:
    """JAX computes in float64 inside where X is float64, as scikit-learn does."""
    with jax.enable_x64(np.dtype(dtype) == np.float64):
        yield


def network(
    widths: Sequence[int],
    activations: Sequence[str],
    n_outputs: int,
    dropout: float = 0.0,
    batch_norm: bool = False,
) -> nn.layers.Serial:
    """For each hidden layer Dense, [BatchNorm], activation, [Dropout]; Dense(n_outputs) last.

    A dense layer before batch-norm has no bias, which the mean would take out again.
    """
    layers: list[nn.Layer] = []
    for width, name in zip(widths, activations, strict=True):
        layers.append(nn.Dense(width, bias=not batch_norm))
        layers += [nn.BatchNorm()] if batch_norm else []
        layers.append(ACTIVATIONS[name])
        layers += [nn.Dropout(float(dropout))] if dropout else []
    return nn.serial(*layers, nn.Dense(n_outputs))


def draw(
    random: Any, net: nn.layers.Serial, activations: Sequence[str], n_in: int, dtype: Dtype
) -> Any:
    """Parameters for inputs of n_in features: weights and biases uniform on [-bound, bound],

        bound = sqrt(6 / (n_in + n_out)),   with 2 in place of 6 before a logistic activation.

    Drawn by numpy, in the order in which scikit-learn draws them. The output layer follows the last
    hidden one. Source: Glorot and Bengio 2010, eq. 16.
    """
    names = iter([*activations, activations[-1] if activations else "identity"])
    params: list[Any] = []
    for layer in net.layers:
        if isinstance(layer, nn.Dense):
            bound = np.sqrt((2 if next(names) == "logistic" else 6) / (n_in + layer.n_out))
            w = random.uniform(-bound, bound, (n_in, layer.n_out)).astype(dtype)
            b = random.uniform(-bound, bound, layer.n_out).astype(dtype) if layer.bias else None
            params.append(nn.Affine(w if params else filled(w, even(n_in)), b))
            n_in = layer.n_out
        elif isinstance(layer, nn.BatchNorm):
            params.append(nn.core.ScaleShift(np.ones(n_in, dtype), np.zeros(n_in, dtype)))
        else:
            params.append(())
    return tuple(params)


def affine_maps(
    net: nn.layers.Serial, state: nn.State, n_in: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(coefs, intercepts) at inference: batch-norm is folded into the map before."""
    _, params = nn.freeze(net, state.params, state.statistics)
    maps: list[Any] = []
    for p in params:
        if isinstance(p, nn.Affine):
            maps.append((np.array(p.w), None if p.b is None else np.array(p.b)))
        elif isinstance(p, nn.core.ScaleShift):
            w, _ = maps[-1]
            maps[-1] = (w * np.array(p.scale), np.array(p.shift))
    maps[0] = (maps[0][0][:n_in], maps[0][1])
    return [w for w, _ in maps], [b for _, b in maps]


def outputs(
    coefs: list[np.ndarray], intercepts: list[np.ndarray], activations: Sequence[str], x: np.ndarray
) -> np.ndarray:
    """What the last layer puts out, (n, n_outputs): logits for a classifier."""
    net = network([w.shape[1] for w in coefs[:-1]], activations, coefs[-1].shape[1])
    columns, rows = even(len(coefs[0])), min(4 * CHUNK, size_class(len(x)))
    affine = iter(zip([filled(coefs[0], columns), *coefs[1:]], intercepts, strict=True))
    found = []
    with computing(coefs[0].dtype):
        params = tuple(
            nn.Affine(*next(affine)) if isinstance(layer, nn.Dense) else () for layer in net.layers
        )
        params = jax.tree.map(jax.numpy.asarray, params)
        for start in range(0, len(x), rows):
            part = x[start : start + rows].astype(coefs[0].dtype, copy=False)
            y = nn.predict(net, params, filled(part, rows, columns))
            found.append(np.array(y)[: len(part)])
    return np.concatenate(found)


# Every shape is a program of its own, and compiling one takes longer than fitting small data. Rows
# of weight 0 and columns of zeros change nothing but let many shapes share a program.


def size_class(n: int) -> int:
    """The number of rows for n of them: 64, 256 or a multiple of 1024."""
    return next((rows for rows in FEW if n <= rows), -(-n // CHUNK) * CHUNK)


def even(n: int) -> int:
    """The number of columns for n of them: a multiple of `COLUMNS`."""
    return -(-n // COLUMNS) * COLUMNS


def filled(a: np.ndarray, rows: int, columns: int | None = None) -> np.ndarray:
    """a with zeros appended along its first axis up to so many rows, and along its second."""
    more = [(0, rows - len(a))] + [(0, 0)] * (a.ndim - 1)
    if columns is not None:
        more[1] = (0, columns - a.shape[1])
    return np.pad(a, more) if any(n for _, n in more) else a

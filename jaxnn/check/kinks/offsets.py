"""Where each primitive has its kinks or jumps, and how far its operands are from them.

`OFFSETS[name](params, operands)` gives arrays of signed distances, negative on one side of a kink
and positive on the other, in the units of the operand; 0 is a tie.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from jaxnn.check.numeric.programs import Parameters

Offsets = Callable[[Parameters, Sequence[np.ndarray]], list[np.ndarray]]

UNMEASURED = {  # kinks or jumps are possible, at no known distance: taken to be 0
    *("scatter-max", "scatter-min", "reduce", "reduce_window", "select_and_gather_add"),
    *("select_and_scatter_add", "approx_top_k", "pmax", "pmin", "nextafter"),
    *("pure_callback", "io_callback", "pallas_call", "ffi_call", "custom_call"),
}
FLAT = {"sign", "floor", "ceil", "round", "nextafter"}  # derivative 0 on either side
SMOOTH = {"logaddexp", "logaddexp2"}  # functions without a kink, computed by max and abs


def _between(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    a, b = operands
    return [a - b]


def _at_zero(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [operands[0]]


def _clamp(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    low, x, high = operands
    return [x - low, x - high]


def _whole(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    (x,) = operands
    return [x - np.round(x)]


def _half(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    x = operands[0] - 0.5
    return [x - np.round(x)]


def _convert(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    integer = np.issubdtype(params["new_dtype"], np.integer)
    return _whole(params, operands) if integer else []


def _remainder(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    x, y = operands  # jumps where x / y is a whole number other than 0
    turns = np.round(x / y)
    return [x - y * np.where(turns == 0, np.copysign(1, x / y), turns)]


def _rivals(x: np.ndarray) -> list[np.ndarray]:
    """Along the last axis: every entry minus the largest, and the largest minus the second."""
    if x.shape[-1] < 2:
        return []
    second, first = np.moveaxis(np.partition(x, -2, axis=-1)[..., -2:], -1, 0)
    margin = first - second
    winner = np.arange(x.shape[-1]) == np.argmax(x, axis=-1)[..., None]
    return [np.where(winner, margin[..., None], x - first[..., None])]


def _largest(sign: float) -> Offsets:
    def offsets(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
        x, axes = sign * operands[0], params["axes"]
        x = np.moveaxis(x, axes, range(-len(axes), 0))
        return _rivals(x.reshape(*x.shape[: x.ndim - len(axes)], -1)) if x.size else []

    return offsets


def _neighbours(x: np.ndarray) -> list[np.ndarray]:
    """Of a sorted array, seen from either side, along the last axis."""
    gaps = np.diff(x, axis=-1)
    return [np.concatenate([gaps, -gaps], axis=-1)] if gaps.size else []


def _sort(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    lanes = [np.sort(np.moveaxis(key, params["dimension"], -1), axis=-1) for key in operands]
    return [gaps for lane in lanes for gaps in _neighbours(lane)]


def _top(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    lane = np.sort(np.moveaxis(operands[0], params.get("axis", -1), -1), axis=-1)
    return _neighbours(lane[..., -params["k"] - 1 :])


def _record(sign: float) -> Offsets:
    def offsets(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
        x = np.moveaxis(sign * operands[0], params["axis"], -1)
        x = x[..., ::-1] if params["reverse"] else x
        return [x[..., 1:] - np.maximum.accumulate(x, axis=-1)[..., :-1]]

    return offsets


def _window(sign: float) -> Offsets:
    def offsets(params: Parameters, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
        x = sign * operands[0]
        spread = [(n - 1) * d + 1 for n, d in zip(x.shape, params["base_dilation"], strict=True)]
        holes = np.full(spread, -np.inf)
        holes[tuple(slice(None, None, d) for d in params["base_dilation"])] = x
        padded = np.pad(holes, params["padding"], constant_values=-np.inf)
        sizes, dilation = params["window_dimensions"], params["window_dilation"]
        spans = tuple((n - 1) * d + 1 for n, d in zip(sizes, dilation, strict=True))
        views = sliding_window_view(padded, spans)
        step = tuple(slice(None, None, s) for s in params["window_strides"])
        inside = tuple(slice(None, None, d) for d in dilation)
        windows = views[step + inside]
        return _rivals(windows.reshape(*windows.shape[: x.ndim], -1))

    return offsets


OFFSETS: dict[str, Offsets] = {
    **dict.fromkeys(("max", "min", "gt", "lt", "ge", "le"), _between),
    **dict.fromkeys(("abs", "sign"), _at_zero),
    **dict.fromkeys(("floor", "ceil"), _whole),
    **dict.fromkeys(("reduce_max", "argmax"), _largest(1.0)),
    **dict.fromkeys(("reduce_min", "argmin"), _largest(-1.0)),
    "round": _half,
    "convert_element_type": _convert,
    "clamp": _clamp,
    "rem": _remainder,
    "sort": _sort,
    "top_k": _top,
    "cummax": _record(1.0),
    "cummin": _record(-1.0),
    "reduce_window_max": _window(1.0),
    "reduce_window_min": _window(-1.0),
}

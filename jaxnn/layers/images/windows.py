"""What the fields of a layer say of its windows, and which x they fit."""

from typing import Annotated, Any, Literal

from jaxnn.core.layer import Layer
from jaxnn.core.ranges import Count, Natural
from jaxnn.core.refusals import check_floating
from jaxnn.core.types import Array, Tree
from jaxnn.core.windows import Windows

Each = Annotated[int, Count] | tuple[int, ...]
"""One number for all inner axes, or one for each."""
Padding = Literal["VALID", "SAME"] | Annotated[int, Natural] | tuple[int | tuple[int, int], ...]
"""None, as much as keeps ceil(n / stride) positions, a number, or a number or a pair per axis."""


def windows(layer: Any, x: Tree) -> Windows:
    """The windows of a layer, by its fields window, stride, padding and dilation, over x.

    Raises TypeError for an x that is not floating point; ValueError for one without inner axes, for
    another number of entries than it has inner axes, and where no window fits.
    """
    check_images(layer, x)
    sizes = tuple(x.shape[1:-1])
    window = each(layer, "window", sizes)
    stride = window if layer.stride is None else each(layer, "stride", sizes)
    dilation = each(layer, "dilation", sizes)
    laid = Windows(sizes, window, stride, dilation, ((0, 0),) * len(sizes))
    laid = laid._replace(pads=_pads(layer, laid))
    if min(laid.places) < 1:
        raise ValueError(
            f"{layer!r}: expected inner axes of at least {laid.extents} less the padding "
            f"{laid.pads}, for a window to fit, got x of shape {x.shape}{channels_hint(x)}; "
            'take a smaller window, or padding="SAME"'
        )
    return laid


def check_images(layer: Layer, x: Tree) -> None:
    """Refuse an x that is not floating point (batch, *sizes, channels)."""
    check_floating(layer, x)
    if x.ndim < 3:
        raise ValueError(
            f"{layer!r}: expected x (batch, *sizes, channels), got shape {x.shape}; give images of "
            "one channel an axis for it with x[..., None], flat ones their shape with "
            "Reshape((28, 28, 1)), and a single example a batch axis with x[None]"
        )


def channels_hint(x: Array) -> str:
    """What to write if x looks like channels first: the axis behind the batch is that of 1, 3 or 4
    channels, and the last is not."""
    if x.shape[1] in (1, 3, 4) and x.shape[-1] not in (1, 3, 4):
        return f"; channels are last here: write jnp.moveaxis(x, 1, -1), {_moved(x.shape)}"
    return ""


def each(layer: Any, name: str, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The field of that name, one number for each inner axis."""
    value = getattr(layer, name)
    if isinstance(value, int):
        return (value,) * len(sizes)
    if len(value) != len(sizes) or not all(isinstance(v, int) and v >= 1 for v in value):
        raise ValueError(
            f"{layer!r}: expected {name} to be a whole number of 1 or more, or {len(sizes)} of "
            f"them, one for each inner axis of x, got {value!r}"
        )
    return tuple(value)


def _pads(layer: Any, laid: Windows) -> tuple[tuple[int, int], ...]:
    """The padding in front and behind, for each inner axis."""
    padding, rank = layer.padding, len(laid.sizes)
    if padding == "VALID":
        return ((0, 0),) * rank
    if padding == "SAME":
        along = zip(laid.sizes, laid.stride, laid.extents, strict=True)
        missing = [max((-(-n // s) - 1) * s + e - n, 0) for n, s, e in along]
        return tuple((m // 2, m - m // 2) for m in missing)  # the odd one behind
    entries = (padding,) * rank if isinstance(padding, int) else padding
    pairs = [(e, e) if isinstance(e, int) else e for e in entries]
    if len(pairs) != rank or not all(map(_is_pair, pairs)):
        raise ValueError(
            f'{layer!r}: expected padding "VALID", "SAME", a whole number of 0 or more, or '
            f"{rank} of them or pairs (in front, behind), one for each inner axis of x, "
            f"got {padding!r}"
        )
    return tuple((int(low), int(high)) for low, high in pairs)


def _is_pair(entry: Any) -> bool:
    both = isinstance(entry, tuple | list) and len(entry) == 2
    return both and all(isinstance(e, int) and e >= 0 for e in entry)


def _moved(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], *shape[2:], shape[1])

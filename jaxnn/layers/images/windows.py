"""What the fields of a layer say of its windows, and which x they fit."""

from typing import Annotated, Any, Literal

from jaxnn.core.layer import Layer
from jaxnn.core.ranges import Count, Natural
from jaxnn.core.refusals import check_dtype, check_floating
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
    laid = laid._replace(pads=pads_of(layer, laid))
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
    """What to write if x looks like square images with their 1 or 3 channels first."""
    first = x.ndim > 3 and x.shape[1] in (1, 3) and 3 < x.shape[-1] == x.shape[-2]
    return f"; {_moved(x)}" if first else ""


def check_channels_last(layer: Layer, x: Tree) -> None:
    """Refuse an x that looks like channels first, at the start, where it may be told."""
    if channels_hint(x):
        raise ValueError(
            f"{layer!r}: expected x (batch, *sizes, channels), got shape {x.shape}, which looks "
            f"like images of {x.shape[1]} channels; {_moved(x)}"
        )


def check_channels(layer: Any, w: Array, x: Tree) -> None:
    """Refuse an x whose channels or dtype do not fit the weight (*window, n_in / groups, n_out)."""
    check_images(layer, x)
    n_in = w.shape[-2] * layer.groups
    if x.shape[-1] != n_in:
        hint = f"; {_moved(x)}" if x.shape[1] == n_in else ""
        raise ValueError(
            f"{layer!r}: expected x (batch, *sizes, channels) of {n_in} channels, "
            f"got shape {x.shape}{hint}"
        )
    if w.ndim != x.ndim:
        raise ValueError(
            f"{layer!r}: expected x with {w.ndim - 2} inner axes, as the weight {w.shape} has, "
            f"got shape {x.shape}; take the parameters from init with an x of that many axes"
        )
    check_dtype(layer, w, x)


def check_groups(layer: Any, n_in: int) -> int:
    """The inputs of a group, or an error where groups do not divide the channels."""
    if n_in % layer.groups or layer.n_out % layer.groups:
        raise ValueError(
            f"{layer!r}: expected groups to divide the channels, got {layer.groups} groups for "
            f"{n_in} inputs and {layer.n_out} outputs"
        )
    return n_in // layer.groups


def check_places(layer: Layer, b: Array, places: tuple[int, ...]) -> None:
    """Refuse an x that has other places than the biases."""
    if b.shape[:-1] != places:
        raise ValueError(
            f"{layer!r}: expected an x with {b.shape[:-1]} places of the window, as the biases "
            f"have, got one with {places}; a layer with biases for each place takes one size of x"
        )


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


def pads_of(layer: Any, laid: Windows) -> tuple[tuple[int, int], ...]:
    """The padding in front and behind, for each inner axis."""
    padding, rank = layer.padding, len(laid.sizes)
    if padding == "VALID":
        return ((0, 0),) * rank
    if padding == "SAME":
        along = zip(laid.sizes, laid.stride, laid.extents, strict=True)
        missing = [max((-(-n // s) - 1) * s + e - n, 0) for n, s, e in along]
        return tuple((m // 2, m - m // 2) for m in missing)  # the odd one behind
    return pairs_of(layer, "padding", rank, '"VALID", "SAME" or ')


def pairs_of(layer: Any, name: str, rank: int, words: str = "") -> tuple[tuple[int, int], ...]:
    """The field of that name, a number for all sides, or for each inner axis a number or a pair, as
    pairs (in front, behind); `words` says what else it may be."""
    value = getattr(layer, name)
    entries = (value,) * rank if isinstance(value, int) else value
    pairs: list[Any] = [(e, e) if isinstance(e, int) else e for e in entries]
    if len(pairs) != rank or not all(map(_is_pair, pairs)):
        raise ValueError(
            f"{layer!r}: expected {name} to be {words}a whole number of 0 or more, or {rank} of "
            f"them or pairs (in front, behind), one for each inner axis of x, got {value!r}"
        )
    return tuple(pairs)


def _is_pair(entry: Any) -> bool:
    both = isinstance(entry, tuple) and len(entry) == 2
    return both and all(isinstance(e, int) and e >= 0 for e in entry)


def _moved(x: Array) -> str:
    """How to put the channels last."""
    shape = (x.shape[0], *x.shape[2:], x.shape[1])
    return f"channels are last here: write jnp.moveaxis(x, 1, -1), of shape {shape}"

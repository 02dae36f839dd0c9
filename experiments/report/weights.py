"""The weights of the first layer as images, where the inputs are images."""

from typing import Any

import numpy as np

from experiments.report.images import image, signed
from experiments.report.markup import paragraph
from jaxnn.saving import named

MOST = 64  # units


def first_weights(params: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """(units, height, width): the first matrix with a row for each pixel; None if there is none.

    Of several channels the mean is taken.
    """
    if len(shape) not in (2, 3):
        return None
    for leaf in named(params).values():
        if np.ndim(leaf) == 2 and len(leaf) == np.prod(shape):
            weights = np.asarray(leaf, np.float64).T.reshape(-1, *shape)
            return weights.mean(-1) if len(shape) == 3 else weights
    return None


def weight_images(params: Any, shape: tuple[int, ...]) -> str:
    """Those of the largest norm, all on one scale, as HTML; nothing where there are none."""
    weights = first_weights(params, shape)
    if weights is None:
        return ""
    norms = np.linalg.norm(weights.reshape(len(weights), -1), axis=1)
    order = np.argsort(-norms, kind="stable")[:MOST]
    scale = float(np.abs(weights[order]).max())
    tiles = [
        f"<figure>{image(signed(weights[i], scale), f'weights of unit {i}, norm {norms[i]:.3g}')}"
        "</figure>\n"
        for i in order
    ]
    which = f"{len(order)} of {len(weights)} units" if len(order) < len(weights) else "All units"
    channels = "; means over the channels" if len(shape) == 3 else ""
    words = f"{which}, by their norm{channels}. Blue is positive, vermilion negative; full colour"
    words += f" is {scale:.3g}."
    return paragraph(words) + f'<div class="tiles weights">\n{"".join(tiles)}</div>\n'

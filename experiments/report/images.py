"""Small arrays as PNG inside the page, one pixel for each entry, for light and for dark paper."""

import base64
import io

import numpy as np

from experiments.common.plots import COLOURS
from experiments.report.markup import text


def image(pixels: np.ndarray, alt: str) -> str:
    """<img> of bytes (height, width), (height, width, 1), or with 3 or 4 channels."""
    from PIL import Image

    if pixels.shape[-1] == 1 and pixels.ndim == 3:
        pixels = pixels[..., 0]
    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(target, format="PNG", optimize=True)
    data = base64.b64encode(target.getvalue()).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{text(alt)}">'


def grey(values: np.ndarray, top: float) -> np.ndarray:
    """Values from 0 to `top` as bytes from 0 to 255."""
    return np.clip(values * (255.0 / top) + 0.5, 0, 255).astype(np.uint8)


def signed(values: np.ndarray, scale: float) -> np.ndarray:
    """Values (height, width) in [-scale, scale] as colour (height, width, 4): positive blue,
    negative vermilion, and clearer the nearer to 0, so that 0 is the paper."""
    colours = np.array([_rgb(COLOURS[1]), _rgb(COLOURS[0])], np.uint8)
    opacity = np.clip(np.abs(values) / (scale or 1.0), 0, 1) * 255
    return np.dstack([colours[(values > 0).astype(int)], opacity.astype(np.uint8)])


def density(shares: np.ndarray) -> np.ndarray:
    """Shares (height, width) in [0, 1] as blue (height, width, 4), clearer where less."""
    return signed(np.sqrt(shares), 1.0)  # the root, so that thin tails can be seen


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)

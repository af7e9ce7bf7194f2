"""Systematic noise of pictures: what a device does otherwise than the training did, to every picture alike.

It works on the pixels that the model takes, as these are what there is of every data set. A decoder and a kernel cannot
be swapped in them any more: colours are halved and repeated as by a plain decoder, and pixels are made twice as many by
Pillow's bicubic kernel and then as few as before by another one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import PIL

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws
from edgekit.perturb.pictures.digital import WHITE, jpeg
from edgekit.perturb.pictures.filters import area_matrix, linear_matrix, separable
from edgekit.perturb.pictures.pixels import TIE, Change, PicturePerturbation, Pixels

QUALITIES = (95, 85, 75)
"""Qualities of a camera's JPEG, by severity."""
BT601, BT709 = (0.299, 0.587, 0.114), (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in luma, of ITU-R BT.601 and BT.709."""
LANCZOS, BILINEAR, BICUBIC = 1, 2, 3
"""Kernels by Pillow's numbers (`PIL.Image.Resampling`)."""
BLACK, RANGE = 16 / 255, 219 / 255
"""Black, and black to white, of video of limited range."""


def _plain(function: Callable[[Pixels], Pixels]) -> Change:
    return lambda pixels, severity, draws: function(pixels)


def camera_jpeg(pixels: Pixels, severity: int, draws: Draws) -> Pixels:
    """A JPEG between camera and model where there was none, or another one."""
    return jpeg(pixels, QUALITIES[severity - 1])


def plain_decoder(pixels: Pixels) -> Pixels:
    """Colours of half the resolution, repeated and not interpolated, as decoders without smoothing give them."""
    values = np.moveaxis(pixels, 1, -1) @ _luma_matrix(BT601).T
    chroma = np.moveaxis(values[..., 1:], -1, 1)
    matrices = [area_matrix(size, -(-size // 2)) @ area_matrix(-(-size // 2), size) for size in pixels.shape[2:]]
    values[..., 1:] = np.moveaxis(separable(chroma, *matrices), 1, -1)
    return np.moveaxis(values @ np.linalg.inv(_luma_matrix(BT601)).T, -1, 1)


def nearest(pixels: Pixels) -> Pixels:
    """A kernel that takes the nearest pixel."""
    return _enlarged(pixels)[:, :, ::2, ::2]


def bilinear(pixels: Pixels) -> Pixels:
    """A bilinear kernel that takes four pixels however much smaller the picture becomes: no antialiasing."""
    matrices = [linear_matrix(2 * np.arange(size) + 0.5, 2 * size) for size in pixels.shape[2:]]
    return separable(_enlarged(pixels), *matrices)


def lanczos(pixels: Pixels) -> Pixels:
    """Pillow's sharpest kernel."""
    return _resized(_enlarged(pixels), (pixels.shape[2], pixels.shape[3]), LANCZOS)


def other_luma(pixels: Pixels) -> Pixels:
    """Colours that were coded by BT.601 and are decoded by BT.709."""
    matrix = np.linalg.inv(_luma_matrix(BT709)) @ _luma_matrix(BT601)
    return np.moveaxis(np.moveaxis(pixels, 1, -1) @ matrix.T, -1, 1)


def limited_as_full(pixels: Pixels) -> Pixels:
    """Video of limited range that is taken for full: grey blacks, dull whites."""
    return BLACK + pixels * RANGE


def full_as_limited(pixels: Pixels) -> Pixels:
    """Video of full range that is taken for limited: crushed blacks and whites."""
    return (pixels - BLACK) / RANGE


def padded(pixels: Pixels) -> Pixels:
    """A letterbox: the picture smaller by an eighth, black around it."""
    height, width = pixels.shape[2:]
    top, left = max(1, height // 16), max(1, width // 16)
    result = np.zeros_like(pixels)
    inner = (height - 2 * top, width - 2 * left)
    result[:, :, top : height - top, left : width - left] = _resized(pixels, inner, BILINEAR)
    return result


def cropped(pixels: Pixels) -> Pixels:
    """A crop that begins a pixel further down and to the right; the last row and column are repeated."""
    rows, columns = (np.minimum(np.arange(size) + 1, size - 1) for size in pixels.shape[2:])
    return pixels[:, :, rows][:, :, :, columns]


def _luma_matrix(weights: tuple[float, float, float]) -> Array:
    """Matrix float64 [3, 3] from red, green and blue to luma and two differences of colour."""
    red, _, blue = weights
    luma = np.array(weights)
    return np.stack([luma, (np.eye(3)[2] - luma) / (2 * (1 - blue)), (np.eye(3)[0] - luma) / (2 * (1 - red))])


def _enlarged(pixels: Pixels) -> Pixels:
    """The picture with twice as many rows and columns: it stands for the larger one that a device resizes."""
    return _resized(pixels, (2 * pixels.shape[2], 2 * pixels.shape[3]), BICUBIC)


def _resized(pixels: Pixels, size: tuple[int, int], kernel: int) -> Pixels:
    """Resize by Pillow, in levels of 8 bits as devices do; size: height and width."""
    from PIL import Image

    levels = np.floor(np.clip(pixels, 0, 1) * WHITE + (0.5 + TIE)).astype(np.uint8)
    planes = levels.reshape(-1, *pixels.shape[2:])
    resized = [np.asarray(Image.fromarray(plane).resize(size[::-1], Image.Resampling(kernel))) for plane in planes]
    return np.stack(resized).reshape(*pixels.shape[:2], *size) / WHITE


def _systematic(name: str, change: Change, parameters: str, colours: bool = False) -> PicturePerturbation:
    return PicturePerturbation(name, "systematic", change, f"{parameters}, Pillow {PIL.__version__}", colours=colours)


SYSTEMATIC = (
    PicturePerturbation(
        "camera's JPEG", "systematic", camera_jpeg, f"{QUALITIES}, 4:2:0, Pillow {PIL.__version__}", (1, 2, 3)
    ),
    _systematic("plain JPEG decoder", _plain(plain_decoder), "4:2:0 repeated", colours=True),
    _systematic("resized by nearest", _plain(nearest), "bicubic x2, nearest"),
    _systematic("resized by plain bilinear", _plain(bilinear), "bicubic x2, bilinear without antialiasing"),
    _systematic("resized by Lanczos", _plain(lanczos), "bicubic x2, Lanczos"),
    _systematic("BGR for RGB", _plain(lambda pixels: pixels[:, ::-1]), "", colours=True),
    _systematic("BT.709 for BT.601", _plain(other_luma), f"{BT601} {BT709}", colours=True),
    _systematic("limited range as full", _plain(limited_as_full), "16 to 235"),
    _systematic("full range as limited", _plain(full_as_limited), "16 to 235"),
    _systematic("letterbox", _plain(padded), "an eighth, black"),
    _systematic("crop off by one", _plain(cropped), "1 pixel"),
)

"""Read picture files as pixels: one rule for each kind of picture, and a record of the changes (docs/data.md)."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from edgekit.datasets.file_signatures import LENGTH, kind
from edgekit.errors import DataError, PictureError
from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted
from edgekit.runner.processing.geometry import LARGEST, LONGEST
from edgekit.specs.factory import in_a_line
from edgekit.specs.lengths import admits

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".gif"})
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF")
"""Formats accepted by content. Pillow knows more, and for one of them, EPS, it runs a program."""
CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "orientation": "the orientation in the file was applied",
        "transparency": "transparent pixels were laid on white",
        "16 bits": "16 bits a value were scaled to 8",
        "cmyk": "CMYK was converted to RGB, without a colour profile",
        "frames": "of several frames the first was taken",
        "grey": "grey was repeated as red, green and blue",
        "colour": "colour was made grey (ITU-R 601)",
    }
)
"""Changes in the order in which they are reported. A lossless step, such as a palette look-up, is no change."""
ORIENTATION = 0x0112
"""Orientation tag of EXIF 2.32."""


@dataclass(frozen=True)
class Picture:
    """Pixels of one picture file, and the CHANGES applied to them. numpy converts it to its pixels."""

    pixels: Array
    """Pixels, uint8 [height, width, channels]."""
    changes: frozenset[str] = frozenset()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.pixels, dtype) if copy else np.asarray(self.pixels, dtype)


def read_picture(file: Path | IO[bytes], shape: tuple[int, ...], where: str) -> Picture:
    """Read a picture as uint8 pixels of `shape`, [height, width, 1 or 3]; `where` names it in errors.

    A height and width of 0 stand for any. A file of another size, or of more pixels than devices take, is refused by
    its header, before a pixel is decoded: DataError, PictureError. Raises PictureError for a file that is damaged, cut
    short, or no picture, too.
    """
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags nobody reads, and of a size that is checked here
            with PIL.Image.open(file, formats=FORMATS) as image:
                _check_size(image, shape, where)
                return _converted(image, shape[-1], where)
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise what they like
        raise PictureError(
            f"{where} cannot be read as a picture: {_reason(file, error)}",
            hint="convert it to PNG or JPEG, replace it, or leave it out; read are PNG, JPEG, BMP, WebP, TIFF and GIF",
        ) from error


def tally(changes: Sequence[frozenset[str]]) -> tuple[str, ...]:
    """Count the pictures for each of CHANGES, as sentences: `41 of 240 pictures: …`. changes: those of each picture."""
    counts = {change: sum(change in each for each in changes) for change in CHANGES}
    return tuple(f"{n:,} of {counted(len(changes), 'picture')}: {CHANGES[change]}" for change, n in counts.items() if n)


def _reason(file: Path | IO[bytes], error: Exception) -> str:
    """Say what the file is by its first bytes, where that is known; else what the decoder said."""
    try:
        if isinstance(file, io.IOBase):
            file.seek(0)
            beginning = file.read(LENGTH)
        else:
            with Path(str(file)).open("rb") as opened:
                beginning = opened.read(LENGTH)
    except (OSError, ValueError):
        return in_a_line(error)
    if not beginning:
        return "it is empty"
    other = kind(beginning)
    if other:
        return f"it holds {other}, whatever its name says"
    # Of a path, Pillow's own sentence repeats the whole of it.
    if "cannot identify" in str(error):
        return "its bytes are of no picture"
    return str(error) if type(error) is OSError and str(error) else in_a_line(error)


def _check_size(image: ImageFile, shape: tuple[int, ...], where: str) -> None:
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise DataError(
            f"{where} is a picture, the project states {list(shape)}",
            hint='pictures need preprocess = { from = "uint8 NHWC" } and a shape of [1 or 3, height, width]',
        )
    height, width = shape[:2]
    if (height, width) == (0, 0):
        if image.width * image.height > LARGEST or max(image.size) > LONGEST:
            limit = f"{LARGEST >> 20} million" if max(image.size) <= LONGEST else f"{LONGEST:,} on a side"
            raise PictureError(
                f"{where} has {image.width} x {image.height} pixels, more than {limit}",
                hint="make it smaller, or leave it out: it is decoded whole before it is resized",
            )
        return
    # Either way round: the orientation may lie behind the pixels.
    if not any(admits(height, rows) and admits(width, columns) for columns, rows in (image.size, image.size[::-1])):
        raise DataError(
            f"{where} has {image.width} x {image.height} pixels, the project states {width} x {height}",
            hint="pictures of any size: preprocess = { from = 'uint8 NHWC', "
            f"resize = {{ size = [{height}, {width}], kernel = 'bilinear' }} }}, with the kernel of the training",
        )


def _converted(image: ImageFile, channels: int, where: str) -> Picture:
    from PIL import ImageOps

    changes = _header_changes(image)
    image.load()
    pixels, transparent = _flat(ImageOps.exif_transpose(image), where)
    if transparent:
        changes.add("transparency")
    grey = pixels.shape[-1] == 1
    if grey and channels == 3:
        changes.add("grey")
        pixels = np.repeat(pixels, 3, axis=2)
    if channels == 1 and not grey:
        # A picture without colour that is stored as if it had some loses nothing.
        changes |= {"colour"} if (pixels != pixels[..., :1]).any() else set()
        pixels = _luma(pixels)
    return Picture(pixels, frozenset(changes))


def _header_changes(image: ImageFile) -> set[str]:
    """Determine the changes that the header shows; some are no longer visible once the pixels are decoded."""
    stored = str([tile[3] for tile in image.tile])
    checks = {
        "frames": getattr(image, "n_frames", 1) > 1,
        "16 bits": ";16" in stored or image.mode.startswith("I;16") or _sixteen(image),
        "cmyk": image.mode == "CMYK",
        "orientation": image.getexif().get(ORIENTATION) in range(2, 9),
    }
    return {change for change, holds in checks.items() if holds}


def _sixteen(image: Image) -> bool:
    """True if the image is a grey PNG of 16 bits, as Pillow before 11 opens it."""
    return image.mode == "I" and image.format == "PNG"


def _flat(image: Image, where: str) -> tuple[Array, bool]:
    """Convert to uint8 [height, width, 1 or 3]; true if any pixel was transparent."""
    if image.mode.startswith("I;16") or _sixteen(image):
        values = np.asarray(image, np.uint32)
        return ((values + 128) // 257).astype(np.uint8)[..., None], False
    if image.mode in ("I", "F"):
        raise PictureError(
            f"{where} holds values of 32 bits, and nothing says which of them is white",
            hint="save it with 8 or 16 bits a value, or write a loader that gives pixels",
        )
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        return _on_white(image)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"), np.uint8)[..., None], False
    return np.asarray(image.convert("RGB"), np.uint8), False


def _on_white(image: Image) -> tuple[Array, bool]:
    """Composite a transparent picture on white, as a page shows it."""
    values = np.asarray(image.convert("RGBA"), np.uint32)
    colours, alpha = values[..., :3], values[..., 3:]
    flat = ((colours * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    grey = image.mode in ("1", "L", "LA", "La")
    return flat[..., :1] if grey else flat, bool((alpha < 255).any())


def _luma(pixels: Array) -> Array:
    """Convert RGB to grey, uint8 [height, width, 1], by ITU-R BT.601, rounded as in Pillow and libjpeg."""
    from PIL.Image import fromarray

    return np.asarray(fromarray(pixels).convert("L"), np.uint8)[..., None]

"""Systematic noise of picture files: another decoder, quality, kernel, letterbox or crop, before a model has pixels.

Each function makes of one file the model's input, uint8 [height, width, channels], as a device would that does one
thing otherwise than the declared steps. Colours are changed by `systematic`, on the model's pixels: resizing mixes
pixels, and not colours, so that before and after it are the same but for rounding.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from edgekit.datasets.pictures import FORMATS
from edgekit.ir.measurement import Array
from edgekit.perturb.picture_files import PictureFile, PictureFiles, Step
from edgekit.perturb.pictures.digital import jpeg_coded
from edgekit.perturb.pictures.systematic import QUALITIES
from edgekit.runner.processing.geometry import step_geometry
from edgekit.runner.processing.steps import process

FileChange = Callable[[PictureFile, Sequence[Step], int], Array]
"""Function of a file, the declared steps and a severity: the model's input."""
RESIZES = ("resize", "shorter", "letterbox")


def camera_jpeg(file: PictureFile, steps: Sequence[Step], severity: int) -> Array:
    """The picture, at its own size, once more through the JPEG of a camera."""
    return process(steps, jpeg_coded(file.pixels, QUALITIES[severity - 1]))


def plain_decoder(file: PictureFile, steps: Sequence[Step], severity: int) -> Array:
    """A decoder that repeats the colours of a JPEG which has half of their resolution, where libjpeg smooths them.

    The file's own samples of colour are taken back from the smoothed ones by their mean. Other files stay as they are.
    """
    halves = halved_colours(file)
    return process(steps, file.pixels if halves is None else _repeated(file, halves))


def other_kernel(kernel: str, antialias: bool) -> FileChange:
    """Resizing of the file by a kernel of the runner."""

    def change(file: PictureFile, steps: Sequence[Step], severity: int) -> Array:
        return process([_with(step, kernel=kernel, antialias=antialias) for step in steps], file.pixels)

    return change


def lanczos(file: PictureFile, steps: Sequence[Step], severity: int) -> Array:
    """Resizing of the file by Pillow's Lanczos, all other steps as declared."""
    from PIL import Image

    place = _place(steps)
    name, settings = _of(steps[place])
    before = process(steps[:place], file.pixels)
    height, width = step_geometry(name, settings, *before.shape[:2])[0]
    planes = np.moveaxis(before, 2, 0)
    resized = [np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.LANCZOS)) for one in planes]
    # At its last size the declared kernel has nothing left to do.
    return process(steps[place:], np.stack(resized, axis=-1))


def letterbox(file: PictureFile, steps: Sequence[Step], severity: int) -> Array:
    """The whole picture with its proportions and black around it, where the declared steps stretch or cut it."""
    place = _place(steps)
    settings = _of(steps[place])[1]
    height, width = process(steps, file.pixels).shape[:2]
    kernel = {"kernel": settings["kernel"], "antialias": settings["antialias"]}
    box = {"letterbox": {"height": height, "width": width, **kernel, "fill": 0, "corner": False}}
    return process([*steps[:place], box], file.pixels)


def crop(file: PictureFile, steps: Sequence[Step], severity: int) -> Array:
    """The declared crop, a pixel further down and to the right, with the picture's own pixels."""
    place = next(i for i, step in enumerate(steps) if "crop" in step)
    before = process(steps[:place], file.pixels)
    rows, columns = (np.minimum(np.arange(size) + 1, size - 1) for size in before.shape[:2])
    return process(steps[place:], np.ascontiguousarray(before[rows][:, columns]))


def halved_colours(file: PictureFile) -> tuple[int, int] | None:
    """Reduction of the colours of a JPEG along height and width; None for other files, and for colours at full size."""
    from PIL import Image

    with Image.open(file.path, formats=FORMATS) as image:
        layers = getattr(image, "layer", None)
        if image.format != "JPEG" or image.mode != "RGB" or not layers or len(layers) != 3:
            return None
        (_, across, down, _), *others = layers
        if any(layer[1:3] != (1, 1) for layer in others) or (across, down) == (1, 1):
            return None
        return int(down), int(across)


def unfit(name: str, files: PictureFiles) -> str | None:
    """Reason why a perturbation changes nothing of these files, a clause; None where it does."""
    kinds = [_of(step)[0] for step in files.steps]
    resize = next((_of(step) for step in files.steps if _of(step)[0] in RESIZES), None)
    if name == "plain JPEG decoder" and not any(halved_colours(file) for file in files.files):
        return "no file is a JPEG with colours of half the resolution"
    if name in _KERNELS or name == "letterbox":
        if resize is None:
            return "the project states no resizing"
        if name == "letterbox":
            return "the project states a letterbox" if resize[0] == "letterbox" else None
        kernel, antialias = resize[1]["kernel"], resize[1]["antialias"]
        if (kernel, antialias or kernel == "nearest") == _KERNELS[name]:
            return "the project states this kernel"
        return None
    return "the project states no crop" if name == "crop off by one" and "crop" not in kinds else None


_KERNELS = {
    "resized by nearest": ("nearest", True),
    "resized by plain bilinear": ("bilinear", False),
    "resized by Lanczos": ("lanczos", True),
}
FILE_CHANGES: Mapping[str, FileChange] = MappingProxyType(
    {
        "camera's JPEG": camera_jpeg,
        "plain JPEG decoder": plain_decoder,
        "resized by nearest": other_kernel(*_KERNELS["resized by nearest"]),
        "resized by plain bilinear": other_kernel(*_KERNELS["resized by plain bilinear"]),
        "resized by Lanczos": lanczos,
        "letterbox": letterbox,
        "crop off by one": crop,
    }
)
"""Changes of files by the names of the perturbations that do the same on the model's pixels (`systematic`)."""


def _of(step: Step) -> tuple[str, Any]:
    """Name of a step, and its settings."""
    ((name, settings),) = step.items()
    return name, settings


def _place(steps: Sequence[Step]) -> int:
    return next(i for i, step in enumerate(steps) if _of(step)[0] in RESIZES)


def _with(step: Step, **changed: Any) -> Step:
    """A step that resizes, by another kernel; other steps as they are."""
    name, settings = _of(step)
    return {name: {**settings, **changed}} if name in RESIZES else step


def _repeated(file: PictureFile, halves: tuple[int, int]) -> Array:
    """Pixels of a JPEG whose colours are repeated: uint8 [height, width, 3], upright as the data set has them."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(file.content), formats=("JPEG",)) as image:
        image.draft("YCbCr", image.size)
        image.load()
        coded = np.array(image if image.mode == "YCbCr" else image.convert("YCbCr"))
        turned = image.getexif()
    coded[..., 1:] = _means(coded[..., 1:], halves)
    planes = [Image.fromarray(plane) for plane in np.moveaxis(coded, 2, 0)]
    plain = Image.merge("YCbCr", planes).convert("RGB")
    plain.getexif().update(turned)
    return np.asarray(ImageOps.exif_transpose(plain), np.uint8)


def _means(colours: Array, halves: tuple[int, int]) -> Array:
    """Means of parts of `halves` rows and columns, repeated: uint8 [H, W, 2]; parts at the edges may be smaller."""
    height, width = colours.shape[:2]
    rows, columns = (-(-size // half) for size, half in zip((height, width), halves, strict=True))
    padding = ((0, rows * halves[0] - height), (0, columns * halves[1] - width), (0, 0))
    parts = np.pad(colours, padding, "edge").reshape(rows, halves[0], columns, halves[1], 2).astype(np.float64)
    means = np.floor(parts.mean((1, 3)) + 0.5).astype(np.uint8)
    repeated: Array = means.repeat(halves[0], 0).repeat(halves[1], 1)[:height, :width]
    return repeated

"""Digital corruptions: contrast, elastic transform, pixelation, compression as JPEG."""

from __future__ import annotations

import io
import math

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws
from edgekit.perturb.pictures.filters import area_matrix, gaussian_blur, separable, values_at
from edgekit.perturb.pictures.pixels import Pixels, as_pixels, as_raw

WHITE = 255


def contrast(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Move values towards their mean; parameters: share of the distance that is left."""
    mean = pixels.mean((2, 3), keepdims=True)
    return np.asarray((pixels - mean) * parameters[0] + mean)


def elastic_transform(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Stretch by an affine map and a smooth random field; parameters: strength, smoothness and affine, of the size."""
    count, _, height, width = pixels.shape
    size = math.sqrt(height * width)
    strength, smooth, affine = (value * size for value in parameters)
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    centre, third = np.array([height / 2, width / 2]), min(height, width) // 3
    corners = centre + np.array([(third, third), (third, -third), (-third, -third)])
    moved = corners + affine * (2 * draws.other("affine").uniform(6).reshape(count, 3, 2) - 1.0)
    source = np.concatenate([corners, np.ones((3, 1))], 1)
    places = np.stack([rows.ravel(), columns.ravel(), np.ones(rows.size)])
    mapped = (np.linalg.inv(source) @ moved).swapaxes(1, 2) @ places
    field = 2 * draws.uniform(2 * rows.size).reshape(count, 2, height, width).astype(np.float64) - 1
    smooth_field = gaussian_blur(field, smooth) * strength if strength else np.zeros_like(field)
    mapped = mapped.reshape(count, 2, height, width) + smooth_field
    return values_at(pixels, mapped[:, 0], mapped[:, 1])


def pixelate(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Make the picture smaller and larger again, by areas; parameters: the smaller size, as a share."""
    matrices = []
    for size in pixels.shape[2:]:
        smaller = max(1, int(size * parameters[0]))
        matrices.append(area_matrix(size, smaller) @ area_matrix(smaller, size))
    return separable(pixels, matrices[0], matrices[1])


def jpeg_compression(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Encode and decode as JPEG; parameters: the quality."""
    return jpeg(pixels, round(parameters[0]))


def jpeg(pixels: Pixels, quality: int, halved_colours: bool = True) -> Pixels:
    """Encode and decode by Pillow. halved_colours: colours have half the resolution (4:2:0), as most encoders do."""
    return as_pixels(np.stack([jpeg_coded(one, quality, halved_colours) for one in as_raw(pixels, WHITE)]), WHITE)


def jpeg_coded(raw: Array, quality: int, halved_colours: bool = True) -> Array:
    """Encode and decode one picture, uint8 [H, W, 1 or 3], by Pillow."""
    from PIL import Image

    grey = raw.shape[2] == 1
    image, file = Image.fromarray(raw[..., 0] if grey else raw), io.BytesIO()
    image.save(file, "JPEG", quality=quality, **({} if grey else {"subsampling": 2 if halved_colours else 0}))
    decoded = np.asarray(Image.open(file))
    return decoded[..., None] if grey else decoded

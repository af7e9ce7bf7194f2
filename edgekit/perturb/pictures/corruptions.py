"""The 15 natural corruptions of pictures, in five severities each.

Kinds and parameters are those of Hendrycks and Dietterich (2019); the code is another one, with textures of its own in
place of photographs, so figures are not to be set beside those of the data sets that the authors publish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import PIL

from edgekit.perturb.draws import Draws
from edgekit.perturb.pictures import blur, digital, noise, weather
from edgekit.perturb.pictures.parameters import PARAMETERS, SEVERITIES
from edgekit.perturb.pictures.pixels import PicturePerturbation, Pixels

FUNCTIONS: Mapping[str, Callable[[Pixels, tuple[float, ...], Draws], Pixels]] = {
    "gaussian noise": noise.gaussian_noise,
    "shot noise": noise.shot_noise,
    "impulse noise": noise.impulse_noise,
    "defocus blur": blur.defocus_blur,
    "glass blur": blur.glass_blur,
    "motion blur": blur.motion_blur,
    "zoom blur": blur.zoom_blur,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": weather.brightness,
    "contrast": digital.contrast,
    "elastic transform": digital.elastic_transform,
    "pixelate": digital.pixelate,
    "jpeg compression": digital.jpeg_compression,
}


def _corruption(name: str) -> PicturePerturbation:
    table, function = PARAMETERS[name], FUNCTIONS[name]

    def change(pixels: Pixels, severity: int, draws: Draws) -> Pixels:
        return function(pixels, table.at(severity, *pixels.shape[2:]), draws)

    encoder = f" by Pillow {PIL.__version__}" if name == "jpeg compression" else ""
    return PicturePerturbation(name, "natural", change, f"{table.small} to {table.large}{encoder}", SEVERITIES)


CORRUPTIONS = tuple(map(_corruption, FUNCTIONS))

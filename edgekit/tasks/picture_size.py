"""Check of the size that a task states its coordinates in against the inputs of the model."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from edgekit.errors import SpecError
from edgekit.specs.inputs import Input
from edgekit.specs.lengths import FreeSize, Size, admits


def check_picture_size(size: tuple[int, int], inputs: Mapping[str, Input]) -> None:
    """Raise SpecError if no input has the proportions of `size`, height and width, on axes that follow each other.

    Coordinates of boxes and keypoints are in pixels of that input, or of a picture that it is scaled from, if the
    network gives those. Inputs of one axis at most say nothing of it.
    """
    shapes = {name: spec.shape for name, spec in inputs.items() if len(spec.shape) > 1}
    axes = [pair for shape in shapes.values() for pair in pairwise(shape)]
    if not axes or any(_fits(size, height, width) for height, width in axes):
        return
    name, shape = next(iter(shapes.items()))
    raise SpecError(
        f"edgekit.toml: 'task.size': is {list(size)}, and no input has these proportions: '{name}' is "
        f"[{', '.join(map(str, shape))}]",
        hint=f"size = [{shape[-2]}, {shape[-1]}], if these are its height and width",
    )


def _fits(size: tuple[int, int], height: Size, width: Size) -> bool:
    if isinstance(height, FreeSize) or isinstance(width, FreeSize):
        return admits(height, size[0]) and admits(width, size[1])
    return height * size[1] == width * size[0]

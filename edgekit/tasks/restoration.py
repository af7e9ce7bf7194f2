"""Super-resolution and denoising: an image for an image. Takes the first output, and compares it with the true one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Real, Whole
from edgekit.tasks.metric import SHARE, Metric, Scores
from edgekit.tasks.secondary import SecondaryFigure
from edgekit.tasks.structural_similarity import ssim
from edgekit.tasks.task import Answers, Outputs, TaskSpec, first_output, metric_figure, squeezed

IMAGES = "a sample is labelled with the true image, of the shape of the network's output and with values from 0 to peak"
HIGHEST_DB = 100.0
"""PSNR of equal images, and the largest of any."""
SIDE_VALUES = 20_000_000
"""Values up to which SSIM is measured where it is not the metric: it takes some 0.2 µs a value."""


class Restoration(TaskSpec):
    """Tasks `super-resolution` and `denoising`: first output images [N, C, H, W] or [N, H, W]; labels images."""

    metric_name: Literal["psnr", "ssim"] = Field(default="psnr", alias="metric")
    """Peak signal-to-noise ratio in dB, or structural similarity: means over the samples."""
    peak: Real = Field(default=1.0, gt=0)
    """Largest value of a pixel, such as 255; the smallest is 0. Outputs are clipped to this range."""
    channels: Literal["first", "last"] = "first"
    """Place of the channels among the axes: [N, C, H, W], or [N, H, W, C]."""
    border: Whole = Field(default=0, ge=0)
    """Pixels at every edge that do not count, such as the factor of super-resolution."""
    agree_db: Real = Field(default=35.0, gt=0)
    """Least PSNR between the images of two endpoints that agree."""

    @property
    def metric(self) -> Metric:
        return Metric("psnr", "dB") if self.metric_name == "psnr" else Metric("ssim")

    @property
    def margin(self) -> float:
        """Half a decibel, or a hundredth of SSIM."""
        return 0.5 if self.metric_name == "psnr" else 0.01

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack true images, uint8, uint16 or float32 [N, …]. Raises DataError."""
        images = [np.asarray(label) for label in labels]
        for i, image in enumerate(images):
            if image.dtype.kind not in "uif" or image.ndim not in (2, 3) or image.shape != images[0].shape:
                raise DataError(
                    f"label of sample {i} is {image.dtype} {list(image.shape)}, no image of one size", hint=IMAGES
                )
            # A comparison that NaN fails, too.
            if image.size and not (image.min() >= 0 and image.max() <= self.peak):
                raise DataError(
                    f"label of sample {i} has values from {image.min():.4g} to {image.max():.4g}, which is not 0 to "
                    f"{self.peak:g}",
                    hint="the largest value of a pixel is [task] peak: 255 for bytes, 1 for scaled ones",
                )
        array = np.stack(images)
        return array if array.dtype in (np.uint8, np.uint16) else array.astype(np.float32)

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output is no images, or true images have another shape."""
        name, images = first_output(outputs)
        if images.ndim not in (3, 4):
            raise DataError(
                f"output '{name}' has shape {list(images.shape)}, images are [samples, channels, height, width]",
                hint="the image must be the model's first output",
            )
        if labels is not None and squeezed(labels.shape) != squeezed(images.shape):
            raise DataError(
                f"true images are {list(labels.shape[1:])}, output '{name}' is {list(images.shape[1:])}", hint=IMAGES
            )
        rows, columns = images.shape[1:3] if images.ndim == 3 or self.channels == "last" else images.shape[2:]
        if min(rows, columns) <= 2 * self.border:
            raise DataError(
                f"nothing is left of {rows} x {columns} pixels without a border of {self.border}",
                hint="[task] border is a number of pixels, 0 by default",
            )

    def answers(self, outputs: Outputs) -> Array:
        """Images as they are, float32 [N, …], clipped to 0 to peak."""
        return np.clip(first_output(outputs)[1].astype(np.float32), 0, self.peak)

    def score(self, answers: Answers, labels: Array) -> Scores:
        """PSNR or SSIM of each sample; the metric is their mean."""
        each = [self._quality(*pair) for pair in zip(answers, labels.reshape(answers.shape), strict=True)]
        return Scores(np.array(each))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """1 where the images of both endpoints have a PSNR of `agree_db` between them."""
        pairs = zip(reference, candidate, strict=True)
        return np.array([float(self._psnr(self._inner(a), self._inner(b)) >= self.agree_db) for a, b in pairs])

    def secondary(self, reference: Answers, candidate: Answers, labels: Array | None) -> Sequence[SecondaryFigure]:
        """The other metric; and the PSNR of the candidate's images against the reference's."""
        between = [self._psnr(self._inner(a), self._inner(b)) for a, b in zip(reference, candidate, strict=True)]
        figure = SecondaryFigure(name="PSNR against the reference", unit="dB", candidate=float(np.mean(between)))
        other = self.model_copy(update={"metric_name": "ssim" if self.metric_name == "psnr" else "psnr"})
        if labels is None or (other.metric.unit == SHARE and labels.size > SIDE_VALUES):
            return (figure,)
        return (metric_figure(other, reference, candidate, labels), figure)

    def chance(self, labels: Array) -> float | None:
        """Metric of one image for all, of the mean of all true values."""
        constant = np.broadcast_to(np.float32(labels.mean()), labels.shape)
        return self.score(constant, labels).value

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return f"an image of mean {answers[i].mean():.4g} and deviation {answers[i].std():.4g}"

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return self.show(labels, i)

    def _inner(self, image: Array) -> Array:
        """Image [C, H, W] without its border."""
        planes = image[None] if image.ndim == 2 else image
        planes = np.moveaxis(planes, -1, 0) if self.channels == "last" and image.ndim == 3 else planes
        inside = slice(self.border, -self.border or None)
        return planes[:, inside, inside]

    def _quality(self, answer: Array, label: Array) -> float:
        ours, theirs = self._inner(answer), self._inner(label)
        return self._psnr(theirs, ours) if self.metric_name == "psnr" else ssim(theirs, ours, self.peak)

    def _psnr(self, first: Array, second: Array) -> float:
        error = float(np.mean((first.astype(np.float64) - second) ** 2))
        return HIGHEST_DB if error == 0 else min(HIGHEST_DB, 10 * float(np.log10(self.peak**2 / error)))

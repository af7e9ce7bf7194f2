"""Structural similarity of two images (Wang et al. 2004), with a Gaussian window."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array

WINDOW = 11
"""Rows and columns of the window; fewer where the image has fewer, an odd number."""
SIGMA = 1.5
"""Standard deviation of the window's weights, in pixels."""
K1, K2 = 0.01, 0.03


def ssim(first: Array, second: Array, peak: float) -> float:
    """Mean structural similarity of two images [C, H, W], over channels and all places of the window inside them.

    peak: largest value of a pixel; the smallest is 0.
    """
    x, y = first.astype(np.float64), second.astype(np.float64)
    mean_x, mean_y = smoothed(x), smoothed(y)
    variances = smoothed(x * x) - mean_x**2 + smoothed(y * y) - mean_y**2
    covariance = smoothed(x * y) - mean_x * mean_y
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    similar = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((similar / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))).mean())


def smoothed(images: Array) -> Array:
    """Means of images [C, H, W] by Gaussian weights, at all places of the window inside them."""
    for axis in (1, 2):
        length = images.shape[axis]
        window = min(WINDOW, length - (length + 1) % 2)
        weights = np.exp(-0.5 * ((np.arange(window) - window // 2) / SIGMA) ** 2)
        places = np.arange(length - window + 1)
        images = sum(
            weight * np.take(images, places + k, axis=axis) for k, weight in enumerate(weights / weights.sum())
        )
    return images

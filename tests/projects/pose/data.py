"""Drawn stick figures on crops of two photographs: pictures uint8 [64, 64, 3] with seven keypoints."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

SIDE = 64
LIMBS = ((0, 1), (1, 2), (1, 3), (1, 4), (2, 5), (2, 6))


class Figures:
    """Map-style data set: picture, and keypoints float64 [7, 3] of x, y, visibility. All from the seed."""

    def __init__(self, seed: int, count: int) -> None:
        random = np.random.default_rng(seed)
        photographs = load_sample_images().images
        self.samples = [picture(random, photographs) for _ in range(count)]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        return self.samples[i]


def training() -> Figures:
    return Figures(1, 2000)


def calibration() -> Figures:
    return Figures(2, 200)


def evaluation() -> Figures:
    return Figures(3, 300)


def picture(random: np.random.Generator, photographs: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    photograph = photographs[random.integers(len(photographs))]
    y, x = (int(random.integers(0, photograph.shape[axis] - 128)) for axis in (0, 1))
    image = Image.fromarray(photograph[y : y + 128, x : x + 128]).resize((SIDE, SIDE))
    image = image.point(lambda value: value * 0.6)
    draw = ImageDraw.Draw(image)
    points = pose(random)
    for one, other in LIMBS:
        draw.line([*points[one], *points[other]], fill=(235, 225, 90), width=2)
    # Left is red and right is blue: else nothing tells one from the other.
    for k, fill in ((3, (230, 60, 60)), (5, (230, 60, 60)), (4, (70, 90, 240)), (6, (70, 90, 240))):
        disc(draw, points[k], 2.0, fill)
    disc(draw, points[0], 3.5, (235, 225, 90))
    pixels = np.asarray(image).astype(np.float64) + random.normal(0, 6, (SIDE, SIDE, 3))
    inside = np.asarray(((points >= 0) & (points < SIDE)).all(axis=1))
    return np.clip(pixels, 0, 255).astype(np.uint8), np.column_stack([points * inside[:, None], 2.0 * inside])


def pose(random: np.random.Generator) -> np.ndarray:
    """Places [7, 2] of a figure of its own size, turned, with arms and legs anywhere."""
    size, lean = random.uniform(9, 16), random.normal(0, 0.25)
    hip = random.uniform(22, 42, 2)
    neck = hip + size * np.array([np.sin(lean), -np.cos(lean)])
    head = neck + 0.5 * size * np.array([np.sin(lean), -np.cos(lean)])
    hands = [neck + size * direction(side * random.uniform(0.3, 2.6)) for side in (1, -1)]
    feet = [hip + 1.2 * size * direction(side * random.uniform(0.1, 0.9)) for side in (1, -1)]
    return np.stack([head, neck, hip, *hands, *feet])


def direction(angle: float) -> np.ndarray:
    """Unit vector at an angle from straight down, to the left of the picture's right for positive ones."""
    return np.array([np.sin(angle), np.cos(angle)])


def disc(draw: ImageDraw.ImageDraw, centre: np.ndarray, radius: float, fill: tuple[int, int, int]) -> None:
    x, y = centre
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)

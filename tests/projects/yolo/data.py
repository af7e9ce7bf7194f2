"""Scanned digits on crops of two photographs: pictures uint8 [64, 96, 3] with the boxes of three classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

HEIGHT, WIDTH = 64, 96
DIGITS = (0, 1, 4)
"""Digits that are classes 0, 1 and 2."""


class Pasted:
    """Map-style data set: picture, and boxes float64 [M, 5] of class, x1, y1, x2, y2. All from the seed."""

    def __init__(self, seed: int, count: int, held_out: bool) -> None:
        random = np.random.default_rng(seed)
        scans = load_digits()
        # Scans of one half are never seen in the other.
        own = [scans.images[(scans.target == digit)][held_out::2] / 16 for digit in DIGITS]
        photographs = load_sample_images().images
        self.samples = [picture(random, photographs, own) for _ in range(count)]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        return self.samples[i]


def training() -> Pasted:
    return Pasted(1, 2500, False)


def calibration() -> Pasted:
    return Pasted(2, 200, False)


def evaluation() -> Pasted:
    return Pasted(3, 300, True)


class Camera:
    """Another set with its boxes in pixels of a camera's picture, which is ten times as large."""

    def __init__(self, pasted: Pasted) -> None:
        self.pasted = pasted

    def __len__(self) -> int:
        return len(self.pasted)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        image, boxes = self.pasted[i]
        return image, boxes * [1, 10, 10, 10, 10]


def camera_calibration() -> Camera:
    return Camera(calibration())


def camera_evaluation() -> Camera:
    return Camera(evaluation())


def picture(
    random: np.random.Generator, photographs: list[Any], scans: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    photograph = photographs[random.integers(len(photographs))]
    y, x = (int(random.integers(0, photograph.shape[axis] - side)) for axis, side in ((0, 128), (1, 192)))
    crop = Image.fromarray(photograph[y : y + 128, x : x + 192]).resize((WIDTH, HEIGHT))
    pixels = np.asarray(crop).astype(np.float64) * random.uniform(0.4, 0.8)
    boxes: list[list[float]] = []
    for _ in range(random.integers(0, 4)):
        side = int(random.integers(16, 41))
        left, top = int(random.integers(0, WIDTH - side)), int(random.integers(0, HEIGHT - side))
        label = int(random.integers(len(scans)))
        scan = scans[label][random.integers(len(scans[label]))]
        rows, columns = np.flatnonzero(scan.max(axis=1) > 0.2), np.flatnonzero(scan.max(axis=0) > 0.2)
        scan = scan[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        height, width = (max(round(side * length / 8), 6) for length in scan.shape)
        if any(left < b[3] and b[1] < left + width and top < b[4] and b[2] < top + height for b in boxes):
            continue
        ink = np.asarray(Image.fromarray((scan * 255).astype(np.uint8)).resize((width, height), 2)) / 255
        tint = random.uniform(200, 255, 3)
        part = pixels[top : top + height, left : left + width]
        part += ink[..., None] * (tint - part)
        boxes.append([label, left, top, left + width, top + height])
    pixels += random.normal(0, 5, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8), np.array(boxes, np.float64).reshape(-1, 5)

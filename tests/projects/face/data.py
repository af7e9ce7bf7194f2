"""Drawn faces on crops of two photographs, among ovals without eyes: pictures uint8 [64, 96, 3] with their boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

HEIGHT, WIDTH = 64, 96


class Faces:
    """Map-style data set: picture, and boxes float64 [M, 5] of class 0, x1, y1, x2, y2. All from the seed."""

    def __init__(self, seed: int, count: int) -> None:
        random = np.random.default_rng(seed)
        photographs = load_sample_images().images
        self.samples = [picture(random, photographs) for _ in range(count)]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        return self.samples[i]


def training() -> Faces:
    return Faces(1, 2000)


def calibration() -> Faces:
    return Faces(2, 200)


def evaluation() -> Faces:
    return Faces(3, 300)


def picture(random: np.random.Generator, photographs: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    photograph = photographs[random.integers(len(photographs))]
    y, x = (int(random.integers(0, photograph.shape[axis] - side)) for axis, side in ((0, 128), (1, 192)))
    image = Image.fromarray(photograph[y : y + 128, x : x + 192]).resize((WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    boxes: list[list[float]] = []
    for _ in range(random.integers(0, 4)):
        place = free_place(random, boxes)
        if place is None:
            continue
        with_eyes = random.random() < 0.7
        oval(draw, random, place, with_eyes)
        boxes.append([0 if with_eyes else -1, *place])
    pixels = np.asarray(image).astype(np.float64) * random.uniform(0.6, 1.2) + random.normal(0, 6, (HEIGHT, WIDTH, 3))
    faces = [box for box in boxes if box[0] == 0]
    return np.clip(pixels, 0, 255).astype(np.uint8), np.array(faces, np.float64).reshape(-1, 5)


def free_place(random: np.random.Generator, boxes: list[list[float]]) -> list[float] | None:
    width = float(np.exp(random.uniform(np.log(11), np.log(40))))
    height = width * random.uniform(1.1, 1.35)
    if height > HEIGHT - 2:
        return None
    x, y = random.uniform(0, WIDTH - width), random.uniform(0, HEIGHT - height)
    place = [x, y, x + width, y + height]
    apart = all(place[2] < b[1] or b[3] < place[0] or place[3] < b[2] or b[4] < place[1] for b in boxes)
    return place if apart else None


def oval(draw: ImageDraw.ImageDraw, random: np.random.Generator, place: list[float], with_eyes: bool) -> None:
    x1, y1, x2, y2 = place
    width, height = x2 - x1, y2 - y1
    tone = np.array([230, 190, 160]) * random.uniform(0.45, 1.05) + random.normal(0, 8, 3)
    draw.ellipse(place, fill=colour(tone))
    dark, size = colour(tone * 0.25), max(width * random.uniform(0.08, 0.12), 1.0)
    if not with_eyes:
        return
    for side in (0.3, 0.7):
        cx, cy = x1 + side * width, y1 + 0.4 * height
        draw.ellipse([cx - size, cy - size, cx + size, cy + size], fill=dark)
    draw.rectangle([x1 + 0.3 * width, y1 + 0.72 * height, x1 + 0.7 * width, y1 + 0.78 * height], fill=dark)


def colour(values: np.ndarray) -> tuple[int, ...]:
    return tuple(int(value) for value in np.clip(values, 0, 255))

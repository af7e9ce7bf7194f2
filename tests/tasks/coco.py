"""COCO's own evaluation, as the oracle of average precisions: `pycocotools` on data in memory."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def coco_box_precision(answers: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> tuple[float, float]:
    """Mean average precisions at overlaps of 0.5 to 0.95, and at 0.5.

    answers: [K, 6] of x1, y1, x2, y2, score, class. labels: [M, 5] of class, x1, y1, x2, y2.
    """
    objects: list[dict[str, Any]] = [
        {"image_id": i + 1, "category_id": int(row[0]) + 1, "bbox": _sides(row[1:])}
        for i, rows in enumerate(labels)
        for row in rows
    ]
    for one in objects:
        one["area"] = one["bbox"][2] * one["bbox"][3]
    detections = [
        {"image_id": i + 1, "category_id": int(row[5]) + 1, "bbox": _sides(row[:4]), "score": float(row[4])}
        for i, rows in enumerate(answers)
        for row in rows
    ]
    return _evaluated(objects, detections, len(labels), "bbox")


def coco_keypoint_precision(poses: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Mean average precisions at similarities of 0.5 to 0.95, and at 0.5, of one figure a picture.

    poses: [N, 17, 2]. scores: [N]. labels: [N, 17, 3] of x, y, visibility.
    """
    objects = []
    for i, label in enumerate(labels):
        visible = label[label[:, 2] > 0, :2]
        low, high = visible.min(axis=0), visible.max(axis=0)
        objects.append(
            {
                "image_id": i + 1,
                "category_id": 1,
                "keypoints": label.ravel().tolist(),
                "num_keypoints": len(visible),
                "bbox": [*low.tolist(), *(high - low).tolist()],
                "area": float(np.prod(high - low)),
            }
        )
    detections = [
        {
            "image_id": i + 1,
            "category_id": 1,
            "keypoints": np.column_stack([pose, np.ones(17)]).ravel().tolist(),
            "score": float(score),
        }
        for i, (pose, score) in enumerate(zip(poses, scores, strict=True))
    ]
    return _evaluated(objects, detections, len(labels), "keypoints")


def _sides(box: np.ndarray) -> list[float]:
    return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]


def _evaluated(
    objects: list[dict[str, Any]], detections: list[dict[str, Any]], count: int, kind: str
) -> tuple[float, float]:
    for i, one in enumerate(objects):
        one |= {"id": i + 1, "iscrowd": 0}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": i + 1} for i in range(count)],
            "annotations": objects,
            "categories": [{"id": i + 1, "keypoints": []} for i in range(20)],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(detections), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])

"""Titles of metrics in words, for people who do not know their abbreviations."""

from __future__ import annotations

from collections.abc import Mapping

TITLES: Mapping[str, str] = {
    "F1": "F-score of boxes",
    "PCK": "share of keypoints in place",
    "absrel": "relative error",
    "auc": "area under the ROC curve",
    "average-precision": "average precision",
    "boundary-f": "F-score of boundaries",
    "cer": "error rate of tokens",
    "delta1": "share of depths within 25 %",
    "dice": "Dice overlap",
    "eer": "equal error rate",
    "exact": "share of sequences that are right as a whole",
    "f1": "F-score",
    "mAP": "mean average precision",
    "macro-f1": "mean F-score of the classes",
    "mae": "mean absolute error",
    "map": "mean average precision",
    "mase": "mean absolute scaled error",
    "miou": "mean overlap",
    "oks": "keypoint similarity",
    "oks-ap": "average precision of poses",
    "pearson": "correlation",
    "pinball": "pinball loss",
    "psnr": "peak signal-to-noise ratio",
    "r2": "share of explained variance",
    "recall": "share of samples whose like is found",
    "rmse": "root mean square error",
    "segment-f1": "F-score of segments",
    "smape": "symmetric mean percentage error",
    "span-f1": "F-score of spans",
    "spearman": "rank correlation",
    "ssim": "structural similarity",
    "token-accuracy": "share of tokens that are right",
    "top5": "share of samples whose class is among the best five",
    "wer": "error rate of words",
}
"""Title by the name of the metric (`tasks.metric.Metric.name`), without what follows `@`."""


def metric_title(name: str) -> str:
    """Title of a metric with its name: `equal error rate (eer)`; the name alone where it is plain or not known."""
    title = TITLES.get(name.partition("@")[0])
    return f"{title} ({name})" if title else name

"""Frozen bins of a bundle, `monitor.json`: what is counted, in which bins, and the reference's counts in them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..layout import MONITOR

SCHEMA = 1
MAX_BYTES = 4 << 20
MAX_SIGNALS, MAX_BINS, MAX_INPUTS = 256, 64, 8
FIXED = 1 << 20
"""Units of a probability: sums of confidences are whole numbers, so that windows are merged exactly."""


class SignalBins(NamedTuple):
    """Bins of one signal. A value v is in bin i where edges[i - 1] <= v < edges[i]."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    """Reference counts, one more than edges."""


class ScoreRule(NamedTuple):
    """Rule by which the scores of a classifier become a class and a confidence."""

    output: str
    form: str
    """`logits` or `probabilities`."""
    temperature: float
    """Number that logits are divided by for the confidence."""
    threshold: float
    """Confidence from which on an answer counts as right (ATC: average thresholded confidence)."""


class CountedInput(NamedTuple):
    """Input whose samples are measured. `channels`: axis of the channels, batch axis included; None for one channel."""

    name: str
    channels: int | None


class ReferenceAccuracy(NamedTuple):
    """Accuracy on the evaluation samples, and the sums that the estimates begin at."""

    rows: int
    right: int
    above: int
    """Rows whose confidence reaches the threshold."""
    confidence: int
    """Sum of the confidences, in units of 1 / FIXED."""
    squares: int
    """Sum of the squared confidences, in units of 1 / FIXED."""


class FrozenBins(NamedTuple):
    """Content of `monitor.json`."""

    task: str
    rows: int
    """Evaluation samples that were counted."""
    endpoint: str
    """Endpoint whose answers were counted: `artifact` or `reference`."""
    score: ScoreRule | None
    """None where the model is no classifier of one class a sample."""
    accuracy: ReferenceAccuracy | None
    """None without labels."""
    classes: tuple[int, ...]
    """Reference counts of the predicted classes; empty where there are none."""
    inputs: tuple[CountedInput, ...]
    outputs: tuple[str, ...]
    """Outputs whose ranges are counted."""
    signals: Mapping[str, SignalBins]
    limits: Mapping[str, Any]
    """Settings and gates of the profile, `[monitor]`."""

    def document(self) -> dict[str, Any]:
        """Form in the file."""
        return {
            "schema": SCHEMA,
            "task": self.task,
            "rows": self.rows,
            "endpoint": self.endpoint,
            "score": self.score and self.score._asdict(),
            "accuracy": self.accuracy and self.accuracy._asdict(),
            "classes": list(self.classes),
            "inputs": [each._asdict() for each in self.inputs],
            "outputs": list(self.outputs),
            "signals": {
                name: {"edges": list(bins.edges), "counts": list(bins.counts)} for name, bins in self.signals.items()
            },
            "limits": dict(self.limits),
        }

    def to_bytes(self) -> bytes:
        """Encode as canonical JSON."""
        return json.dumps(self.document(), sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> FrozenBins:
        """Parse the content of a file. Raises RunnerError (data) for anything else."""
        try:
            if len(raw) > MAX_BYTES:
                raise ValueError(f"it has more than {MAX_BYTES} bytes")
            return _parsed(json.loads(raw))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise RunnerError("data", f"'{MONITOR}' holds no bins: {type(error).__name__}: {error}") from error


def digest_of(raw: bytes) -> str:
    """SHA-256 of the content of a file of bins, in hex: its name in windows."""
    return hashlib.sha256(raw).hexdigest()


def read_bins(slot: Path) -> tuple[FrozenBins, str] | None:
    """Bins of the bundle in a slot, and their digest; None where it has none. Raises RunnerError (data)."""
    try:
        raw = (slot / MONITOR).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunnerError("data", f"'{slot / MONITOR}' cannot be read: {error}") from error
    return FrozenBins.parse(raw), digest_of(raw)


def _parsed(written: Any) -> FrozenBins:
    if written["schema"] != SCHEMA:
        raise ValueError(f"its schema {written['schema']} is newer than this program")
    signals = {_text(name): _signal(each) for name, each in written["signals"].items()}
    if len(signals) > MAX_SIGNALS or len(written["inputs"]) > MAX_INPUTS:
        raise ValueError("there are too many signals")
    score, accuracy = written["score"], written["accuracy"]
    return FrozenBins(
        task=_text(written["task"]),
        rows=_count(written["rows"]),
        endpoint=_text(written["endpoint"]),
        score=None if score is None else _score(score),
        accuracy=None if accuracy is None else _accuracy(accuracy),
        classes=tuple(map(_count, written["classes"])),
        inputs=tuple(CountedInput(_text(each["name"]), _axis(each["channels"])) for each in written["inputs"]),
        outputs=tuple(map(_text, written["outputs"])),
        signals=signals,
        limits=dict(written["limits"]),
    )


def _signal(written: Any) -> SignalBins:
    edges, counts = tuple(map(_real, written["edges"])), tuple(map(_count, written["counts"]))
    if len(counts) != len(edges) + 1 or len(counts) > MAX_BINS:
        raise ValueError(f"{len(counts)} counts do not fit {len(edges)} edges")
    if any(low >= high for low, high in zip(edges, edges[1:])):
        raise ValueError("edges do not ascend")
    return SignalBins(edges, counts)


def _score(written: Any) -> ScoreRule:
    rule = ScoreRule(
        _text(written["output"]), _text(written["form"]), _real(written["temperature"]), _real(written["threshold"])
    )
    if rule.form not in ("logits", "probabilities") or not rule.temperature > 0:
        raise ValueError("the rule of its scores is unknown")
    return rule


def _accuracy(written: Any) -> ReferenceAccuracy:
    accuracy = ReferenceAccuracy(*(_count(written[name]) for name in ReferenceAccuracy._fields))
    if max(accuracy.right, accuracy.above) > accuracy.rows or accuracy.confidence > accuracy.rows * FIXED:
        raise ValueError("more answers are right than there are")
    return accuracy


def _axis(value: Any) -> int | None:
    return None if value is None else _count(value)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError(f"{value!r} is no count")
    return value


def _real(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _text(value: Any) -> str:
    if type(value) is not str or not 0 < len(value) <= 300:
        raise ValueError(f"{value!r} is no name")
    return value

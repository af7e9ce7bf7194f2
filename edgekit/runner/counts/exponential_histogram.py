"""Exponential histogram of times on OpenTelemetry's scale. Standard library only.

Bucket i holds base ** i < value <= base ** (i + 1), with base = 2 ** 2 ** -scale (OpenTelemetry's metrics data model).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

SCALE = 3
"""Eight buckets for each doubling: a percentile is within 4.5 % of the value."""
MOST_NS = 1 << 50
"""Greatest value that is told apart, about 13 days."""


class ExponentialHistogram:
    """Counts of whole positive numbers, such as nanoseconds."""

    def __init__(self, buckets: Mapping[int, int] | None = None) -> None:
        self.buckets: dict[int, int] = dict(buckets or {})

    def add(self, value: int) -> None:
        place = math.ceil(math.log2(min(max(value, 1), MOST_NS)) * (1 << SCALE)) - 1
        self.buckets[place] = self.buckets.get(place, 0) + 1

    def merge(self, other: ExponentialHistogram) -> None:
        for place, count in other.buckets.items():
            self.buckets[place] = self.buckets.get(place, 0) + count

    @property
    def count(self) -> int:
        return sum(self.buckets.values())

    def quantile(self, share: float) -> float | None:
        """Value below which `share` of the values lie: the middle of a bucket on its scale; None of nothing."""
        wanted, below = share * self.count, 0
        for place in sorted(self.buckets):
            below += self.buckets[place]
            if below >= wanted:
                return float(2 ** ((place + 0.5) / (1 << SCALE)))
        return None

    def document(self) -> dict[str, Any]:
        """Form of OTLP: scale, offset of the first bucket, and counts from there on."""
        if not self.buckets:
            return {"scale": SCALE, "offset": 0, "bucket_counts": []}
        first, last = min(self.buckets), max(self.buckets)
        counts = [self.buckets.get(place, 0) for place in range(first, last + 1)]
        return {"scale": SCALE, "offset": first, "bucket_counts": counts}

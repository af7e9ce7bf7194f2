"""Counters of a served model in the form of Triton's statistics (its protocol/extension_statistics)."""

from __future__ import annotations

import time
from typing import Any

PARTS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")


class ModelStatistics:
    """Requests that were answered since the bundle was first served, and the time that was spent on them."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(PARTS, 0)
        self._total_ns = dict.fromkeys(PARTS, 0)
        self._executions, self._last_ms = 0, 0
        self.lost_rows = 0
        """Requests that are missing in the counts of ROOT/counts: its disk was full, or failed."""

    def succeeded(self, whole_ns: int, queue_ns: int, input_ns: int, infer_ns: int, output_ns: int) -> None:
        """Count a request that was answered. whole_ns: from its arrival to its answer; the others are parts of it."""
        times_ns = {
            "success": whole_ns,
            "queue": queue_ns,
            "compute_input": input_ns,
            "compute_infer": infer_ns,
            "compute_output": output_ns,
        }
        for part, spent_ns in times_ns.items():
            self._counts[part] += 1
            self._total_ns[part] += spent_ns
        self._last_ms = int(time.time() * 1000)

    def failed(self, whole_ns: int) -> None:
        self._counts["fail"] += 1
        self._total_ns["fail"] += whole_ns

    def executed(self) -> None:
        """Count a frame of requests that a worker was given."""
        self._executions += 1

    def document(self, name: str, version: str) -> dict[str, Any]:
        """Entry of `model_stats`."""
        spent = {part: {"count": self._counts[part], "ns": self._total_ns[part]} for part in PARTS}
        return {
            "name": name,
            "version": version,
            "last_inference": self._last_ms,
            "inference_count": self._counts["success"],
            "execution_count": self._executions,
            "inference_stats": spent,
            "batch_stats": [],
            "uncounted": self.lost_rows,
        }

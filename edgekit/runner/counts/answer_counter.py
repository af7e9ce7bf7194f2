"""Counting in a worker, after its answer was sent: what it costs is bounded, and what goes wrong harms no answer."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING

import numpy as np

from .bins import FrozenBins, read_bins
from .window import AnswerWindow
from .window_writer import WindowWriter

if TYPE_CHECKING:
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Array

BLOCK = 128
"""Answers that are counted together: numpy's calls cost more than their work on one."""
BUDGET_NS = 20_000
BUDGET_SHARE = 0.02
"""Mean cost of a request at most: 20 us, or this share of an inference, whichever is more."""
AIMED = 0.6
"""Share of the budget that is aimed at: between two looks the cost goes up and down."""
TRIES = 3
COLD = 2.0
"""Time that a measurement takes between inferences, which have the caches, as a multiple of that of one repeated."""
SETTLED = 256
"""Requests of a window after which its cost is held against the budget."""
MOST_EVERY = 1 << 16
WAITED = 8
"""A count that took so many times what it should was kept waiting by others."""


class AnswerCounter:
    """Counter of the requests that one worker answers. Failing once, it counts no more and says so."""

    def __init__(self, root: Path, bundle: str, bins: FrozenBins, digest: str, manifest: RunnerManifest) -> None:
        self._bins = bins
        self._places = [_place(each.name, manifest.sampled) for each in bins.inputs]
        named = [bins.score.output] if bins.score else list(bins.outputs)
        self._outputs = [_place(name, manifest.reported) for name in named]
        self.every = 1
        """One of so many requests has its inputs measured."""
        self._input_ns = self._infer_ns = 0.0
        self._window = AnswerWindow(bins, 1)
        self._block: list[list[Array]] = []
        self._rows = self._requests = 0
        self._spent_ns = 0.0
        self._writer = WindowWriter(root, "answers", bundle, digest, lambda: self._window.document())
        self._left_out, self._longest_ns = 0, float(WAITED * BUDGET_NS)
        self._random = random.Random()  # noqa: S311 a choice of samples, and no secret
        self._failed = False

    @classmethod
    def of(
        cls, slot: Path, root: Path, bundle: str, manifest: RunnerManifest, golden: Sequence[Array]
    ) -> AnswerCounter | None:
        """Counter of the bundle in a slot; None if it has no bins, or carries state from step to step.

        golden: one sample, [1, …] an input, by which the cost of measuring inputs is known from the start.
        """
        found_bins = None if manifest.state else read_bins(slot)
        if found_bins is None:
            return None
        counter = cls(root, bundle, *found_bins, manifest)
        counter._try_inputs(golden)
        return counter

    @property
    def wait_s(self) -> float | None:
        """Seconds after which `tick` is to be called though there is no request; None for never."""
        return None if self._failed else self._writer.wait_s

    def count(self, columns: Sequence[Array], outputs: Sequence[Array], requests: int, infer_ns: int) -> None:
        """Count a frame of requests that were answered: inputs as the model takes them, [N, …], and real outputs."""
        if self._failed:
            return
        started = perf_counter_ns()
        try:
            self._requests += requests
            self._infer_ns += infer_ns
            # Copies: what a runtime gives may be its own memory, which the next inference overwrites.
            self._block.append([outputs[place].copy() for place in self._outputs])
            self._rows += len(columns[0])
            self._left_out -= 1
            if self._left_out < 0:
                self._measure([columns[place] for place in self._places], requests)
            if self._rows >= BLOCK:
                self._count_block()
        except Exception as error:  # noqa: BLE001 whatever goes wrong here must not harm an answer
            self._fail(error)
        self._spent_ns += min(perf_counter_ns() - started, self._longest_ns)
        if not self._rows and self._requests >= SETTLED and not self._failed:
            costly = self._spent_ns > self._budget_ns * self._requests
            # Else inputs are not what costs too much, and another window would not be cheaper.
            if costly and self._seldom() > 1.2 * self.every:
                self._renew()

    def tick(self) -> None:
        """Write what is due."""
        if self._failed:
            return
        try:
            if self._writer.is_over:
                self._renew()
            elif not self._writer.wait_s:
                self._count_block()
                self._writer.flush()
        except Exception as error:  # noqa: BLE001 as above
            self._fail(error)

    def close(self) -> None:
        """Write what was counted."""
        if not self._failed:
            self._renew()

    @property
    def _budget_ns(self) -> float:
        mean_ns = self._infer_ns / self._requests if self._requests else 0.0
        return max(float(BUDGET_NS), BUDGET_SHARE * mean_ns)

    def _renew(self) -> None:
        """Close the window, and begin one whose inputs are measured as seldom as the cost demands."""
        try:
            self._count_block()
            self._writer.close()
            self.every = self._seldom()
        except Exception as error:  # noqa: BLE001 as above
            self._fail(error)
        self._window = AnswerWindow(self._bins, self.every)
        self._draw()
        self._requests, self._spent_ns, self._infer_ns = 0, 0.0, 0.0

    def _seldom(self) -> int:
        """One of so many requests: what is left of the budget beside the counting of answers pays for its inputs."""
        answers_ns = 0.0
        if self._requests:
            answers_ns = max(0.0, self._spent_ns / self._requests - self._input_ns / self.every)
        left_ns = max(AIMED * self._budget_ns - answers_ns, self._budget_ns / 8)
        return min(MOST_EVERY, max(1, -(-int(self._input_ns) // max(1, int(left_ns)))))

    def _measure(self, columns: list[Array], requests: int) -> None:
        """Measure the inputs of a request, and draw how many follow that are left out: one in `every`, by chance."""
        began = perf_counter_ns()
        self._window.add_inputs(columns)
        # Towards the median: a process that was kept waiting tells nothing of the work.
        slower = (perf_counter_ns() - began) / requests > self._input_ns
        self._input_ns *= 1.05 if slower else 1 / 1.05
        self._draw()

    def _draw(self) -> None:
        self._longest_ns = WAITED * max(self._input_ns, BUDGET_NS)
        chance = math.log1p(-1 / self.every) if self.every > 1 else -math.inf
        self._left_out = int(math.log1p(-self._random.random()) / chance)

    def _count_block(self) -> None:
        if not self._block:
            return
        self._window.count_inputs()
        joined = [np.concatenate(arrays) for arrays in zip(*self._block)]
        self._block, self._rows = [], 0
        if self._bins.score:
            self._window.add_scores(joined[0])
        else:
            self._window.add_values(joined, self._bins.outputs)

    def _try_inputs(self, golden: Sequence[Array]) -> None:
        tried = AnswerWindow(self._bins, 1)
        times = []
        for _ in range(TRIES):
            began = perf_counter_ns()
            tried.add_inputs([golden[place] for place in self._places])
            times.append(perf_counter_ns() - began)
        self._input_ns = COLD * min(times)
        self.every = self._seldom()
        self._window = AnswerWindow(self._bins, self.every)
        self._draw()

    def _fail(self, error: Exception) -> None:
        self._failed = True
        print(f"edgekit serve: counts no more: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def _place(name: str, tensors: Sequence[object]) -> int:
    return next(k for k, tensor in enumerate(tensors) if getattr(tensor, "name", None) == name)

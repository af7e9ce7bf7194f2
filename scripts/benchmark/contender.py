"""Decoder in a process of its own that generates texts beside others, taking turns, and its lines in the tables."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from scripts.benchmark.runtimes import ratio

COLUMNS = ("file", "MB a token", "tokens/s", "CPU ms", "first ms", "first MB", "last MB", "peak MB", "own MB", "alike")
"""Bytes of the files; MB that a token reads at most, file and full cache; tokens a second by the wall; CPU time of a
token and of the prompt; resident memory behind the first token, behind the last, at its peak, and there without that of
Python and numpy; number of tokens that are those of the first line."""
RATIOS = ("CPU time of a token", "of the prompt", "own memory")
"""Columns of `Contender.beside`."""


@dataclass
class Contender:
    """Process that generates by one decoder, and what it answered."""

    name: str
    precision: str
    """As llama.cpp names it: f32, q8_0 or q4_0."""
    threads: int
    file_bytes: int
    cache_bytes: int
    process: subprocess.Popen[str]
    answers: list[dict[str, Any]] = field(default_factory=list)

    def generate(self, prompt: Sequence[int], count: int) -> None:
        """Generate one text behind a prompt. Raises RuntimeError if the process ended."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"prompt": prompt, "count": count}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}")
        self.answers.append(json.loads(line))

    def row(self, tokens: Sequence[int]) -> str:
        """Line of the table of figures. tokens: those of the first contender."""
        ours, last = self.answers[0]["tokens"], self.answers[-1]
        alike = next((i for i, pair in enumerate(zip(ours, tokens, strict=True)) if pair[0] != pair[1]), len(ours))
        memory = (*self.answers[0]["grown"], last["peak_bytes"], self.own_bytes)
        numbers = [(self.file_bytes + self.cache_bytes) / 1e6, 1 / median(self._per_token("rest_s"))]
        numbers += [1e3 * median(self._per_token("rest_cpu_s")), 1e3 * median(self._first("first_cpu_s"))]
        numbers += [size / 1e6 for size in memory]
        return f"{self.name:40}{self.file_bytes:13,}" + "".join(f"{number:11.2f}" for number in numbers) + f"{alike:8}"

    def beside(self, other: Contender) -> str:
        """Line of the table of ratios to `other`: of each turn, in the median, with an interval of 95 %.

        CPU time with one thread, as the machine does other things too; the wall with more, as threads that wait spin.
        """
        key = "cpu_s" if self.threads == 1 else "s"
        token = ratio(self._per_token(f"rest_{key}"), other._per_token(f"rest_{key}"))
        prompt = ratio(self._first(f"first_{key}"), other._first(f"first_{key}"))
        times = "".join(f"{f'{middle:.2f} ({low:.2f} to {high:.2f})':>24}" for middle, low, high in (token, prompt))
        return f"{f'{self.name} : {other.name}':66}{times}{self.own_bytes / other.own_bytes:14.2f}"

    @property
    def own_bytes(self) -> int:
        """Peak of the resident memory, without that of Python and numpy."""
        return int(self.answers[-1]["peak_bytes"] - self.answers[-1]["empty_bytes"])

    @property
    def _timed(self) -> Sequence[dict[str, Any]]:
        """Answers without the first, which warms up."""
        return self.answers[1:] or self.answers

    def _per_token(self, key: str) -> Any:
        """float64 [turns]: of the tokens behind each text's first."""
        return np.array([one[key] / (len(one["tokens"]) - 1) for one in self._timed])

    def _first(self, key: str) -> Any:
        return np.array([one[key] for one in self._timed])


def table(contenders: Sequence[Contender]) -> list[str]:
    """Lines of both tables: figures of all, then edgekit's beside llama.cpp's of the same precision and threads."""
    lines = [f"{'':40}{COLUMNS[0]:>13}" + "".join(f"{name:>11}" for name in COLUMNS[1:-1]) + f"{COLUMNS[-1]:>8}"]
    lines += [contender.row(contenders[0].answers[0]["tokens"]) for contender in contenders]
    pairs = [
        (ours, theirs)
        for theirs in contenders
        for ours in contenders
        if theirs.name.startswith("llama.cpp") and not ours.name.startswith("llama.cpp")
        if (ours.precision, ours.threads) == (theirs.precision, theirs.threads)
    ]
    if pairs:
        lines += ["", f"{'ratios':66}{RATIOS[0]:>24}{RATIOS[1]:>24}{RATIOS[2]:>14}"]
    return lines + [ours.beside(theirs) for ours, theirs in pairs]

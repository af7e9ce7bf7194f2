"""Outcome of all cuts: a table for people, a JSON document for the record."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock

from scripts.cuts.cutting import Round
from scripts.cuts.plan import STEPS


@dataclass
class Report:
    """Rounds as they end, on however many devices."""

    seed: int
    target: str
    asked: int
    rounds: list[Round] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def broken(self) -> bool:
        return any(one.broken for one in self.rounds)

    def add(self, one: Round) -> None:
        """Keep it, and say how it went."""
        cut = one.cut
        with self._lock:
            self.rounds.append(one)
        where = f"{cut.kind} {cut.at:.3f} of {cut.step}"
        print(f"cut {cut.number}: {where}: {one.served}, {one.seconds:.0f} s, at {one.hit}", flush=True)
        for what in one.broken:
            print(f"BROKEN at cut {cut.number}, {where}, --seed {self.seed}: {what}", flush=True)

    def table(self) -> str:
        """Table by step: cuts, how many of them at a counted change, and what was served then."""
        lines = [f"{'step':10}{'cuts':>6}{'at a change':>13}{'old':>6}{'new':>6}{'broken':>8}"]
        lines += [_line(step, [one for one in self.rounds if one.cut.step == step]) for step in STEPS]
        return "\n".join([*lines, _line("all", self.rounds)])

    def write(self, path: Path) -> None:
        """Raises OSError."""
        with self._lock:
            rounds = sorted(self.rounds, key=lambda one: one.cut.number)
            served = Counter(one.served for one in rounds)
            counts = {"asked": self.asked, "cuts": len(rounds), "old": served["old"], "new": served["new"]}
            document = {"schema": 1, "seed": self.seed, "target": self.target, **counts, "broken": self.broken}
            path.write_text(json.dumps(document | {"rounds": [asdict(one) for one in rounds]}, indent=1) + "\n")


def _line(step: str, rounds: list[Round]) -> str:
    served = Counter(one.served for one in rounds)
    halted, broken = sum(one.halted for one in rounds), sum(bool(one.broken) for one in rounds)
    return f"{step:10}{len(rounds):6}{halted:13}{served['old']:6}{served['new']:6}{broken:8}"

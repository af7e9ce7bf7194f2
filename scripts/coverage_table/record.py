"""Record of a cell: what was built and measured, or how it ended. One JSON line each, in docs/coverage.jsonl."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

Ending = Literal["works", "refused", "crashed", "timeout"]
Key = tuple[str, str, str]

OPAQUE = re.compile(r"EK000|\b0x[0-9a-fA-F]+\b|\bloc\(|MLIR|\bmlir|Traceback|\w+TypeError|'tfl\.|error: ")
"""Raw words of a converter, which no message of edgekit's may end in."""


@dataclass(frozen=True)
class Outcome:
    """End of one architecture, one backend, one precision in a campaign; subclasses have the figures."""

    architecture: str
    backend: str
    precision: str
    outcome: Ending
    source: str = ""
    """Git's name of the tree `edgekit/` and digest of the architecture, with the versions of the packages."""
    commit: str = ""
    """Commit that was checked out, with `+` where `edgekit/` differed from it."""
    weights: str = ""
    seconds: float = 0.0
    peak_mb: int = 0
    code: str = ""
    message: str = ""
    hint: str = ""

    @property
    def key(self) -> Key:
        return self.architecture, self.backend, self.precision

    @property
    def opaque(self) -> bool:
        """True if the reason is none that a person could act on."""
        return self.outcome in ("crashed", "timeout") or bool(OPAQUE.search(f"{self.code} {self.message}"))

    @property
    def figures(self) -> str:
        """What was measured, for a terminal."""
        return ""

    def to_json(self) -> str:
        """One line, without what is at its default."""
        plain = {name: value for name, value in asdict(self).items() if value != getattr(type(self), name, None)}
        return json.dumps(plain, ensure_ascii=False)


@dataclass(frozen=True)
class Cell(Outcome):
    """One build: its file beside the float network and the float file."""

    sqnr_db: float | None = None
    """Worst output against eager torch on held-out samples, in dB; None is infinite."""
    metric: str = ""
    reference: float | None = None
    candidate: float | None = None
    agreement: float = 0.0
    integer_macs: float = 0.0
    float_only: float = 0.0
    """Share of multiply-accumulates that the runtime has in float alone, such as products of attention."""
    integer_weights: float = 0.0
    fallback: float = 0.0
    fallback_bytes: float | None = None
    size_ratio: float = 0.0
    size_bytes: int = 0
    macs: int = 0
    delegates: int = 0
    kernels: int = 0
    commonest: str = ""
    failed: tuple[str, ...] = ()
    """Gates of the profile that failed."""
    undecided: tuple[str, ...] = ()
    """Those of them that as many other samples could pass by chance."""
    samples: int = 0
    """Held-out samples that the gates were judged on; 0 where the record is older than this field."""
    warnings: tuple[str, ...] = ()

    @property
    def figures(self) -> str:
        quality = "inf" if self.sqnr_db is None else f"{self.sqnr_db:.1f}"
        return (
            f"{quality} dB, integer MACs {self.integer_macs:.2f}, fallback {self.fallback:.3f}, "
            f"size {self.size_ratio:.2f}, {self.delegates} delegates, {self.kernels} kernels, failed {self.failed}"
        )


Kind = TypeVar("Kind", bound=Outcome)


def read(path: Path) -> dict[Key, Cell]:
    """The last record of each cell; a line that a crash cut short is left out."""
    return read_as(Cell, path)


def read_as(kind: type[Kind], path: Path) -> dict[Key, Kind]:
    """The last record of that class of each cell; a line that a crash cut short is left out."""
    cells: dict[Key, Kind] = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            fields: dict[str, Any] = json.loads(line)
        except ValueError:
            continue
        fields = {name: tuple(each) if isinstance(each, list) else each for name, each in fields.items()}
        cell = kind(**fields)
        cells[cell.key] = cell
    return cells


def write(path: Path, cells: Iterable[Outcome]) -> None:
    """Write all records, ordered by architecture, backend and precision, and nothing else."""
    part = path.with_suffix(".part")
    part.write_text("".join(f"{cell.to_json()}\n" for cell in sorted(cells, key=lambda each: each.key)), "utf-8")
    part.replace(path)

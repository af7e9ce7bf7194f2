"""One cell: a build for the host by the functions of `edgekit build`, and what its report and its file say."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from edgekit.api.builds import build, load_project
from edgekit.bundle.archive import Bundle
from edgekit.errors import EdgekitError
from edgekit.parity.gates import GateResult
from edgekit.parity.statistics.proportions import wilson
from edgekit.report.report import Report
from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.fragments import fragments
from scripts.coverage_table.project import digest, write_project
from scripts.coverage_table.record import Cell
from scripts.coverage_table.registry import ARCHITECTURES

ROOT = Path(__file__).parents[2]
BACKENDS = ("executorch", "onnx", "tflite")
PRECISIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "int8": ("host-int8", ()),
    "float32": ("float32", ()),
    "dynamic-int8": ("dynamic-int8", ()),
    "weight-only-int4": ("weight-only-int4", ()),
    "float16": ("float16", ()),
    "weight-only-int8": ("dynamic-int8", ("profile.quantize.mode=weight-only",)),
}
"""Profile and overrides of each precision, in the order in which they are measured."""
PACKAGES = ("torch", "torchao", "executorch", "onnxruntime", "ai-edge-litert", "litert-torch")


def commit() -> str:
    """Commit that is checked out, 12 hexadecimal digits, with `+` if `edgekit/` differs from it."""
    return f"{_git('rev-parse', '--short=12', 'HEAD')}{'+' if _git('status', '--porcelain', 'edgekit') else ''}"


def source(architecture: Architecture) -> str:
    """Version of everything that a cell depends on: a cell of another one is measured anew."""
    tree = _git("rev-parse", "--short=12", "HEAD:edgekit")
    versions = " ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{tree} {digest(architecture)} {versions}"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def measured(name: str, backend: str, precision: str, work: Path) -> Cell:
    """Build the cell in folders below `work`, and measure it. Raises only what is no refusal of edgekit's."""
    architecture, started = ARCHITECTURES[name], time.monotonic()
    folder = write_project(architecture, work / "projects" / f"{name}-{digest(architecture)}")
    profile, overrides = PRECISIONS[precision]
    cell = Cell(name, backend, precision, "refused", source=source(architecture), weights=architecture.weights)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        try:
            result = build(
                load_project(folder), "host", backend=backend, profile=profile, overrides=overrides,
                out=Path(scratch) / "out", cache=work / "cache" / name,
            )  # fmt: skip
        except EdgekitError as error:
            cell = replace(cell, code=error.code, message=str(error), hint=error.hint or "")
        else:
            cell = _works(cell, result.report, result.bundle, Path(scratch) / "bundle")
    told = (cell.message, cell.hint, *cell.warnings)
    message, hint, *remarks = (text.replace(str(work), "FOLDER").replace(str(ROOT), "ROOT") for text in told)
    cell = replace(cell, message=message, hint=hint, warnings=tuple(remarks))
    return replace(cell, seconds=round(time.monotonic() - started, 1), peak_mb=peak_mb())


def _works(cell: Cell, report: Report, bundle: Bundle, folder: Path) -> Cell:
    """Record with what the report says, and the fragments of the file, which is unpacked into `folder`."""
    bundle.extract(folder)
    parts = fragments(next(folder.rglob(report.artifact.files[0].path)))
    artifact, scores = report.artifact, (report.reference.score, report.candidate.score)
    failed = [gate for gate in report.gates if gate.outcome == "failed"]
    return replace(
        cell, outcome="works",
        sqnr_db=None if report.sqnr_db is None else round(report.sqnr_db, 2),
        metric=scores[0].name if scores[0] else "",
        reference=round(scores[0].value, 4) if scores[0] else None,
        candidate=round(scores[1].value, 4) if scores[1] else None,
        agreement=round(report.agreement, 4),
        integer_macs=round(artifact.integer_macs_share, 4),
        float_only=round(artifact.float_only_macs_share or 0.0, 4),
        integer_weights=round(artifact.integer_share, 4),
        fallback=round(artifact.fallback_share, 4),
        fallback_bytes=None if artifact.fallback_bytes_share is None else round(artifact.fallback_bytes_share, 4),
        size_ratio=round(artifact.size_ratio, 3), size_bytes=artifact.size_bytes, macs=artifact.macs,
        delegates=parts.delegates, kernels=parts.kernels, commonest=parts.commonest,
        failed=tuple(gate.name for gate in failed),
        undecided=tuple(gate.name for gate in failed if _is_undecided(gate, report.candidate.samples)),
        samples=report.candidate.samples,
        warnings=tuple(report.warnings or ()),
    )  # fmt: skip


def _is_undecided(gate: GateResult, samples: int) -> bool:
    """True for an agreement below its limit whose interval, 95 % sure at its upper end, reaches it."""
    if gate.name != "agreement" or gate.value is None or gate.min is None:
        return False
    return wilson(gate.value, samples, confidence=0.9).high >= gate.min


def peak_mb() -> int:
    """Most memory that this process, or the largest of its children, held until now, cells before this one included."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) // 1024

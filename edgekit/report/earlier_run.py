"""Baseline: an earlier run, kept as its report, to compare instructions with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import DataError, SpecError
from edgekit.parity.endpoint_record import EndpointRecord
from edgekit.parity.gate_inputs import Baseline
from edgekit.report.record import ArtifactRecord, BundleRecord
from edgekit.report.report import Report, read_reports

_MAKE_ONE = "edgekit run --device emulated --out DIR leaves one: --baseline DIR"


@dataclass(frozen=True)
class Earlier:
    """Report of an earlier run for the same target, backend and profile; None if it has none for them."""

    report: Report | None
    tried: tuple[str, ...]
    """Targets, backends and profiles that it has reports for."""

    @classmethod
    def read(cls, path: Path, target: str, backend: str, profile: str) -> Earlier:
        """Read a report, a document of several, or the output folder of a run. Raises SpecError."""
        reports = [report for file in _files(path) for report in _reports(file)]
        names = (target, backend, profile)
        same = next((report for report in reports if _names(report) == names), None)
        return cls(same, tuple(sorted({", ".join(_names(report)) for report in reports})))

    @property
    def baseline(self) -> Baseline:
        """Instructions of the earlier run for a gate, or the reason why there are none."""
        if self.report is None:
            return Baseline(None, f"is of other runs than this one: {'; '.join(self.tried) or 'it holds none'}")
        counted = self.report.candidate.instructions
        return Baseline(counted, None if counted else "did not run on an emulated device, and counted no instructions")

    def warnings(
        self, candidate: EndpointRecord, artifact: ArtifactRecord, bundle: BundleRecord | None
    ) -> tuple[str, ...]:
        """Sentences on every other difference to the earlier run, which alone may change the instructions."""
        if self.report is None:
            return ()
        then, was = self.report, self.report.candidate.environment
        now = candidate.environment
        compared = (
            ("bundle", then.bundle and then.bundle.path, bundle and bundle.path),
            ("runtime", was.runtime, now.runtime),
            ("CPU", was.cpu, now.cpu),
            ("format", then.artifact.format, artifact.format),
            ("number of threads", was.threads, now.threads),
            ("Python", was.python, now.python),
        )
        return tuple(
            f"The baseline had another {what}: {before}, and now it is {after}. Instructions may differ for that alone."
            for what, before, after in compared
            if None not in (before, after) and before != after
        )


def _names(report: Report) -> tuple[str, str, str]:
    return report.target, report.backend, report.profile


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted({*path.glob("report.json"), *path.glob("*/report.json")})
    if not files:
        raise SpecError(f"the baseline '{path}' has no report.json in it", hint=_MAKE_ONE)
    return files


def _reports(file: Path) -> tuple[Report, ...]:
    if not file.exists():
        raise SpecError(f"there is no baseline '{file}'", hint=_MAKE_ONE)
    try:
        return read_reports(file)
    except DataError as error:
        raise SpecError(f"the baseline cannot be used: {error}", hint=_MAKE_ONE) from error

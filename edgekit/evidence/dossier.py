"""Facts that evidence is made of: a verified bundle, its report, its data card, and what devices tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.manifest_records import DataProvenance
from edgekit.errors import DataError, ReportMismatch
from edgekit.evidence.device_history import DeviceHistory, read_histories
from edgekit.parity.data.card import DataCard
from edgekit.parity.data.governance import DataSetRecord
from edgekit.pipeline.stages.data_card import read_card
from edgekit.report.data_digests import OUTSIDE
from edgekit.report.report import Report, read_reports

REPORT = "report.json"


@dataclass(frozen=True)
class Dossier:
    """Facts on one bundle. All that is written of it is a view of these, and of nothing else."""

    bundle: Bundle
    report: Report
    card: DataCard | None
    """Data card of the bundle; None for one that was packed without."""
    histories: tuple[DeviceHistory, ...] = ()
    """Events of this bundle on devices, a history each."""

    @property
    def sets(self) -> tuple[DataSetRecord, ...]:
        """Every data set of model and verdict: those of the data card, or else of the manifest, and of the report.

        A set that the card has terms of alone is the report's, with its digest: a bundle does not depend on the
        evaluation samples.
        """
        stated = self.card.sets if self.card else map(_stated, self.bundle.manifest.data)
        sets = {each.role: each for each in stated}
        for each in self.report.governance.sets if self.report.governance else ():
            if each.role not in sets or sets[each.role].sha256 is None:
                sets[each.role] = each
        outside = self.report.outside
        if outside and outside.sha256:
            sets[OUTSIDE] = DataSetRecord(
                role=OUTSIDE,
                licence="not recorded",
                source=outside.source,
                samples=outside.outside,
                sha256=outside.sha256,
            )
        return tuple(sets.values())

    @classmethod
    def gather(cls, bundle: Bundle, report: Path | None, histories: Sequence[Path]) -> Dossier:
        """Gather the facts on a bundle that was opened, and so verified.

        report: a report, a document of several, or a folder; None for the folder that the bundle lies in. histories:
        output of `edgekit history --json`. Raises ReportMismatch if no report is of this bundle, or one contradicts it;
        DataError for a file that cannot be read.
        """
        return cls(
            bundle,
            _report_of(bundle, report or bundle.path.parent),
            read_card(bundle),
            tuple(each for path in histories for each in read_histories(path, bundle.digest)),
        )


def _stated(data: DataProvenance) -> DataSetRecord:
    return DataSetRecord(
        role=data.role, licence=data.licence, source=data.source, samples=data.samples, sha256=data.sha256
    )


def _report_of(bundle: Bundle, path: Path) -> Report:
    """Select the one report of the bundle. Raises ReportMismatch or DataError."""
    files = [path / REPORT] if path.is_dir() else [path]
    if not files[0].is_file():
        raise DataError(f"there is no report '{files[0]}'", hint="--report FILE names the report of this bundle")
    reports = [report for file in files for report in read_reports(file)]
    same = [report for report in reports if report.bundle and report.bundle.digest == bundle.digest]
    if len(same) != 1:
        others = [report.bundle.digest[:12] if report.bundle else "none" for report in reports]
        count = "no report" if not same else f"{len(same)} reports"
        raise ReportMismatch(
            f"'{files[0]}' has {count} of the bundle {bundle.digest[:12]}, but of {', '.join(others[:3]) or 'none'}",
            hint="--report FILE names the report that its build or run has left",
        )
    _check_files(bundle, same[0])
    return same[0]


def _check_files(bundle: Bundle, report: Report) -> None:
    """Raise ReportMismatch if the report lists a file of the model otherwise than the manifest does."""
    packed = {file.path: (file.bytes, file.sha256) for file in bundle.manifest.files}
    for file in report.artifact.files:
        if packed.get(file.path) != (file.bytes, file.sha256):
            raise ReportMismatch(
                f"the report has another '{file.path}' than the bundle {bundle.digest[:12]}, whose digest it names",
                hint="the report was changed since: edgekit build writes it anew",
            )

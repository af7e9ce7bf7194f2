"""Reports that builds and runs leave, and comparisons of measurements."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import DataError
from edgekit.ir.measurement import Measurement
from edgekit.parity.compare import compare as compare_pairs
from edgekit.parity.comparison import Comparison
from edgekit.report.report import Report, read_reports
from edgekit.specs.project import Project
from edgekit.tasks.registry import task_named, task_of

REPORT = "report.json"


def compare(reference: Measurement, candidate: Measurement, *, task: str | Project = "classification") -> Comparison:
    """Compare two measurements of the same samples, pair by pair.

    Args:
        reference, candidate: from `probe`, with the same samples in the same order.
        task: what the model does, by name; or a project, whose task and options hold (docs/tasks.md).

    Raises:
        DataError: they are of other samples. UnknownName: no task has that name.

    >>> one = probe(device, samples=load_samples(project, "evaluation", 32), processes=1)
    >>> compare(one, one).agreement
    1.0
    """
    return compare_pairs(reference, candidate, task_of(task) if isinstance(task, Project) else task_named(task))


def load_report(path: Path | str) -> Report:
    """Read the report that a build or a run has left.

    Args:
        path: the folder, or its `report.json`.

    Raises:
        DataError: there is none, there are several in it, or it is damaged.

    >>> load_report(out).verdict in ("passed", "failed", "undecided")
    True
    """
    file = Path(path) / REPORT if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise _no_report(path)
    reports = load_reports(file)
    if len(reports) != 1:
        raise DataError(f"'{file}' holds {len(reports)} reports", hint="give the folder of one target")
    return reports[0]


def load_reports(path: Path | str) -> list[Report]:
    """Read every report of a `report.json`, or of a folder and the folders in it.

    Raises DataError if there is none, or one is damaged.
    """
    return [report for _, report in reports_by_file(path)]


def reports_by_file(path: Path | str) -> list[tuple[Path, Report]]:
    """Read the same reports, each with the file that holds it. Raises as `load_reports`."""
    folder = Path(path)
    files = [folder] if folder.is_file() else sorted({*folder.glob(REPORT), *folder.glob(f"*/{REPORT}")})
    if not files:
        raise _no_report(path)
    return [(file, report) for file in files for report in read_reports(file)]


def _no_report(path: Path | str) -> DataError:
    return DataError(f"there is no report in '{path}'", hint="edgekit build and edgekit run leave one in --out")

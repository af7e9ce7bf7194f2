"""Reports and failures below some folders, and what there could not be read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.atlas.reproduction import command_of, command_of_failure, profile_changes
from edgekit.errors import DataError, EdgekitError, UsageError
from edgekit.report.failure_record import FAILURE, FailureRecord, read_failure
from edgekit.report.report import MAX_VALUES, Report, read_reports
from edgekit.specs.catalog import Catalog
from edgekit.untrusted import json_text

REPORT, PROFILE = "report.json", "profile.json"
MAX_BYTES = 64 << 20
MAX_FOLDERS = 200_000
SCHEMA = 1
OTHER_SCHEMA = "it is of schema {schema}, and this edgekit reads {own}: use the edgekit that wrote it, or a newer one"


@dataclass(frozen=True)
class RunEntry:
    """A report that was found."""

    place: str
    """Folder, relative to the one that was named, with that one's name before it."""
    project: str
    report: Report
    command: str


@dataclass(frozen=True)
class FailureEntry:
    """A record of a build or run that ended in an error."""

    place: str
    failure: FailureRecord
    command: str


@dataclass(frozen=True)
class UnreadableFile:
    """A file that has the name of a report, and is none that can be shown."""

    place: str
    reason: str


@dataclass(frozen=True)
class RunCatalogue:
    """Everything that was found, sorted by project, target, backend, profile and place."""

    runs: tuple[RunEntry, ...] = ()
    failures: tuple[FailureEntry, ...] = ()
    unreadable: tuple[UnreadableFile, ...] = ()
    folders: int = 0
    """Folders that hold any of them."""

    @classmethod
    def of(cls, roots: Sequence[Path]) -> RunCatalogue:
        """Look for reports and failures in folders and all folders below. Links are not followed.

        What cannot be read is listed with the reason. Raises UsageError for a folder that is not there.
        """
        runs: list[RunEntry] = []
        failures: list[FailureEntry] = []
        unreadable: list[UnreadableFile] = []
        seen: set[Path] = set()
        for root in roots:
            for path, place in _files(root, unreadable):
                if path.resolve() in seen:
                    continue
                seen.add(path.resolve())
                try:
                    _check_size(path)
                    if path.name == FAILURE:
                        failure = read_failure(path)
                        failures.append(FailureEntry(place, failure, command_of_failure(failure)))
                    else:
                        runs += [_entry(report, path, place) for report in read_reports(path)]
                except DataError as error:
                    unreadable.append(UnreadableFile(f"{place}/{path.name}", _reason(path, error)))
        return cls(
            tuple(sorted(runs, key=_run_order)),
            tuple(sorted(failures, key=_failure_order)),
            tuple(sorted(unreadable, key=lambda each: each.place)),
            len({path.parent for path in seen}),
        )


def _files(root: Path, unreadable: list[UnreadableFile]) -> Iterator[tuple[Path, str]]:
    """Reports and failures, each with its place. A folder that cannot be looked into is unreadable."""
    if root.is_file():
        yield root, root.parent.name or "."
        return
    if not root.is_dir():
        raise UsageError(f"there is no folder '{root}'", hint="name folders that builds and runs have left")
    name = root.resolve().name or "/"

    def refuse(error: OSError) -> None:
        place = os.path.relpath(str(error.filename or root), root)
        unreadable.append(UnreadableFile(f"{name}/{place}", f"it cannot be looked into: {error.strerror}"))

    for count, (folder, inner, files) in enumerate(os.walk(root, onerror=refuse)):
        if count >= MAX_FOLDERS:
            raise UsageError(
                f"there are more than {MAX_FOLDERS:,} folders in '{root}'", hint="name one that holds runs"
            )
        inner.sort()
        below = Path(folder).relative_to(root).as_posix()
        for each in sorted({REPORT, FAILURE} & set(files)):
            path = Path(folder) / each
            if not path.is_symlink():
                yield path, name if below == "." else f"{name}/{below}"


def _check_size(path: Path) -> None:
    try:
        if not path.is_file():
            raise DataError("it is no file")
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"it has more than {MAX_BYTES >> 20} MiB")
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror}") from error


def _reason(path: Path, error: DataError) -> str:
    """Reason in words: another schema is told as that, and not as the first key that is unknown."""
    try:
        _check_size(path)
        values = json_text.loads(path.read_bytes(), MAX_VALUES)
    except (DataError, OSError, ValueError):
        return str(error)
    schema = values.get("schema") if isinstance(values, dict) else None
    if isinstance(schema, int) and schema != SCHEMA:
        return OTHER_SCHEMA.format(schema=schema, own=SCHEMA)
    return str(error)


def _entry(report: Report, path: Path, place: str) -> RunEntry:
    return RunEntry(place, project_of(report), report, command_of(report, _changes(report, path.with_name(PROFILE))))


def project_of(report: Report) -> str:
    """Name of the project, from the name of the bundle; `unknown` without one."""
    if report.bundle is None:
        return "unknown"
    name, mark, _ = (
        Path(report.bundle.path).name.removesuffix(".edgekit").partition(f"-{report.target}-{report.backend}")
    )
    return name if mark and name else "unknown"


def _changes(report: Report, path: Path) -> tuple[str, ...]:
    """Changes of the profile beside a report against the one of that name; none where one of the two is not known."""
    try:
        _check_size(path)
        made: Any = json_text.loads(path.read_text("utf-8"))
        stated = Catalog.default().profile(report.profile)
    except (EdgekitError, OSError, ValueError):
        return ()
    if not isinstance(made, dict) or made.get("id") != report.profile:
        return ()
    return profile_changes(made, stated.model_dump(mode="json", by_alias=True, exclude_unset=True))


def _run_order(entry: RunEntry) -> tuple[str, ...]:
    report = entry.report
    return entry.project, report.target, report.backend, report.profile, report.device or "", entry.place


def _failure_order(entry: FailureEntry) -> tuple[str, ...]:
    failure = entry.failure
    return failure.project, failure.target, failure.backend, failure.profile, failure.device or "", entry.place

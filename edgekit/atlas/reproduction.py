"""Command that does a build or run again, as words of a shell, from what its report and profile say."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.report.failure_record import FailureRecord
from edgekit.report.report import Report

ENOUGH = 2000
"""Samples that a build takes by itself, at most; a run takes all."""
MAX_SETS = 40


def command_of(report: Report, changes: tuple[str, ...] = ()) -> str:
    """Command of a report. changes: `--set` for what its profile has changed."""
    words = _start(report.device, report.target, report.backend, report.profile)
    sampling = report.sampling
    if sampling and sampling.taken != (sampling.total if report.device else min(sampling.total, ENOUGH)):
        words += ["--samples", str(sampling.taken)]
    if report.reference.kind == "serving":
        words += ["--reference", "URL"]
    if report.early_stop:
        words.append("--stop-early")
    return shlex.join([*words, *(word for change in changes for word in ("--set", change))])


def command_of_failure(failure: FailureRecord) -> str:
    """Command that failed."""
    return shlex.join(_start(failure.device, failure.target, failure.backend, failure.profile))


def profile_changes(made: Mapping[str, Any], stated: Mapping[str, Any]) -> tuple[str, ...]:
    """Values of `--set` that make the stated profile the one that was built with; what TOML cannot say is left out."""
    changes = []
    for path, value in _leaves(made):
        if _at(stated, path) != value and value is not None:
            changes.append(f"profile.{'.'.join(path)}={json.dumps(value, ensure_ascii=False)}")
    return tuple(changes[:MAX_SETS])


def _start(device: str | None, target: str, backend: str, profile: str) -> list[str]:
    verb = ["edgekit", "run", "--device", device] if device else ["edgekit", "build"]
    return [*verb, "--target", target, "--backend", backend, "--profile", profile]


def _leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, str(name)))
        elif not isinstance(value, Mapping) and "." not in str(name) and not _holds_tables(value):
            yield (*path, str(name)), value


def _holds_tables(value: Any) -> bool:
    """True for a list of tables, which JSON and TOML write differently."""
    return isinstance(value, list) and any(isinstance(each, list | dict) or each is None for each in value)


def _at(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return None
        values = values[name]
    return values

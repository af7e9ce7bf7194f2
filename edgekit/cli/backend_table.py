"""Table of a build for all backends: a row for each, those that cannot build it with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.api.build_session import BuildSession
from edgekit.cli.build_steps import compile_ahead, title_of
from edgekit.cli.output import print_error, print_table, progress, say
from edgekit.errors import CompileError, EdgekitError, Misfit
from edgekit.parity.gate_texts import percent
from edgekit.pipeline.request import BuildRequest, RefusedBackend
from edgekit.report.report import Report

HEADER = ("target", "backend", "verdict", "metric", "agreement", "size", "of float32", "delegated", "bundle")
NOTHING = "-"


@dataclass(frozen=True)
class BackendOutcome:
    """Outcome of one backend: its report, or the error that ended it."""

    target: str
    backend: str
    report: Report | None = None
    folder: Path | None = None
    error: EdgekitError | None = None


def build_each(session: BuildSession, refused: Sequence[RefusedBackend], jobs: int) -> list[BackendOutcome]:
    """Build every request; one that cannot be lowered is told, and does not end the others.

    Returns what came of each, the refused ones last. Raises what has nothing to do with the backend.
    """
    compile_ahead(session, jobs)
    outcomes = [_attempt(session, request) for request in session.requests]
    return [*outcomes, *(BackendOutcome(each.target, each.backend, error=each.error) for each in refused)]


def print_backends(outcomes: Sequence[BackendOutcome]) -> None:
    """Print the table, then why a backend has no figures, and what to type for more."""
    print_table(HEADER, [_row(outcome) for outcome in outcomes])
    for outcome in outcomes:
        if outcome.error:
            hint = f" ({outcome.error.hint})" if outcome.error.hint else ""
            say(f"{outcome.backend}: {outcome.error.code}: {outcome.error}{hint}")
    folders = [outcome.folder for outcome in outcomes if outcome.folder]
    if folders:
        say(f"the reports: edgekit report {folders[0].parent if len(folders) > 1 else folders[0]}")


def exit_code(outcomes: Sequence[BackendOutcome]) -> int:
    """Exit code: that of an error once a build began, 1 if a gate failed, else 0; a refusal alone changes nothing."""
    broken = [each.error.exit_code for each in outcomes if isinstance(each.error, CompileError)]
    if broken or not any(each.report for each in outcomes):
        return max(broken, default=EdgekitError.exit_code)
    return 1 if any(each.report and each.report.verdict == "failed" for each in outcomes) else 0


def _attempt(session: BuildSession, request: BuildRequest) -> BackendOutcome:
    target, backend = request.target.id, request.runtime.backend
    try:
        with progress(title_of(request)) as watch:
            report = session.build(request, watch)
    except (CompileError, Misfit) as error:
        print_error(error)
        return BackendOutcome(target, backend, error=error)
    return BackendOutcome(target, backend, report, session.folder(request))


def _row(outcome: BackendOutcome) -> tuple[str, ...]:
    report = outcome.report
    if report is None:
        word = "not built" if isinstance(outcome.error, CompileError) else "refused"
        return (outcome.target, outcome.backend, word, *[NOTHING] * (len(HEADER) - 3))
    score, artifact = report.candidate.score, report.artifact
    return (
        outcome.target,
        outcome.backend,
        report.verdict,
        f"{score.name} {score.value:.4g}" if score else NOTHING,
        percent(report.agreement),
        f"{artifact.size_bytes:,} bytes",
        f"{artifact.size_ratio:.2f}",
        percent(artifact.delegated_share),
        report.bundle.path if report.bundle else NOTHING,
    )

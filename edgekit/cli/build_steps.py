"""Steps that `build` and `run` share: open a session, take each request, print the reports."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.api.build_session import BuildSession, build_cache
from edgekit.api.bundles import signing_key
from edgekit.atomic import write
from edgekit.cli import options, passphrase
from edgekit.cli.continuous_integration import locate_in
from edgekit.cli.output import note, print_document, progress
from edgekit.cli.report_lines import columns, say_report
from edgekit.errors import OptionError
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.stage_runner import Watch
from edgekit.pipeline.verdict import FORMS
from edgekit.report.forms import html, sarif, text
from edgekit.report.report import Report, to_json
from edgekit.report.supplement import Supplement


@contextlib.contextmanager
def build_session(
    requests: tuple[BuildRequest, ...], key: str, out: Path | None, samples: int | None, *, reuse: bool
) -> Iterator[BuildSession]:
    """Yield a session that signs by the user's key `key`; a key that was made just now is reported in a note."""
    signer, new = signing_key(key, passphrase.ask)
    if new:
        note(f"made your signing key 'default' ({signer.id}): `edgekit keys list`")
    with build_cache(reuse) as cache:
        yield BuildSession(requests, cache, signer, out, samples)


def each_request(session: BuildSession, jobs: int, step: Callable[[BuildRequest, Watch], Report]) -> list[Report]:
    """Take every request through `step`, one after another; with more jobs, compile ahead, side by side."""
    compile_ahead(session, jobs)
    reports = []
    for request in session.requests:
        with progress(title_of(request)) as watch:
            reports.append(step(request, watch))
    return reports


def compile_ahead(session: BuildSession, jobs: int) -> None:
    """With several jobs and several requests: check the labels, then compile side by side."""
    if jobs > 1 and len(session.requests) > 1:
        with progress("labels") as watch:
            session.check_labels(watch)
        with progress(f"compile, {jobs} at once"):
            session.compile_ahead(jobs)


def title_of(request: BuildRequest) -> str:
    """Title of a request, as progress shows it."""
    return f"{request.target.id} · {request.runtime.backend} · {request.profile.id}"


def check_report_file(file: Path | None) -> None:
    """Raise OptionError if no report can be written to `file`, before hours of work are spent on it."""
    if file and file.suffix not in FORMS:
        raise OptionError(f"--report '{file}' has no known ending", hint=f"one of {', '.join(FORMS)}")
    if file and not file.resolve().parent.is_dir():
        raise OptionError(f"--report: there is no folder '{file.parent}'", hint=f"mkdir -p '{file.parent}'")


def supplements(session: BuildSession, project: Path | None, example: str | None) -> tuple[Supplement, ...]:
    """Name the folder of each report, and the project as its user does: for the commands to type next."""
    folders = map(session.folder, session.requests)
    return tuple(Supplement(str(folder), options.project_words(project, example)) for folder in folders)


def print_reports(
    reports: Sequence[Report],
    json: bool,
    file: Path | None = None,
    supplements: Sequence[Supplement] = (),
    full: bool = False,
    project: Path | None = None,
) -> None:
    """Print reports, for a person or as JSON; also write them to `file`, in the form of its ending.

    supplements: one a report. full: every section, not a screenful. project: its folder, if it was named.
    """
    if json:
        print_document(to_json(reports))
    else:
        say_report(text.lines(reports, supplements, full=full, width=columns()))
    if file:
        write(file, rendered(file.suffix, reports, supplements, project).encode())


def rendered(
    suffix: str, reports: Sequence[Report], supplements: Sequence[Supplement] = (), project: Path | None = None
) -> str:
    """Reports in the form of a file's ending; those for people say what to type, too, and SARIF names the project.

    A folder that is named from the root on is told by its last name: a page goes to others, whom the places of this
    machine tell nothing.
    """
    supplements = [
        replace(each, folder=Path(each.folder).name) if Path(each.folder).is_absolute() else each
        for each in supplements
    ]
    if suffix == ".sarif":
        return sarif.render(reports, locate_in(project))
    if suffix == ".html":
        return html.render(reports, supplements)
    return text.render(reports, supplements) if suffix == ".txt" else FORMS[suffix](reports)

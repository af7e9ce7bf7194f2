"""Steps that `build` and `run` share: open a session, take each request, print the reports."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edgekit.api.build_session import BuildSession, build_cache
from edgekit.api.bundles import signing_key
from edgekit.atomic import write
from edgekit.cli import passphrase
from edgekit.cli.output import note, print_document, progress, say_lines
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.stage_runner import Watch
from edgekit.pipeline.verdict import FORMS
from edgekit.report.forms import text
from edgekit.report.report import Report, to_json


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


def print_reports(reports: Sequence[Report], json: bool, file: Path | None = None) -> None:
    """Print reports, for a person or as JSON; also write them to `file`, in the form of its ending."""
    if json:
        print_document(to_json(reports))
    else:
        say_lines(text.render(reports))
    if file:
        write(file, FORMS[file.suffix](reports).encode())

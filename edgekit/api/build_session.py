"""Requests, and a session that builds them one after another: the steps behind `build`, `run`, `plan`, `diagnose`."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.atomic import write
from edgekit.bundle.keys import KeyStore
from edgekit.bundle.signing import SigningKey
from edgekit.cache import Cache
from edgekit.errors import EdgekitError, Interrupted, OptionError, OutputBusy, StorageError
from edgekit.pipeline import build as building
from edgekit.pipeline import run as running
from edgekit.pipeline.build_output import BuildOutput
from edgekit.pipeline.diagnose import Examination, Examined
from edgekit.pipeline.plan import Plan, plan_build
from edgekit.pipeline.request import ALL, BuildRequest, RefusedBackend, resolve_backends, resolve_requests
from edgekit.pipeline.stages.background_thread import threads
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.labels import check_labels
from edgekit.pipeline.stages.precompile_worker import compile_in_process
from edgekit.pipeline.stages.stage_runner import StageRunner, Watch, unwatched
from edgekit.report.failure_record import FAILURE, FailureRecord
from edgekit.report.report import Report
from edgekit.specs.project import Project

OUT = Path("edgekit-out")


@dataclass(frozen=True)
class BuildSession:
    """Requests that are built one after another with one cache, one signing key and one output folder."""

    requests: tuple[BuildRequest, ...]
    cache: Cache
    key: SigningKey
    out: Path | None = None
    """Output folder; None for `edgekit-out`."""
    samples: int | None = None
    """Number of evaluation samples; None for the default of `build` or `run`."""

    def folder(self, request: BuildRequest) -> Path:
        """Return the folder for bundle and report of one of the requests."""
        return output_folder(request, self.requests, self.out)

    def build(self, request: BuildRequest, watch: Watch = unwatched) -> Report:
        """Build one of the requests. Raises what its stages raise."""
        with self._recorded(request):
            return building.build(request, StageRunner(self.cache, watch), self.folder(request), self.key, self.samples)

    def run(self, request: BuildRequest, trial: running.Trial, watch: Watch = unwatched) -> Report:
        """Build one of the requests, flash it, probe and compare. Raises what its stages and the device raise."""
        line = StageRunner(self.cache, watch)
        with self._recorded(request, trial.device):
            return running.run(request, line, self.folder(request), self.key, trial, self.samples)

    @contextlib.contextmanager
    def _recorded(self, request: BuildRequest, device: str | None = None) -> Iterator[None]:
        """Leave `failure.json` of an error where the output folder is there already, and remove an older one else.

        An error makes no folder. What says nothing of the request, as a full disk or Ctrl-C, is not recorded.
        """
        path, is_there = self.folder(request) / FAILURE, (self.out or OUT).is_dir()
        try:
            yield
        except EdgekitError as error:
            if is_there and not isinstance(error, (Interrupted, OutputBusy, StorageError)):
                with contextlib.suppress(StorageError):
                    write(path, _failure(request, device, error).to_json().encode())
            raise
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)

    def check_labels(self, watch: Watch = unwatched) -> None:
        """Raise DataError if the labels of a request cannot be scored."""
        for request in self.requests:
            line = StageRunner(self.cache, watch)
            data = building.evaluation(request, line, self.samples or building.ENOUGH)
            check_labels(Compilation(request, line), data)

    def compile_ahead(self, jobs: int) -> None:
        """Fill the cache by `jobs` processes at once, for torch.export cannot trace two models in one.

        What fails in them fails again, and is reported, when its turn comes.
        """
        with threads(jobs) as pool:
            for request in self.requests:
                pool.submit(compile_in_process, request, self.cache)


def _failure(request: BuildRequest, device: str | None, error: EdgekitError) -> FailureRecord:
    return FailureRecord(
        schema_version=1,
        project=request.project.name,
        target=request.target.id,
        backend=request.runtime.backend,
        profile=request.profile.id,
        device=device,
        code=error.code,
        message=str(error),
        hint=error.hint,
    )


@dataclass(frozen=True)
class DiagnoseRequest:
    """A build to diagnose, and what it left behind, if anything."""

    request: BuildRequest
    output: BuildOutput | None = None

    def examine(self, search: bool, line: StageRunner) -> Examined:
        """Measure every layer; with `search`, find the fewest layers to leave in float. Raises as `diagnose`."""
        return Examination(self.request, line, self.output).examine(search=search)


def build_requests(
    project: Project,
    target: str,
    backend: str | None = None,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    *,
    device: str | None = None,
) -> tuple[BuildRequest, ...]:
    """Resolve names into one request, or one for each target that the profile fits where `target` is `all`.

    With the device `emulated`, `all` are the targets that can be emulated. The backend `all` makes a request for each
    backend that can build it, and needs no device. Raises UsageError.
    """
    if backend == ALL and device is not None:
        raise OptionError("one backend at a time runs on a device", hint="--backend NAME; edgekit build takes all")
    requests = resolve_requests(project, target, backend, profile, overrides)
    if target == ALL and device == running.EMULATED:
        return tuple(request for request in requests if request.target.emulation)
    return requests


def refused_backends(
    project: Project, target: str, profile: str | None = None, overrides: Sequence[str] = ()
) -> tuple[RefusedBackend, ...]:
    """List the backends of the targets that cannot build the request, each with its error. Raises UsageError."""
    resolved = resolve_backends(project, target, profile, overrides)
    return tuple(each for each in resolved if isinstance(each, RefusedBackend))


def one_request(
    project: Project,
    target: str,
    backend: str | None = None,
    profile: str | None = None,
    overrides: Sequence[str] = (),
) -> BuildRequest:
    """Resolve names into one request. Raises OptionError for the target or backend `all`, and as `build_requests`."""
    if backend == ALL:
        raise OptionError("one backend at a time", hint="call it for each: edgekit targets show ID lists them")
    if target == ALL:
        raise OptionError("one target at a time", hint="call it for each: edgekit targets lists them")
    return build_requests(project, target, backend, profile, overrides)[0]


def diagnose_request(
    project: Project,
    target: str | None,
    backend: str | None,
    profile: str | None,
    overrides: Sequence[str],
    output: BuildOutput | None,
) -> DiagnoseRequest:
    """Resolve what to diagnose: what a build left, or a target. Raises OptionError for no target, or for `all`."""
    if output:
        # The build's own answers and report are of the recipe that it was built with, not of a changed one.
        return DiagnoseRequest(output.request(project, overrides), None if overrides else output)
    if target is None or target == ALL:
        raise OptionError("one target is diagnosed at a time", hint="edgekit diagnose DIR, or --target ID")
    return DiagnoseRequest(resolve_requests(project, target, backend, profile, overrides)[0])


def open_build_output(
    built: Path | str | None, target: str | None, backend: str | None, profile: str | None
) -> BuildOutput | None:
    """Open what a build left in a folder, or a bundle; None where `built` is None.

    Raises OptionError if a target, backend or profile is named, too, DataError if there is no bundle, and what
    `open_bundle` does.
    """
    if built is None:
        return None
    if target or backend or profile:
        raise OptionError(
            "a bundle says its own target, backend and profile",
            hint="leave --target, --backend and --profile out, or the bundle",
        )
    return BuildOutput.open(Path(built), KeyStore.of_user().trusted())


def plan_request(request: BuildRequest, cache: Path | None = None) -> Plan:
    """Say what building the request would do, without importing torch."""
    return plan_build(Compilation(request, StageRunner(Cache(cache) if cache else Cache.default())))


def output_folder(request: BuildRequest, requests: Sequence[BuildRequest], out: Path | None) -> Path:
    """Return `out` itself for one request; for each of several, a folder of its own in it."""
    if out and len(requests) == 1:
        return out
    return (out or OUT) / request.name


def reference_override(url: str | None) -> tuple[str, ...]:
    """Return the override that names the server to compare with; nothing without a URL."""
    return (f'project.reference.url="{url}"',) if url else ()


def robustness_override(measure: str | None) -> tuple[str, ...]:
    """Return the override that has perturbed samples measured; nothing for None."""
    return (f'profile.robustness.measure="{measure}"',) if measure else ()


@contextlib.contextmanager
def build_cache(reuse: bool = True) -> Iterator[Cache]:
    """Yield the user's cache of finished stages; without `reuse`, an empty one that is removed afterwards."""
    if reuse:
        yield Cache.default().made()
        return
    with tempfile.TemporaryDirectory(prefix="edgekit-", ignore_cleanup_errors=True) as folder:
        yield Cache(Path(folder))

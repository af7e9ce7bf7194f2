"""Builds: a project to a signed bundle and a verdict; plan, build, run, diagnose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.api.accelerators import Accelerated, choice_of
from edgekit.api.build_session import (
    BuildSession,
    diagnose_request,
    one_request,
    open_build_output,
    plan_request,
    reference_override,
)
from edgekit.api.bundles import open_bundle, signing_key
from edgekit.api.progress import Progress, opened_cache, watched
from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.pipeline.diagnose import Examined
from edgekit.pipeline.plan import Plan
from edgekit.pipeline.request import find_project
from edgekit.pipeline.run import Trial
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.report.report import Report
from edgekit.specs.project import Project


@dataclass(frozen=True)
class BuildResult:
    """A bundle, and the verdict on it that this host can reach."""

    report: Report
    bundle: Bundle


def load_project(path: Path | str | None = None, *, example: str | None = None) -> Project:
    """Read the `edgekit.toml` of a project; none of the project's code runs.

    Args:
        path: the project's folder; by default the current one.
        example: name of an embedded example, such as `digits`, in place of `path`.

    Raises:
        UsageError, SpecError: there is no such project or example, its file is not what it must be, or both were given.

    >>> load_project(example="digits")
    <Project digits>
    """
    return find_project(None if path is None else Path(path), example)


def plan(
    project: Project,
    target: str,
    *,
    backend: str | None = None,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    cache: Path | None = None,
) -> Plan:
    """Say what a build would do, without doing it and without importing torch.

    Args:
        project: from `load_project`.
        target: id of a board, such as `raspberry-pi-5`, or a family for its default board.
        backend: `executorch`, `onnx` or `tflite`; by default the board's first.
        profile: id of a profile; by default that of the board's family.
        overrides: changes such as `profile.gates.size_ratio.max=0.4`, as `--set` takes them.
        cache: folder of finished stages; by default the user's.

    Raises:
        UsageError: an unknown name, or a profile that does not fit the board.

    >>> project = load_project(example="digits")
    >>> planned = plan(project, "raspberry-pi", backend="tflite")
    >>> planned.target, planned.precision
    ('raspberry-pi-5', 'static-int8')
    """
    return plan_request(one_request(project, target, backend, profile, overrides), cache)


def build(
    project: Project,
    target: str,
    *,
    backend: str | None = None,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    out: Path | str | None = None,
    samples: int | None = None,
    key: str | SigningKey = "default",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> BuildResult:
    """Build a signed bundle, run it on this host, and decide every gate that needs no device.

    Args:
        project, target, backend, profile, overrides, cache: as `plan` takes them.
        out: folder for bundle, report and measurements; by default `edgekit-out/NAME`.
        samples: number of evaluation samples that decide; by default 2,000, each class with its share.
        key: who signs: a key's name, or the key itself. Without any, one named `default` is made.
        progress: called as a stage begins and ends.

    Returns:
        BuildResult: the verdict, and the bundle, opened and verified.

    Raises:
        EdgekitError: of the stage that could not be done. A gate that failed is no error: `report.verdict` says it.

    >>> result = build(project, "host", backend="onnx", out=out)
    >>> result.report.verdict
    'passed'
    """
    request, signer = one_request(project, target, backend, profile, overrides), signing_key(key)[0]
    session = BuildSession((request,), opened_cache(cache), signer, Path(out) if out else None, samples)
    report = session.build(request, watched(progress))
    bundle = session.folder(request) / f"{request.name}.edgekit"
    return BuildResult(report, open_bundle(bundle, trusted=[signer.public]))


def run(
    project: Project,
    target: str,
    device: str = "local://",
    *,
    backend: str | None = None,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    out: Path | str | None = None,
    samples: int | None = None,
    key: str | SigningKey = "default",
    reference: str | None = None,
    baseline: Path | str | None = None,
    runtime: str | None = None,
    accelerator: Accelerated = "auto",
    commit: bool = True,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Build, flash, probe the device and the reference on the same samples, and compare; a pass commits.

    Any other verdict, and any error, takes back what was flashed: what was served before is served still.

    Args:
        project, target, backend, profile, overrides, out, key, cache, progress: as `build` takes them.
        device: a name, a URL (`ssh://pi@kitchen`, `adb://SERIAL`, `local://`), or `emulated`.
        samples: number of evaluation samples; by default all, and 500 on an emulated device.
        reference: URL of a server to compare with; by default what the project says.
        baseline: an earlier run's report or folder, for `instructions_ratio`.
        runtime: what runs the model there: `auto`, `system` or a distribution's name; by default what the target says.
        accelerator: `cpu`, `gpu` or `npu`, if it must run there; by default the quickest that passes the gates.
        commit: False leaves it on trial, whatever the verdict.

    Raises:
        EdgekitError: of what could not be done; a gate that failed is no error.

    >>> run(project, "host", backend="onnx", out=out, samples=64).verdict in ("passed", "failed", "undecided")
    True
    """
    request = one_request(project, target, backend, profile, [*overrides, *reference_override(reference)])
    trial = Trial(device, commit, runtime, Path(baseline) if baseline else None, accelerator=choice_of(accelerator))
    session = BuildSession((request,), opened_cache(cache), signing_key(key)[0], Path(out) if out else None, samples)
    return session.run(request, trial, watched(progress))


def diagnose(
    project: Project,
    target: str | None = None,
    *,
    backend: str | None = None,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    search: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
    built: Path | str | None = None,
) -> Examined:
    """Say where int8 loses, layer by layer, why, and the one thing to try next.

    Args:
        project, target, backend, profile, overrides, cache, progress: as `build` takes them.
        search: also find the fewest layers to leave in float (mixed precision).
        built: folder or bundle of an earlier build, in place of `target`, `backend` and `profile`.

    Returns:
        `diagnosis` with a sentence, a cause and a next step; `layers` with their losses in dB.

    Raises:
        EdgekitError: of a stage, or that nothing is quantized.

    >>> diagnose(project, "host", backend="onnx").diagnosis.sentence[-1]
    '.'
    """
    output = open_build_output(built, target, backend, profile)
    request = diagnose_request(project, target, backend, profile, overrides, output)
    return request.examine(search, StageRunner(opened_cache(cache), watched(progress)))

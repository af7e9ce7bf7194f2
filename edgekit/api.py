"""The functions behind the command line, for programs and notebooks; `edgekit` hands them on.

All of them raise `EdgekitError`, which has a stable `code`, a sentence, and a `hint` that can be typed. Nothing is
printed, and no signal is taken. A project's own code runs in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import plugins
from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import DEFAULT, KeyStore
from edgekit.bundle.signing import PublicKey, SigningKey
from edgekit.cache import Cache
from edgekit.devices.device import connect, destinations
from edgekit.devices.flash import Installation
from edgekit.devices.flash import status as device_status
from edgekit.devices.protocol import Status
from edgekit.errors import DataError, EdgekitError, OptionError
from edgekit.ir.measurement import Measurement
from edgekit.ir.stage_record import StageRecord
from edgekit.measure.user_inputs import samples_for
from edgekit.parity.compare import Comparison
from edgekit.parity.compare import compare as compare_pairs
from edgekit.pipeline import build as building
from edgekit.pipeline import probe as probing
from edgekit.pipeline import run as running
from edgekit.pipeline.diagnose import Examination, Examined
from edgekit.pipeline.flash import deploy
from edgekit.pipeline.fleet import check_target
from edgekit.pipeline.plan import Plan, plan_build
from edgekit.pipeline.request import ALL, BuildRequest, find_project, orders
from edgekit.pipeline.rollback import RollbackResult, roll_back
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.stage_runner import StageRunner, Watch, unwatched
from edgekit.report.report import Report, read_reports
from edgekit.samples import Samples, load_samples
from edgekit.specs.profile import PlanName, Probe, Profile
from edgekit.specs.project import Project
from edgekit.specs.spec import parse
from edgekit.specs.target import Target

__all__ = [
    "BuildResult",
    "Bundle",
    "Comparison",
    "EdgekitError",
    "Measurement",
    "Plan",
    "Profile",
    "Project",
    "Report",
    "Samples",
    "Target",
    "build",
    "compare",
    "diagnose",
    "flash",
    "load_project",
    "load_report",
    "load_samples",
    "open_bundle",
    "plan",
    "probe",
    "rollback",
    "run",
    "status",
]

OUT = Path("edgekit-out")
Progress = Callable[[str], None]
"""Called with a few words, from any thread: `quantize` as a stage begins, `quantize: 14.1 s` as it ends."""


@dataclass(frozen=True)
class BuildResult:
    """A bundle, and what was found out about it on this host."""

    report: Report
    bundle: Bundle


def load_project(path: Path | str = ".", *, example: str | None = None) -> Project:
    """Read the `edgekit.toml` of a project; none of the project's code runs.

    Args:
        path: the project's folder.
        example: name of an embedded example, such as `digits`, in place of `path`.

    Raises:
        UsageError, SpecError: there is no such project or example, or its file is not what it must be.

    >>> load_project(example="digits")
    <Project digits>
    """
    return find_project(None if example else Path(path), example)


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
    >>> found = plan(project, "raspberry-pi", backend="tflite")
    >>> found.target, found.precision
    ('raspberry-pi-5', 'static-int8')
    """
    order = _order(project, target, backend, profile, overrides)
    return plan_build(Compilation(order, StageRunner(Cache(cache) if cache else Cache.default())))


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
        samples: so many evaluation samples decide; by default 2,000, each class with its share.
        key: who signs: a key's name, or the key itself. Without any, one named `default` is made.
        progress: told how far it is.

    Returns:
        BuildResult: the verdict, and the bundle, opened and verified.

    Raises:
        EdgekitError: of the stage that could not be done. A gate that failed is no error: `report.verdict` says it.

    >>> result = build(project, "host", backend="onnx", out=out)
    >>> result.report.verdict
    'passed'
    """
    order = _order(project, target, backend, profile, overrides)
    folder, signer = _folder(order, out), _signer(key)
    report = building.build(order, StageRunner(_cache(cache), _watch(progress)), folder, signer, samples)
    return BuildResult(report, open_bundle(folder / f"{order.name}.edgekit", trusted=[signer.public]))


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
    commit: bool = True,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Build, flash, probe the device and the reference on the same samples, and compare; a pass commits.

    Any other verdict, and any error, takes back what was flashed: what was served before is served still.

    Args:
        project, target, backend, profile, overrides, out, key, cache, progress: as `build` takes them.
        device: a name, a URL (`ssh://pi@kitchen`, `adb://SERIAL`, `local://`), or `emulated`.
        samples: so many evaluation samples; by default all, and 500 on an emulated device.
        reference: URL of a server to compare with; by default what the project says.
        baseline: an earlier run's report or folder, for `instructions_ratio`.
        runtime: what runs the model there: `auto`, `system` or a distribution's name; by default what the target says.
        commit: False leaves it on trial, whatever the verdict.

    Raises:
        EdgekitError: of what could not be done; a gate that failed is no error.

    >>> run(project, "host", backend="onnx", out=out, samples=64).verdict in ("passed", "failed", "undecided")
    True
    """
    changes = [*overrides, *([f'project.reference.url="{reference}"'] if reference else ())]
    order = _order(project, target, backend, profile, changes)
    trial = running.Trial(device, commit, runtime, Path(baseline) if baseline else None)
    line = StageRunner(_cache(cache), _watch(progress))
    return running.run(order, line, _folder(order, out), _signer(key), trial, samples)


def open_bundle(path: Path | str, *, trusted: Sequence[PublicKey] | None = None) -> Bundle:
    """Verify a bundle, byte for byte, and read its manifest.

    Args:
        path: a `.edgekit` file.
        trusted: keys whose signature counts; by default the user's own and those of `edgekit keys trust`.

    Raises:
        BundleError, SignatureError, UntrustedKey: it is not what was signed, or not by whom it must be.
        StorageError: it cannot be read.

    >>> open_bundle(bundle.path).manifest.format
    'onnx'
    """
    keys = KeyStore.of_user().trusted() if trusted is None else trusted
    return Bundle.open(Path(path), keys)


def flash(bundle: Bundle, device: str, *, runtime: str | None = None, commit: bool = True) -> Installation:
    """Put a bundle on a device, which serves it once its self-test there has passed.

    Args:
        bundle: from `open_bundle` or `build`.
        device: a name or URL, as `run` takes it.
        runtime: as `run` takes it.
        commit: False leaves it on trial; the device drops it by itself after two hours.

    Raises:
        Incompatible, TooSmall: it is for another board, or does not fit; nothing was sent.
        SelfTestFailed: it computes something else there than where it was built; it was dropped.
        DeviceBusy, Unreachable, UntrustedKey, VersionTooOld, ...: what was served is served still.

    >>> flash(bundle, device).committed
    True
    """
    [destination] = destinations([device])
    check_target(bundle.manifest, destination)
    return deploy(bundle, destination.url, runtime, keep_trial=not commit)


def rollback(device: str, *, runtime: str | None = None, untested: bool = False) -> RollbackResult:
    """Drop what is on trial; without a trial, serve what was committed before, once it has tested itself.

    Args:
        device: a name or URL, as `run` takes it.
        runtime: what runs the self-test; by default one that is there.
        untested: go back without it.

    Returns:
        The slot that was left, and the one that is served now, if any.

    Raises:
        CommandFailed: there is nothing to go back to.
        SlotDamaged, UntrustedKey, VersionTooOld, SelfTestFailed: that may not be served; what is served stays.

    >>> rollback(device).served is None  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    CommandFailed: there is nothing to go back to
    """
    with connect(device) as way:
        return roll_back(way, runtime, untested)


def status(device: str) -> Status:
    """Say what a device serves, what is in both slots and whether it is whole, and whom it trusts.

    Raises:
        DeviceError: edgekit was never there. Unreachable: it does not answer.

    >>> status(device).slots["a"].whole
    True
    """
    with connect(device) as way:
        return device_status(way)


def probe(
    device: str,
    model: Path | str | None = None,
    *,
    samples: Samples | Project,
    plan: PlanName = "quick",
    processes: int = 3,
    threads: int = 1,
    runtime: str | None = None,
) -> Measurement:
    """Measure what a device serves, a bundle, or a bare model file on it. Nothing is installed by it.

    Args:
        device: a name or URL, as `run` takes it.
        model: a `.edgekit`, `.onnx`, `.tflite` or `.pte` file; by default what is served.
        samples: what it is asked, or a project whose evaluation set that is.
        plan: how much is timed: `quick` 128 inferences and 10 s, up to `full`, 10 min.
        processes: so many load the model anew, one after another.
        threads: of the runtime.
        runtime: as `run` takes it.

    Returns:
        Measurement: outputs by name, float32 or as the model gives them, shape [N, ...]; `latency_ns` int64 [M];
        whether the latency is VALID, and why not.

    Raises:
        EdgekitError: of the device, the file or the samples.

    >>> found = probe(device, samples=load_samples(project, "evaluation", 32), processes=1)
    >>> len(found)
    32
    """
    stated = {"plan": plan, "processes": processes, "threads": threads}
    probed = probing.probe(
        device,
        lambda found, limit: samples_for(found.signature, _samples(samples, limit or running.enough(found.kind))),
        parse(Probe, stated, "the arguments"),
        Path(model) if model else None,
        runtime,
    )
    return probed.measurement


def compare(reference: Measurement, candidate: Measurement, *, task: str = "classification") -> Comparison:
    """Compare two measurements of the same samples, pair by pair.

    Args:
        reference, candidate: from `probe`, with the same samples in the same order.
        task: what the model does; decides the metric.

    Raises:
        DataError: they are of other samples. UnknownName: no metric has that name.

    >>> one = probe(device, samples=load_samples(project, "evaluation", 32), processes=1)
    >>> compare(one, one).agreement
    1.0
    """
    return compare_pairs(reference, candidate, plugins.load("metrics", task)())


def diagnose(
    project: Project,
    target: str,
    *,
    backend: str | None = None,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    search: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Examined:
    """Say where int8 loses, layer by layer, why, and the one thing to try next.

    Args:
        project, target, backend, profile, overrides, cache, progress: as `build` takes them.
        search: also find the fewest layers to leave in float.

    Returns:
        `diagnosis` with a sentence, a cause and a next step; `layers` with their losses in dB.

    Raises:
        EdgekitError: of a stage, or that nothing is quantized.

    >>> diagnose(project, "host", backend="onnx").diagnosis.sentence[-1]
    '.'
    """
    order = _order(project, target, backend, profile, overrides)
    return Examination(order, StageRunner(_cache(cache), _watch(progress)), None).examine(search=search)


def load_report(path: Path | str) -> Report:
    """Read the report that a build or a run has left.

    Args:
        path: the folder, or its `report.json`.

    Raises:
        DataError: there is none, there are several in it, or it is damaged.

    >>> load_report(out).verdict in ("passed", "failed", "undecided")
    True
    """
    file = Path(path) / "report.json" if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise DataError(f"there is no report in '{path}'", hint="edgekit build and edgekit run leave one in --out")
    reports = read_reports(file)
    if len(reports) != 1:
        raise DataError(f"'{file}' holds {len(reports)} reports", hint="give the folder of one target")
    return reports[0]


def _order(
    project: Project, target: str, backend: str | None, profile: str | None, overrides: Sequence[str]
) -> BuildRequest:
    if target == ALL:
        raise OptionError("one target at a time", hint="call it for each: edgekit targets lists them")
    return orders(project, target, backend, profile, overrides)[0]


def _folder(order: BuildRequest, out: Path | str | None) -> Path:
    return Path(out) if out else OUT / order.name


def _signer(key: str | SigningKey) -> SigningKey:
    """The key that signs, tried before anything is built."""
    if isinstance(key, str):
        store = KeyStore.of_user()
        key = store.default()[0] if key == DEFAULT else store.get(key)
    key.check()
    return key


def _cache(folder: Path | None) -> Cache:
    return Cache(folder) if folder else Cache.default().made()


def _samples(samples: Samples | Project, limit: int | None) -> Samples:
    return load_samples(samples, "evaluation", limit) if isinstance(samples, Project) else samples


def _watch(progress: Progress | None) -> Watch:
    if progress is None:
        return unwatched

    def watch(name: str, stage: StageRecord | str | None) -> None:
        if isinstance(stage, StageRecord):
            progress(f"{name}: {'from the cache' if stage.cached else f'{stage.seconds:.1f} s'}")
        else:
            progress(f"{name}: {stage}" if stage else name)

    return watch

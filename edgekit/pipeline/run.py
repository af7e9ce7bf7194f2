"""run(): build, flash, probe, compare; the verdict commits what was flashed, or rolls it back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.devices.accelerator_choice import choose_accelerator, on_choice
from edgekit.devices.device import connect
from edgekit.devices.emulation.transport import Emulated
from edgekit.devices.flash import Installation, flash
from edgekit.devices.protocol import AcceleratorChosen
from edgekit.devices.transport import DeviceKind, Transport
from edgekit.ir.measurement import Measurement
from edgekit.measure.device.generation import Prompt, generate
from edgekit.measure.device.installed_bundle import Installed
from edgekit.measure.device.processes import timed_lengths
from edgekit.measure.serving.reference import open_reference
from edgekit.measure.shards import shards_in
from edgekit.parity.gate_inputs import FloatRecord
from edgekit.parity.generation_record import GenerationRecord, generation_record
from edgekit.pipeline.accelerator_trial import accelerator_remark, report_of_choice
from edgekit.pipeline.accuracy_budget import affordable, is_large
from edgekit.pipeline.both_endpoints import BothEndpoints, Respondent
from edgekit.pipeline.build import compilation_of, eager_answers, eager_respondent, evaluation
from edgekit.pipeline.bundle_with_bins import bundle_with_bins
from edgekit.pipeline.commit_or_rollback import commit_or_roll_back, take_back
from edgekit.pipeline.early_stopping import EarlyStopping
from edgekit.pipeline.evidence import Evidence
from edgekit.pipeline.exclusive_folder import exclusive
from edgekit.pipeline.flash import check_runtime, choose_runtime
from edgekit.pipeline.generation import check_project, check_prompt
from edgekit.pipeline.host_answers import on_host
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.robustness import plan_of
from edgekit.pipeline.sample_order import SampleOrder
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.float_baseline import is_required, measure_float
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.pipeline.stages.vendor_comparison import blamed
from edgekit.pipeline.verdict import decide
from edgekit.report.earlier_run import Earlier
from edgekit.report.report import Report
from edgekit.runner.model.accelerator import CPU
from edgekit.specs.accelerator import AUTO, AcceleratorChoice
from edgekit.specs.release import check_expiry

EMULATED = "emulated"
"""Name of the target's own emulated device, started fresh for the run."""
EMULATED_ENOUGH = 500
"""Default number of evaluation samples for an emulated device.

A float inference of MobileNetV2 takes six seconds there; 500 samples tell an accuracy of 90 % to within 2.7 points.
"""


def tell_nobody(text: str) -> None:
    """Tell nobody: the default of a trial."""


@dataclass(frozen=True)
class Trial:
    """Device that a run flashes, and the options of the trial there."""

    device: str
    """A URL, or `emulated`."""
    commit: bool = True
    """False leaves the bundle on trial, whatever the verdict."""
    runtime: str | None = None
    """Runtime that runs the model there; by default the one that the target names."""
    baseline: Path | None = None
    """Report to compare instructions with; by default the one that the project names, if it does."""
    prompt: Prompt | None = None
    """Beginning of a text that the model is to continue there; None for no text."""
    accelerator: AcceleratorChoice = AUTO
    """Accelerator of the model there; by default the quickest of CPU, GPU and NPU that passes the gates."""
    stop_early: bool = False
    """True asks the device no more samples than decide the gates on its answers."""
    tell: Callable[[str], None] = tell_nobody
    """Called with a sentence on what became of the bundle there, unless it was committed."""

    def reached(self, request: BuildRequest) -> AbstractContextManager[Transport]:
        """Transport to the device, not opened yet."""
        if self.device == EMULATED:
            return Emulated(f"emulated://{request.target.id}", request.target)
        return connect(self.device)


def run(
    request: BuildRequest, line: StageRunner, out: Path, key: SigningKey, trial: Trial, samples: int | None = None
) -> Report:
    """Build, flash to the device, probe device and reference on the same evaluation samples, and compare.

    samples: so many of them; by default all, and EMULATED_ENOUGH on an emulated device. A passed verdict commits the
    bundle; any other verdict, and any error, rolls it back: the device serves what it served before. Raises what its
    stages, `connect` and `devices.flash.flash` raise.
    """
    check_expiry(request.project.expires)
    if trial.prompt:
        check_project(request.project, trial.prompt)
    earlier = _earlier(request, trial)
    check_runtime(trial.runtime, request.backend.format)
    _check_accelerator(trial.accelerator, request)
    # Connected from the start: no device, or none there, is told before minutes of compiling.
    with exclusive(out) as staging, _connected(trial.reached(request), line) as device:
        runtime = choose_runtime(device, request.target.deploy.runtime, trial.runtime)
        data = evaluation(request, line, samples or enough(device.kind))
        plan_of(request, data.samples)  # perturbations that do not fit are told before minutes of compiling
        compilation = compilation_of(request, line, data)
        request = compilation.request
        with compilation.lowered() as finished, blamed(compilation):
            compiled = finished()
        bundle = bundle_with_bins(compilation, compiled, key, staging)
        if trial.prompt:
            check_prompt(bundle.manifest, trial.prompt)
        float_file = _float_file(compilation, device, runtime, key, data)
        with line.stage("flash"):
            installation = flash(bundle, device, runtime)
        try:
            chosen = _choose(installation, bundle, request, line, trial.accelerator)
            data = _affordable(on_choice(installation, chosen), request, line, data, samples)
            # The host's outputs first: they tell nothing of a device, and cost no time on one.
            compared = device.kind != "local" or (chosen is not None and chosen.kind != CPU)
            host = on_host(compilation, data, lambda: bundle) if compared else None
            reference, measured = _reference(compilation, data, device.kind), data.samples

            def judged(chosen: AcceleratorChosen | None) -> Report:
                there = on_choice(installation, chosen)
                stopping = EarlyStopping(SampleOrder(measured), reference, request) if trial.stop_early else None
                probed = _probe(there, request, line, data, stopping)
                text = _text(there, request, line, trial.prompt)
                remarks = tuple(filter(None, (*_remarks(there), timed_lengths(measured), accelerator_remark(chosen))))
                evidence = Evidence(
                    reference, probed, measured.sampling, host, earlier, float_file, remarks, text, measured, chosen
                )
                evidence = replace(evidence, both=_both(compilation, there))
                evidence = stopping.of_answered(evidence) if stopping else evidence
                return decide(compilation, compiled, bundle, evidence, _shown(device.url), staging)

            report = report_of_choice(judged, chosen, installation)
            outcome = commit_or_roll_back(installation, report, trial.commit)
            if outcome:
                trial.tell(outcome)
        except BaseException as error:
            take_back(installation, error)
            raise
    return report


@contextlib.contextmanager
def _connected(transport: AbstractContextManager[Transport], line: StageRunner) -> Iterator[Transport]:
    with contextlib.ExitStack() as stack:
        with line.stage("device"):
            device = stack.enter_context(transport)
        yield device


def enough(kind: DeviceKind) -> int | None:
    """Default number of samples for a device of this kind; None for all."""
    return EMULATED_ENOUGH if kind == "emulated" else None


def _earlier(request: BuildRequest, trial: Trial) -> Earlier | None:
    path = trial.baseline or request.project.baseline
    return Earlier.read(path, request.target.id, request.runtime.backend, request.profile.id) if path else None


def _affordable(
    installation: Installation, request: BuildRequest, line: StageRunner, data: CachedData, requested: int | None
) -> CachedData:
    """The evaluation set, or as many of its samples as the device answers within the profile's limit.

    A number that the user requested is kept, however long it takes.
    """
    if requested or not is_large(installation, data.samples):
        return data
    with line.stage("pace"):
        count = affordable(installation, data.samples, request.profile.probe.accuracy_limit_s)
    return data if count == len(data.samples) else evaluation(request, line, count)


def _reference(compilation: Compilation, data: CachedData, kind: DeviceKind) -> Measurement:
    line, project = compilation.line, compilation.request.project
    if project.reference.address:
        served = open_reference(project, shards_in(line.cache, line.teller("reference")))
        with line.stage("reference"):
            return served.measure(data.samples, compilation.request.profile.probe)
    if kind == "emulated":
        return eager_answers(compilation, data)  # there is no time to compare with its own
    from edgekit.frontend.eager import Eager

    with line.stage("reference"):
        return Eager(lambda: compilation.network.twin).measure(data.samples, compilation.request.profile.probe)


def _both(compilation: Compilation, installation: Installation) -> BothEndpoints:
    """The reference and the model on the device, for other samples than the evaluation set."""
    project, device = compilation.request.project, installation.transport
    served = Respondent(lambda samples, shards: open_reference(project, shards).measure(samples, None))
    return BothEndpoints(
        served if project.reference.address else eager_respondent(compilation),
        Respondent(lambda samples, shards: Installed(installation, shards).measure(samples, None)),
        compilation.line,
        # A scratch folder of this machine has another name each time.
        str([device.kind if device.kind == "local" else device.url, installation.digest, installation.accelerator]),
    )


def _float_file(
    compilation: Compilation, device: Transport, runtime: str, key: SigningKey, data: CachedData
) -> FloatRecord | None:
    """Measure the float file there; before the trial, so that only one of the two is on the device at a time."""
    if not is_required(compilation.request, device):
        return None
    with compilation.line.stage("float32 on the device"):
        # The same samples as the trial's, so that the caches are as warm; a count is the same on any of them.
        samples = compilation.golden.samples if device.kind == "emulated" else data.samples
        return measure_float(compilation, device, runtime, key, samples)


def _check_accelerator(choice: AcceleratorChoice, request: BuildRequest) -> None:
    """Raise AcceleratorMissing if nothing runs the format there, UnknownName if the target has no such unit."""
    choice.request(request.backend.format)
    if choice.name in ("gpu", "npu"):
        request.target.accelerators(request.runtime.backend, choice.name)


def _choose(
    installation: Installation, bundle: Bundle, request: BuildRequest, line: StageRunner, choice: AcceleratorChoice
) -> AcceleratorChosen | None:
    """Accelerator that the device chooses, or that a person named; None where there is nothing to choose from."""
    if choice.name == "auto" and bundle.manifest.acceleration is None:
        return None
    with line.stage("accelerator"):
        return choose_accelerator(installation, bundle.manifest, choice, request.profile.probe.threads)


def _probe(
    installation: Installation,
    request: BuildRequest,
    line: StageRunner,
    data: CachedData,
    stopping: EarlyStopping | None,
) -> Measurement:
    with line.stage("probe"):
        shards = shards_in(line.cache, line.teller("probe"))
        if stopping:
            shards = replace(shards, looks=stopping.looks)
        samples = stopping.order.samples if stopping else data.samples
        return Installed(installation, shards).measure(samples, request.profile.probe)


def _text(
    installation: Installation, request: BuildRequest, line: StageRunner, prompt: Prompt | None
) -> GenerationRecord | None:
    """Text that the model writes there, with its times; None without a prompt."""
    if prompt is None:
        return None
    with line.stage("generate"):
        return generation_record(generate(installation, prompt, request.profile.probe, tell=line.teller("generate")))


def _remarks(installation: Installation) -> tuple[str, ...]:
    """Remarks of the flash for the report; none for a stand-in, whose trust on first use tells nothing."""
    transport = installation.transport
    real = transport.kind == "device"
    return tuple(f"{_shown(transport.url)}: {remark}" for remark in installation.remarks if real)


def _shown(device: str) -> str:
    """URL of the device as reports name it: without users, ports and folders, which are private."""
    parts = urlsplit(device)
    return f"{parts.scheme}://" + ("" if parts.scheme == "local" else parts.netloc.rpartition("@")[2].partition(":")[0])

"""probe(): measure a model on a device: the one served there, a bundle, or a bare model file. It flashes nothing."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.bundle.manifest import Manifest
from edgekit.devices.accelerator_choice import equipped
from edgekit.devices.compatibility import check_fit
from edgekit.devices.device import connect
from edgekit.devices.flash import Installation, manifest_of
from edgekit.devices.survey import survey
from edgekit.devices.transport import DeviceKind
from edgekit.errors import ModelFileError
from edgekit.ir.measurement import Measurement
from edgekit.ir.signature import Signature
from edgekit.measure.device.accelerator_comparison import AgainstCpu, against_cpu
from edgekit.measure.device.installed_bundle import AT_ONCE, Installed
from edgekit.measure.device.model_file import NO_SHAPES, Shapes, open_model_file
from edgekit.measure.device.scratch_install import scratch_install
from edgekit.measure.shards import Shards
from edgekit.measure.user_inputs import samples_for
from edgekit.parity.early_stop import EarlyStop
from edgekit.parity.robustness.own_losses import OwnLosses, own_losses
from edgekit.pipeline.accuracy_budget import affordable, is_large
from edgekit.pipeline.both_endpoints import one_for_both
from edgekit.pipeline.flash import check_runtime, runtime_for, served, served_on
from edgekit.pipeline.metric_precision import MetricEstimate, MetricPrecision
from edgekit.pipeline.robustness import robustness_alone
from edgekit.pipeline.sample_order import SampleOrder
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.runner.model.accelerator import Accelerator
from edgekit.samples import Samples, Sampling
from edgekit.specs.accelerator import AUTO, AcceleratorChoice
from edgekit.specs.profile import Probe
from edgekit.specs.project import Project
from edgekit.specs.robustness import RobustnessSpec
from edgekit.tasks.task import Task

BUNDLE = ".edgekit"


@dataclass(frozen=True)
class Subject:
    """A model on a device, ready to be measured."""

    installation: Installation
    signature: Signature

    @property
    def kind(self) -> DeviceKind:
        return self.installation.transport.kind


Choose = Callable[[Subject, int | None], Samples]
"""Function that gives the samples for a model: all there are for None, else as many as the number says."""


@dataclass(frozen=True)
class Probed:
    """A measurement, and the sampling of its samples."""

    measurement: Measurement
    sampling: Sampling | None
    """Sampling of the data set; None for arrays of no data set."""
    against_cpu: AgainstCpu | None = None
    """Difference from the CPU's answers of the same file; None where no accelerator was asked for."""
    robustness: OwnLosses | None = None
    """Losses on perturbed samples; None where none were asked for."""
    early_stop: EarlyStop | None = None
    """Looks at the answers that ended the measurement; None where all were asked for."""
    score: MetricEstimate | None = None
    """Metric on the answered samples; None where it was not asked for, or cannot be told."""


@dataclass(frozen=True)
class PerturbedSamples:
    """Perturbed samples of a project, which a probe measures after the clean ones."""

    project: Project
    spec: RobustnessSpec
    line: StageRunner

    def losses(self, installation: Installation, samples: Samples, measured: Measurement, plan: Probe) -> OwnLosses:
        """Measure them. Raises Misfit for inputs that nothing fits, and what `Installed.measure` does."""
        device = installation.transport
        place = str([device.kind if device.kind == "local" else device.url, installation.digest])
        measure = lambda part, shards: Installed(installation, shards).measure(part, None)  # noqa: E731
        both = one_for_both(measure, self.line, place)
        return own_losses(robustness_alone(self.project, self.spec, plan, samples, measured, both))


def any_manifest(manifest: Manifest) -> None:
    """Accept every manifest."""


@contextlib.contextmanager
def subject(
    device: str,
    model: Path | None = None,
    runtime: str | None = None,
    shapes: Shapes = NO_SHAPES,
    check: Callable[[Manifest], None] = any_manifest,
    accelerator: AcceleratorChoice = AUTO,
) -> Iterator[Subject]:
    """Install the model for a measurement beside the slots of `device`, or take the model that it serves.

    model: a `.edgekit`, `.onnx`, `.tflite` or `.pte` file; None for the served model. runtime: as `edgekit probe
    --runtime`. shapes: of the inputs of a model file that leaves axes free. check: called with the manifest of a
    bundle, or of the served model, before anything is sent; it raises for one that cannot be measured so. accelerator:
    what it is to run on. Raises AcceleratorMissing if no runtime runs its format there, and what opening the bundle,
    describing the file and reaching the device raise.
    """
    with contextlib.ExitStack() as stack:
        if model is None:
            transport = stack.enter_context(connect(device))
            installation = served(transport, runtime)
            manifest = manifest_of(installation)
            check(manifest)
            yield Subject(served_on(installation, manifest, accelerator), manifest.signature)
        elif model.suffix == BUNDLE:
            yield stack.enter_context(_bundle(device, model, runtime, check, accelerator))
        else:
            yield stack.enter_context(_bare(device, model, runtime, shapes, accelerator))


def probe(
    device: str,
    choose: Choose,
    plan: Probe | None,
    model: Path | None = None,
    runtime: str | None = None,
    shards: Shards = AT_ONCE,
    limit_s: float | None = None,
    shapes: Shapes = NO_SHAPES,
    accelerator: AcceleratorChoice = AUTO,
    perturbed: PerturbedSamples | None = None,
    task: Task | None = None,
) -> Probed:
    """Measure outputs for the samples that `choose` gives, and latency as `plan` says (None: no latency).

    Where all samples would take longer than `limit_s` seconds, `choose` is called again with the number that the device
    answers in that time. `perturbed` samples are measured last. task: with it the device is asked no more samples than
    tell its metric (`MetricPrecision`). Raises what `subject` and `Installed.measure` do.
    """
    with subject(device, model, runtime, shapes, accelerator=accelerator) as on_device:
        _check_batch(on_device.signature)
        samples = samples_for(on_device.signature, choose(on_device, None))
        if limit_s is not None and is_large(on_device.installation, samples):
            count = affordable(on_device.installation, samples, limit_s)
            samples = samples if count == len(samples) else samples_for(on_device.signature, choose(on_device, count))
        precision = MetricPrecision(SampleOrder(samples), task) if task else None
        looking = replace(shards, looks=precision.looks) if precision else shards
        questions = precision.order.samples if precision else samples
        measured = Installed(on_device.installation, looking).measure(questions, plan)
        stop, score = None, None
        if precision:
            measured, samples, stop, score = precision.of_answered(measured)
        beside = against_cpu(on_device.installation, shards, samples, measured) if measured.accelerator else None
        installation, limits = on_device.installation, plan or Probe()
        losses = perturbed.losses(installation, samples, measured, limits) if perturbed else None
        return Probed(measured, samples.sampling, beside, losses, stop, score)


@contextlib.contextmanager
def _bundle(
    device: str,
    path: Path,
    runtime: str | None,
    check: Callable[[Manifest], None],
    accelerator: AcceleratorChoice,
) -> Iterator[Subject]:
    bundle = Bundle.open(path, KeyStore.of_user().trusted())
    manifest = bundle.manifest
    check(manifest)
    check_runtime(runtime, manifest.format)
    accelerator.request(manifest.format)
    with tempfile.TemporaryDirectory() as scratch, connect(device) as transport:
        check_fit(manifest, transport, survey(transport))
        folder = Path(scratch) / "bundle"
        bundle.extract(folder)
        chosen = runtime_for(manifest, transport, runtime)
        with scratch_install(folder, manifest.format, transport, chosen, manifest.versions) as installation:
            yield Subject(_on(installation, accelerator.request(manifest.format)), manifest.signature)


@contextlib.contextmanager
def _bare(
    device: str, path: Path, runtime: str | None, shapes: Shapes, accelerator: AcceleratorChoice
) -> Iterator[Subject]:
    with open_model_file(path, shapes) as bare:
        check_runtime(runtime, bare.format)
        accelerator.request(bare.format)
        chosen = runtime or "auto"
        with connect(device) as transport, scratch_install(bare.folder, bare.format, transport, chosen) as installation:
            yield Subject(_on(installation, accelerator.request(bare.format)), bare.signature)


def _on(installation: Installation, accelerator: Accelerator | None) -> Installation:
    """Ask for the accelerator, with the library and the driver that it needs on the device."""
    return replace(installation, accelerator=equipped(accelerator, installation.runner))


def _check_batch(signature: Signature) -> None:
    """Raise ModelFileError for a model with a batch above 1: samples are sent one by one."""
    first = signature.sampled[0]
    if first.shape and first.shape[0] > 1:
        raise ModelFileError(
            f"the model takes {first.shape[0]} samples at once in '{first.name}', and is asked one at a time",
            hint="export it with a batch of 1; edgekit probe --throughput takes it as it is",
        )

"""probe(): measure a model on a device, be it served there, a bundle, or a bare file. Nothing is served by it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.devices.compatibility import check_fit
from edgekit.devices.device import connect
from edgekit.devices.flash import Installation, manifest_of
from edgekit.devices.survey import survey
from edgekit.devices.transport import DeviceKind
from edgekit.errors import ModelFileError
from edgekit.ir.measurement import Measurement
from edgekit.ir.signature import Signature
from edgekit.measure.device.installed import AT_ONCE, Installed
from edgekit.measure.device.model_file import described
from edgekit.measure.device.scratch_install import scratch_install
from edgekit.measure.shards import Shards
from edgekit.measure.user_inputs import samples_for
from edgekit.pipeline.accuracy_budget import affordable, is_large
from edgekit.pipeline.flash import check_runtime, runtime_for, served
from edgekit.samples import Samples, Sampling
from edgekit.specs.profile import Probe

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
"""What the model is asked, once it is known what it takes: all there is, or so many."""


@dataclass(frozen=True)
class Probed:
    """A measurement, and of which samples it is."""

    measurement: Measurement
    sampling: Sampling | None
    """None of arrays that no data set gave."""


@contextlib.contextmanager
def subject(device: str, model: Path | None = None, runtime: str | None = None) -> Iterator[Subject]:
    """The model on `device`: what it serves; or a bundle, or a bare `.onnx`, `.tflite` or `.pte`, beside it.

    `runtime` is as `edgekit probe --runtime`. Raises what opening the bundle, describing the file and reaching the
    device raise.
    """
    with contextlib.ExitStack() as held:
        if model is None:
            transport = held.enter_context(connect(device))
            installation = served(transport, runtime)
            yield Subject(installation, manifest_of(installation).signature)
        elif model.suffix == BUNDLE:
            yield held.enter_context(_bundle(device, model, runtime))
        else:
            yield held.enter_context(_bare(device, model, runtime))


def probe(
    device: str,
    choose: Choose,
    plan: Probe | None,
    model: Path | None = None,
    runtime: str | None = None,
    shards: Shards = AT_ONCE,
    limit_s: float | None = None,
) -> Probed:
    """Outputs for the samples that `choose` gives, and latency as `plan` says. Raises what `subject` and a probe do.

    Where all of them would take longer than `limit_s`, `choose` is asked for as many as the device answers by then.
    """
    with subject(device, model, runtime) as found:
        _check_batch(found.signature)
        samples = samples_for(found.signature, choose(found, None))
        if limit_s is not None and is_large(found.installation, samples):
            count = affordable(found.installation, samples, limit_s)
            samples = samples if count == len(samples) else samples_for(found.signature, choose(found, count))
        return Probed(Installed(found.installation, shards).measure(samples, plan), samples.sampling)


@contextlib.contextmanager
def _bundle(device: str, path: Path, runtime: str | None) -> Iterator[Subject]:
    bundle = Bundle.open(path, KeyStore.of_user().trusted())
    manifest = bundle.manifest
    check_runtime(runtime, manifest.format)
    with tempfile.TemporaryDirectory() as scratch, connect(device) as transport:
        check_fit(manifest, transport, survey(transport))
        folder = Path(scratch) / "bundle"
        bundle.extract(folder)
        chosen = runtime_for(manifest, transport, runtime)
        with scratch_install(folder, manifest.format, transport, chosen, manifest.versions) as installation:
            yield Subject(installation, manifest.signature)


@contextlib.contextmanager
def _bare(device: str, path: Path, runtime: str | None) -> Iterator[Subject]:
    with described(path) as bare:
        check_runtime(runtime, bare.format)
        chosen = runtime or "auto"
        with connect(device) as transport, scratch_install(bare.folder, bare.format, transport, chosen) as installation:
            yield Subject(installation, bare.signature)


def _check_batch(signature: Signature) -> None:
    """Samples are asked one by one."""
    first = signature.inputs[0]
    if first.shape and first.shape[0] > 1:
        raise ModelFileError(
            f"the model takes {first.shape[0]} samples at once in '{first.name}', and is asked one at a time",
            hint="export it with a batch of 1; edgekit probe --throughput takes it as it is",
        )

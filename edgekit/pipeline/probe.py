"""probe(): measure a model on a device, be it served there, a bundle, or a bare file. Nothing is served by it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.devices.device import connect
from edgekit.devices.fit import check_fit
from edgekit.devices.flash import Installation, manifest_of
from edgekit.devices.survey import survey
from edgekit.devices.transport import DeviceKind
from edgekit.errors import ModelFileError
from edgekit.ir.measurement import Measurement
from edgekit.ir.signature import Signature
from edgekit.measure.bare import described
from edgekit.measure.given import samples_for
from edgekit.measure.installed import AT_ONCE, Installed
from edgekit.measure.placed import placed
from edgekit.measure.shards import Shards
from edgekit.pipeline.deploy import check_runtime, runtime_for, served
from edgekit.samples import Samples
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


Choose = Callable[[Subject], Samples]
"""What the model is asked, once it is known what it takes."""


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
) -> Measurement:
    """Outputs for the samples that `choose` gives, and latency as `plan` says. Raises what `subject` and a probe do."""
    with subject(device, model, runtime) as found:
        _check_batch(found.signature)
        return Installed(found.installation, shards).measure(samples_for(found.signature, choose(found)), plan)


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
        with placed(folder, manifest.format, transport, chosen, manifest.versions) as installation:
            yield Subject(installation, manifest.signature)


@contextlib.contextmanager
def _bare(device: str, path: Path, runtime: str | None) -> Iterator[Subject]:
    with described(path) as bare:
        check_runtime(runtime, bare.format)
        chosen = runtime or "auto"
        with connect(device) as transport, placed(bare.folder, bare.format, transport, chosen) as installation:
            yield Subject(installation, bare.signature)


def _check_batch(signature: Signature) -> None:
    """Samples are asked one by one."""
    first = signature.inputs[0]
    if first.shape and first.shape[0] > 1:
        raise ModelFileError(
            f"the model takes {first.shape[0]} samples at once in '{first.name}', and is asked one at a time",
            hint="export it with a batch of 1; edgekit probe --throughput takes it as it is",
        )

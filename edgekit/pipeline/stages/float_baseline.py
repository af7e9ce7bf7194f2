"""Measure the float file of a request on the same device: the baseline of the gate `not_slower`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from edgekit.bundle.signing import SigningKey
from edgekit.devices.flash import Installation, flash, rollback
from edgekit.devices.transport import Transport
from edgekit.errors import EdgekitError
from edgekit.measure.device.installed_bundle import Installed
from edgekit.parity.compare import summarize
from edgekit.parity.gate_inputs import FloatRecord
from edgekit.pipeline.commit_or_rollback import take_back
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.pack import pack_bundle
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.samples import Samples


def is_required(request: BuildRequest, device: Transport) -> bool:
    """True if the profile has the gate `not_slower`, and time or instructions of the device stand for the target's."""
    says = device.kind != "local" or request.target.family == "host"
    return request.profile.gates.not_slower is not None and request.profile.compresses and says


def measure_float(
    compilation: Compilation, device: Transport, runtime: str, key: SigningKey, samples: Samples
) -> FloatRecord:
    """Flash the float file on trial, measure it on `samples`, and roll it back. Raises what `flash` does."""
    request = compilation.request
    plain = request.profile.model_copy(update={"prune": None, "recover": None, "quantize": None})
    # A line of its own: these stages are in the cache, and none of this build's.
    floating = Compilation(replace(request, profile=plain), StageRunner(compilation.line.cache))
    with tempfile.TemporaryDirectory() as scratch, floating.lowered() as finished:
        bundle = pack_bundle(floating, finished(), key, Path(scratch))
        with on_trial(flash(bundle, device, runtime)) as installation:
            measured = Installed(installation).speed(samples, request.profile.probe)
    return FloatRecord(latency=summarize(measured), instructions=measured.instructions)


@contextmanager
def on_trial(installation: Installation) -> Iterator[Installation]:
    """Keep a trial for a measurement, then roll it back: the device serves what it served before.

    Raises DeviceBusy as `take_back` does.
    """
    try:
        yield installation
    except BaseException as error:
        take_back(installation, error)
        raise
    if not installation.committed:
        with suppress(EdgekitError):  # what was measured holds all the same
            rollback(installation)

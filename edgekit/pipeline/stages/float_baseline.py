"""The float file of an order on the device that the order's own file goes to: what `not_slower` compares with."""

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
from edgekit.measure.device.installed import Installed
from edgekit.parity.compare import summarize
from edgekit.parity.gates import FloatRecord
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.pack import pack_bundle
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.samples import Samples


def is_asked(order: BuildRequest, device: Transport) -> bool:
    """Whether the profile asks for it, and the device is one whose time or work says something of the target."""
    says = device.kind != "local" or order.target.family == "host"
    return order.profile.gates.not_slower is not None and order.profile.compresses and says


def measure_float(
    compilation: Compilation, device: Transport, runtime: str, key: SigningKey, samples: Samples
) -> FloatRecord:
    """What the float file takes there, on `samples`. It never stays. Raises what `flash` does."""
    order = compilation.order
    plain = order.profile.model_copy(update={"prune": None, "recover": None, "quantize": None})
    # A line of its own: these stages are in the cache, and none of this build's.
    floating = Compilation(replace(order, profile=plain), StageRunner(compilation.line.cache))
    with tempfile.TemporaryDirectory() as scratch, floating.lowered() as finished:
        bundle = pack_bundle(floating, finished(), key, Path(scratch))
        with on_trial(flash(bundle, device, runtime)) as installation:
            measured = Installed(installation).speed(samples, order.profile.probe)
    return FloatRecord(latency=summarize(measured), instructions=measured.instructions)


@contextmanager
def on_trial(installation: Installation) -> Iterator[Installation]:
    """What was flashed only to be measured; afterwards the device serves what it did."""
    try:
        yield installation
    finally:
        if not installation.committed:
            with suppress(EdgekitError):  # what went wrong before is what must be told
                rollback(installation)

"""Devices: flash a bundle into an A/B slot, go back, ask for the state, measure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.devices.device import connect, destinations
from edgekit.devices.flash import status as device_status
from edgekit.specs.profile import PlanName, Probe
from edgekit.specs.project import Project
from edgekit.specs.spec import parse

if TYPE_CHECKING:
    from edgekit.bundle.archive import Bundle
    from edgekit.devices.flash import Installation
    from edgekit.devices.protocol import Status
    from edgekit.ir.measurement import Measurement
    from edgekit.pipeline.probe import Subject
    from edgekit.pipeline.rollback import RollbackResult
    from edgekit.samples import Samples

# The pipeline is imported by the functions that need it: `edgekit status` starts in half the time.


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
    from edgekit.pipeline.flash import deploy
    from edgekit.pipeline.fleet import check_target

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
    from edgekit.pipeline.rollback import roll_back

    with connect(device) as transport:
        return roll_back(transport, runtime, untested)


def status(device: str) -> Status:
    """Say what a device serves, what is in both A/B slots and whether it is whole, its history, and whom it trusts.

    Args:
        device: a name or URL, as `run` takes it.

    Raises:
        DeviceError: edgekit was never there. Unreachable: it does not answer.

    >>> status(device).slots["a"].whole
    True
    """
    with connect(device) as transport:
        return device_status(transport)


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
        samples: inputs and labels, or a project whose evaluation set is used.
        plan: how much is timed: `quick` 128 inferences and 10 s, up to `full`, 10 min.
        processes: so many load the model anew, one after another.
        threads: of the runtime.
        runtime: as `run` takes it.

    Returns:
        Measurement: outputs by name, float32 or as the model gives them, shape [N, ...]; `latency_ns` int64 [M];
        whether the latency is VALID, and why not.

    Raises:
        EdgekitError: of the device, the file or the samples.

    >>> measured = probe(device, samples=load_samples(project, "evaluation", 32), processes=1)
    >>> len(measured)
    32
    """
    from edgekit.measure.user_inputs import samples_for
    from edgekit.pipeline import probe as probing
    from edgekit.pipeline.run import enough
    from edgekit.samples import load_samples

    def choose(subject: Subject, limit: int | None) -> Samples:
        if not isinstance(samples, Project):
            return samples_for(subject.signature, samples)
        return samples_for(subject.signature, load_samples(samples, "evaluation", limit or enough(subject.kind)))

    options = {"plan": plan, "processes": processes, "threads": threads}
    return probing.probe(
        device, choose, parse(Probe, options, "the arguments"), Path(model) if model else None, runtime
    ).measurement

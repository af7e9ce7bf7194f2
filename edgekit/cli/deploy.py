"""`flash` and `probe`: what is done to a device with a bundle that was built before."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.cli import options
from edgekit.cli.output import print_json, print_table, progress
from edgekit.devices.device import connect
from edgekit.devices.transport import DeviceKind
from edgekit.errors import OptionError
from edgekit.ir.measurement import Measurement
from edgekit.measure import store
from edgekit.measure.installed import Installed, unpacked
from edgekit.parity.compare import summarize
from edgekit.pipeline.deploy import deploy, enough, served
from edgekit.pipeline.order import find_project
from edgekit.samples import Samples, load_samples
from edgekit.specs.profile import Probe

BundleFile = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .edgekit file.")]
LOCAL = "local://"


def register(app: typer.Typer) -> None:
    app.command("flash")(flash_command)
    app.command("probe")(probe_command)


def flash_command(
    bundle: BundleFile,
    device: options.Device,
    runtime: options.Runtime = None,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Leave it on trial.")] = False,
    json: options.Json = False,
) -> None:
    """Put a bundle on a device; it is served once its self-test there has passed."""
    opened = Bundle.open(bundle, KeyStore.of_user().trusted())
    with progress(f"flash {device}"):
        installed = deploy(opened, device, runtime, keep_trial=no_commit)
    state = "committed before" if installed.committed else "on trial" if no_commit else "committed"
    if json:
        print_json(
            {"schema": 1, "device": device, "slot": str(installed.slot), "digest": opened.digest, "state": state}
        )
        return
    typer.echo(f"{opened.manifest.name} for {opened.manifest.target}: {state} on {device} ({installed.slot})")


def probe_command(
    device: options.Device,
    bundle: Annotated[Path | None, typer.Argument(metavar="[BUNDLE]", help="Default: what the device serves.")] = None,
    project: options.Project = None,
    example: options.Example = None,
    samples: options.Samples = None,
    runtime: options.Runtime = None,
    min_count: Annotated[int, typer.Option("--min-count", min=1, help="Inferences to time, at least.")] = 128,
    min_duration: Annotated[float, typer.Option("--min-duration", min=0.0, help="Seconds to time, at least.")] = 10.0,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads that the runtime may use.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.json", help="Keep the measurement here.")] = None,
    json: options.Json = False,
) -> None:
    """Measure what a device serves, or a bundle on this machine, on the project's evaluation set."""
    found = find_project(project, example)
    plan = Probe(min_count=min_count, min_duration_s=min_duration, threads=threads)
    with progress(f"probe {device}"):
        measured = _measure(
            device, bundle, runtime, lambda kind: load_samples(found, "evaluation", samples or enough(kind)), plan
        )
    if out:
        store.save(measured, out)
    _show(measured, json)


def _measure(
    device: str, bundle: Path | None, runtime: str | None, samples: Callable[[DeviceKind], Samples], probe: Probe
) -> Measurement:
    if bundle is None:
        with connect(device) as transport:
            return Installed(served(transport, runtime)).measure(samples(transport.kind), probe)
    if not device.startswith(LOCAL):
        raise OptionError(
            f"a bundle is probed on {device} once it is flashed", hint=f"edgekit flash {bundle} --device {device}"
        )
    if runtime:
        raise OptionError("a bundle is probed here by what is installed here", hint="leave out --runtime")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        Bundle.open(bundle, KeyStore.of_user().trusted()).extract(folder)
        with unpacked(folder) as endpoint:
            return endpoint.measure(samples("local"), probe)


def _show(measured: Measurement, json: bool) -> None:
    latency, where = summarize(measured), measured.environment
    summary = {
        "runtime": where.runtime,
        "machine": f"{where.machine or ''} {where.cpu or ''}".strip() or None,
        "samples": len(measured),
        "load_ns": measured.load_ns,
        "first_ns": measured.first_ns,
        "latency_count": latency.count,
        "latency_p50_ns": latency.p50_ns,
        "latency_p90_ns": latency.p90_ns,
        "valid": latency.valid,
        "reason": latency.reason,
        "peak_rss_bytes": measured.peak_rss_bytes,
        "instructions": measured.instructions,
        "host_stand_in": where.host_stand_in,
    }
    if json:
        print_json({"schema": 1, "measurement": summary})
        return
    print_table(("probe", ""), [(name, str(value)) for name, value in summary.items() if value is not None])

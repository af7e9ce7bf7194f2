"""`flash`: a bundle that was built before, onto a device, several, or a group of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.api import devices
from edgekit.api.bundles import open_bundle
from edgekit.bundle.archive import Bundle
from edgekit.cli import completion, options
from edgekit.cli.output import note, print_json, print_table, progress, say
from edgekit.devices.device import Destination, destinations
from edgekit.errors import OptionError
from edgekit.ir.plural import counted
from edgekit.pipeline.fleet import DeviceOutcome, Rolled, Rollout, state_of
from edgekit.specs.accelerator import AcceleratorChoice

BundleFile = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .edgekit file.")]
Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        metavar="NAME|URL",
        help="Where to, once for each device.",
        autocompletion=completion.devices,
    ),
]
DEFAULTS = Rollout()


def register(app: typer.Typer) -> None:
    app.command("flash")(flash_command)


def flash_command(
    bundle: BundleFile,
    device: Devices = None,
    group: options.Groups = None,
    canary: Annotated[int, typer.Option("--canary", min=0, help="So many devices go first.")] = DEFAULTS.canary,
    wave: Annotated[str, typer.Option("--wave", metavar="N|N%", help="So many follow at once.")] = DEFAULTS.wave,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="How many at the same time.")] = DEFAULTS.jobs,
    runtime: options.Runtime = None,
    accelerator: options.Accelerator = None,
    accelerator_option: options.AcceleratorOption = None,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Leave it on trial.")] = False,
    json: options.Json = False,
) -> None:
    """Put a bundle on devices; each serves it once its self-test there has passed.

    Of several, a canary goes first, then wave by wave; after a wave in which one failed, no other is begun.
    """
    rollout = Rollout(canary, wave, jobs)
    if not device and not group:
        raise OptionError("say where to: --device or --group", hint="edgekit device list")
    choice = AcceleratorChoice.typed(accelerator, accelerator_option)
    chosen = destinations(device or [], group or [])
    opened = open_bundle(bundle)
    if not group and len(device or []) == 1:
        _flash_one(opened, chosen[0], runtime, choice, no_commit, json)
        return
    with progress(f"flash {counted(len(chosen), 'device')}"):
        rolled = devices.flash_fleet(
            opened, chosen, rollout, _tell, runtime=runtime, accelerator=choice, commit=not no_commit
        )
    if json:
        print_json({"schema": 1, "digest": opened.digest, "devices": [_shown(outcome) for outcome in rolled.outcomes]})
    else:
        _print(rolled)
    if rolled.interrupted:
        raise KeyboardInterrupt
    raise typer.Exit(rolled.exit_code)


def _flash_one(
    bundle: Bundle,
    device: Destination,
    runtime: str | None,
    accelerator: AcceleratorChoice,
    no_commit: bool,
    json: bool,
) -> None:
    with progress(f"flash {device.name}"):
        installed = devices.flash(bundle, device.name, runtime=runtime, accelerator=accelerator, commit=not no_commit)
    state = state_of(installed)
    if json:
        print_json(
            {
                "schema": 1,
                "device": device.name,
                "slot": str(installed.slot),
                "digest": bundle.digest,
                "state": state,
                "remarks": installed.remarks,
            }
        )
        return
    say(f"{bundle.manifest.name} for {bundle.manifest.target}: {state} on {device.name} ({installed.slot})")
    for remark in installed.remarks:
        note(f"{device.name}: {remark}")


def _tell(outcome: DeviceOutcome) -> None:
    note(f"{outcome.device}: {outcome.state}, {outcome.seconds:.1f} s{_why(outcome, ': ')}")
    for remark in outcome.remarks:
        note(f"{outcome.device}: {remark}")


def _why(outcome: DeviceOutcome, before: str = "") -> str:
    return f"{before}{outcome.error.code} {outcome.error}" if outcome.error else ""


def _print(rolled: Rolled) -> None:
    rows = [
        (outcome.device, str(outcome.wave + 1), outcome.state, f"{outcome.seconds:.1f} s", _why(outcome))
        for outcome in rolled.outcomes
    ]
    print_table(("device", "wave", "state", "time", ""), rows)
    for hint in dict.fromkeys(
        outcome.error.hint for outcome in rolled.outcomes if outcome.error and outcome.error.hint
    ):
        note(f"hint: {hint}")


def _shown(outcome: DeviceOutcome) -> dict[str, object]:
    error = outcome.error
    return {
        "device": outcome.device,
        "wave": outcome.wave + 1,
        "state": outcome.state,
        "seconds": round(outcome.seconds, 3),
        "slot": str(outcome.slot) if outcome.slot else None,
        "remarks": outcome.remarks,
        "error": error and {"code": error.code, "message": str(error), "hint": error.hint},
    }

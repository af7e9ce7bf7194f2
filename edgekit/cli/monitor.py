"""`monitor`: accuracy now against at commit, what shifted, and alarms, by what serving devices count."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from edgekit.cli import completion, options
from edgekit.cli.fleet_table import chosen_devices, failure, tell_errors
from edgekit.cli.output import note, print_json, print_table, progress, say
from edgekit.cli.slot_table import bundle_words
from edgekit.monitor.alarm_rollback import roll_back_alarmed
from edgekit.monitor.device_monitor import BundleJudgement, MonitorResult, monitor
from edgekit.monitor.shifts import signal_words
from edgekit.pipeline.each_device import DeviceResult
from edgekit.pipeline.rollback import RollbackResult
from edgekit.specs.monitor import MonitorSpec

SHOWN = 5
"""Shifts that are shown."""


OnAlarm = Literal["report", "command", "rollback"]
"""Consequence of an alarm."""
HEAD = ("outcome", "gate", "value", "at most", "since")


def register(app: typer.Typer) -> None:
    app.command("monitor")(monitor_command)


def monitor_command(
    device: options.Devices = None,
    group: options.Groups = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="Gates of this profile, not of the bundle.",
            autocompletion=completion.profiles,
        ),
    ] = None,
    on_alarm: Annotated[
        OnAlarm,
        typer.Option("--on-alarm", help="Tell it alone, tell what to type, or go back at once to the bundle before."),
    ] = "command",
    json: options.Json = False,
) -> None:
    """Say whether what devices serve still works: accuracy now against at commit, what shifted, and since when.

    It goes by counts alone. Exit 1 on an alarm; 3 if no device answered; else 0.
    """
    chosen = chosen_devices(device, group)
    spec = _limits(profile)
    with progress(f"monitor {len(chosen)} devices" if len(chosen) != 1 else f"monitor {chosen[0].name}"):
        result = monitor(chosen, spec)
    rolled = roll_back_alarmed(result) if on_alarm == "rollback" else ()
    if len(chosen) == 1 and result.devices[0].error:
        raise result.devices[0].error
    if json:
        print_json(_document(result) | {"rolled_back": [_rolled(each) for each in rolled]})
    else:
        _show(result, on_alarm)
        for each in rolled:
            say(_rolled_words(each))
    answered = any(each.error is None for each in result.devices)
    raise typer.Exit(1 if result.failed else 0 if answered or not result.devices else 3)


def _limits(profile: str | None) -> MonitorSpec | None:
    if profile is None:
        return None
    from edgekit.specs.catalog import Catalog

    return Catalog.default().profile(profile).monitor


def _show(result: MonitorResult, on_alarm: OnAlarm) -> None:
    for bundle in result.bundles:
        _show_judgement(bundle, f"{len(bundle.devices)} devices", on_alarm)
    if len(result.devices) == 1:
        only = result.devices[0].result
        if only:
            _show_judgement(only, only.devices[0], on_alarm)
        return
    if len({each.bundle for each in result.bundles}) > 1:
        note("The devices serve several bundles: each is judged by itself, in its own bins.")
    rows = [
        (
            each.device.name,
            each.result.judgement.verdict if each.result else "",
            each.result.bundle[:12] if each.result else "",
            _figures(each.result) if each.result else failure(each.error),
        )
        for each in result.devices
    ]
    if rows:
        print_table(("device", "verdict", "bundle", ""), rows)
    tell_errors(result.devices)
    alarms = [each for each in result.devices if each.result and each.result.judgement.verdict == "failed"]
    for each in alarms:
        if each.result:
            say(f"{each.device.name}: {each.result.judgement.sentence}")


def _show_judgement(judged: BundleJudgement, where: str, on_alarm: OnAlarm) -> None:
    judgement = judged.judgement
    say(f"{judgement.verdict.upper()}  {judged.name or 'model'} {judged.bundle[:12]}, {where}")
    say(judgement.sentence)
    rows = [
        (gate.outcome, gate.name, "-" if gate.value is None else f"{gate.value:.4g}", f"{gate.max:g}", _day(gate.since))
        for gate in judgement.gates
    ]
    if rows:
        print_table(HEAD, rows)
    shifts = [
        (
            signal_words(each.signal),
            f"{each.distance:.3f}",
            f"{each.chance:.3f}",
            f"{each.psi:.2f}",
            f"{each.jensen_shannon:.3f}",
        )
        for each in judgement.shifts[:SHOWN]
    ]
    if shifts:
        print_table(("shift of", "distance", "by chance up to", "PSI", "Jensen-Shannon, bits"), shifts)
    for remark in (*judged.remarks, *judgement.remarks):
        note(remark)
    if judgement.verdict == "failed" and on_alarm == "command":
        say(f"Next: {_next(judged)}")


def _next(judged: BundleJudgement) -> str:
    """Command that a person may type on an alarm; nothing is done by itself."""
    first = judged.devices[0]
    return f"edgekit rollback --device {first}, or build anew with samples such as the device sees"


def _rolled(each: DeviceResult[RollbackResult]) -> dict[str, Any]:
    served = each.result.served if each.result else None
    error = each.error and {"code": each.error.code, "message": str(each.error), "hint": each.error.hint}
    return {"device": each.device.name, "serves": served and served.model_dump(mode="json"), "error": error}


def _rolled_words(each: DeviceResult[RollbackResult]) -> str:
    if each.result is None:
        return f"{each.device.name} was not rolled back: {failure(each.error)}"
    served = each.result.served
    words = bundle_words(served.model_dump(mode="json") if served else None)
    return f"{each.device.name} was rolled back, and serves {words}"


def _figures(judged: BundleJudgement) -> str:
    judgement = judged.judgement
    if judgement.accuracy:
        return f"{judgement.accuracy.accuracy.value:.1%} right, {judgement.accuracy.commit:.1%} at commit"
    return judgement.sentence


def _day(since: int | None) -> str:
    """Time in UTC; empty for none, and for what no clock shows."""
    if since is None or not 0 <= since < 1 << 33:
        return ""
    return datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M")


def _document(result: MonitorResult) -> dict[str, Any]:
    return {
        "schema": 1,
        "alarm": result.failed,
        "bundles": [_judged(each) for each in result.bundles],
        "devices": [
            {
                "device": each.device.name,
                "url": each.device.url,
                **(_judged(each.result) if each.result else {}),
                "error": each.error and {"code": each.error.code, "message": str(each.error), "hint": each.error.hint},
            }
            for each in result.devices
        ],
    }


def _judged(judged: BundleJudgement) -> dict[str, Any]:
    judgement = judged.judgement
    return {
        "bundle": judged.bundle,
        "name": judged.name,
        "verdict": judgement.verdict,
        "sentence": judgement.sentence,
        "windows": judgement.windows,
        "rows": judgement.rows,
        "accuracy": judgement.accuracy and {**asdict(judgement.accuracy), "drop": judgement.accuracy.drop},
        "gates": [asdict(gate) for gate in judgement.gates],
        "shifts": [asdict(shift) for shift in judgement.shifts],
        "remarks": [*judged.remarks, *judgement.remarks],
    }

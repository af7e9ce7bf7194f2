"""Rollback of the devices that an alarm is about, by `edgekit monitor --on-alarm rollback` alone."""

from __future__ import annotations

from typing import Any

from edgekit.devices.device import connect
from edgekit.monitor.device_monitor import BundleJudgement, MonitorResult
from edgekit.pipeline.each_device import DeviceResult, each_device
from edgekit.pipeline.rollback import RollbackResult, roll_back

BY_MONITOR = "monitor"


def roll_back_alarmed(result: MonitorResult) -> tuple[DeviceResult[RollbackResult], ...]:
    """Roll back each device with an alarm of its own, and those whose bundle has one over all that serve it.

    The incident (gates, since when, answers that were judged) joins the device's history. A device that has nothing to
    go back to, or serves another bundle by now, is such a result, with its error; it serves what it served.
    """
    alarms = {device: judged for judged in result.bundles if _failed(judged) for device in judged.devices}
    alarms |= {each.device.name: each.result for each in result.devices if each.result and _failed(each.result)}

    def one(device: str) -> RollbackResult:
        judged = alarms[device]
        with connect(device) as transport:
            return roll_back(transport, incident=incident(judged), digest=judged.bundle)

    return each_device([each.device for each in result.devices if each.device.name in alarms], one)


def incident(judged: BundleJudgement) -> dict[str, Any]:
    """Record for the history of a device: which gates missed, by how much and since when, by how many answers."""
    missed = [
        {"gate": gate.name, "value": gate.value, "max": gate.max, "since": gate.since, "worst": gate.worst}
        for gate in judged.judgement.gates
        if gate.outcome == "failed"
    ]
    counted = {"windows": judged.judgement.windows, "rows": judged.judgement.rows, "devices": len(judged.devices)}
    return {"by": BY_MONITOR, "missed": missed, **counted}


def _failed(judged: BundleJudgement) -> bool:
    return judged.judgement.verdict == "failed"

"""Assumptions of a cost: each number, and its basis: measured, stated in the profile, or a default with a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.parity.comparison import Comparison
from edgekit.parity.gate_texts import decimal, milliseconds, percent
from edgekit.specs.cost import BOARDS, SOURCES, Cost

Basis = Literal["measured", "stated", "default"]


@dataclass(frozen=True)
class Assumption:
    """One number that a cost is computed from."""

    name: str
    """Key under `[cost]`, if it can be stated there."""
    title: str
    value: float
    shown: str
    """The value with its unit."""
    basis: Basis
    source: str | None
    """Source of the number; None if it was stated."""


@dataclass(frozen=True)
class Inputs:
    """Numbers that a cost is computed from, besides those that `Cost` always holds. Unknown ones are None."""

    answer_s: float | None
    """Seconds of an answer on the device, the median."""
    price: float | None
    watts: float | None
    throughput_per_s: float | None
    unknown_edge: tuple[str, ...]
    """Reasons why the edge has no price, each with what to type."""
    unknown_cloud: str | None
    """Reason why the cloud has no price, with what to type."""
    assumptions: tuple[Assumption, ...]


def gather(comparison: Comparison, stated: Cost, target: str, build_s: float) -> Inputs:
    """Gather each number: the stated one, else the measured one, else the default of the board or of clouds.

    build_s: seconds of pruning and recovery.
    """
    time, no_time = _time(comparison)
    price, watts, throughput = (
        _price(stated, target),
        _watts(comparison, stated, target),
        _throughput(comparison, stated),
    )
    unknown = [no_time] if no_time else []
    if price is None:
        unknown.append(f"nothing is known of what '{target}' costs; --set profile.cost.device_price=N")
    if watts is None:
        unknown.append(f"no energy was measured, and nothing is known of '{target}'; --set profile.cost.watts=N")
    no_cloud = "no server was measured; --reference URL, or --set profile.cost.throughput_per_s=N"
    built = _measured("build_s", "pruning and recovery", build_s, f"{decimal(build_s, 1)} s") if build_s else None
    candidates = (
        time,
        price,
        watts,
        *(_plain(stated, name) for name in ("years", "utilisation", "electricity_per_kwh")),
        throughput,
        *(_plain(stated, name) for name in ("instance_price_per_hour", "instance_utilisation")),
        built,
        _plain(stated, "training_price_per_hour") if build_s else None,
    )
    return Inputs(
        answer_s=time.value / 1e3 if time else None,
        price=price.value if price else None,
        watts=watts.value if watts else None,
        throughput_per_s=throughput.value if throughput else None,
        unknown_edge=tuple(unknown),
        unknown_cloud=None if throughput else no_cloud,
        assumptions=tuple(assumption for assumption in candidates if assumption),
    )


def _time(comparison: Comparison) -> tuple[Assumption | None, str | None]:
    """Median time of an answer on the target, or the reason why there is none."""
    latency, environment = comparison.candidate.latency, comparison.candidate.environment
    if environment.kind == "emulated":
        return None, "an emulated device has no time of its own; edgekit run --device URL of a board tells"
    if environment.host_stand_in:
        return None, "the host stood in for the target; edgekit run --device URL of a board tells"
    if not latency.p50_ns:
        return None, "the device was not timed; edgekit run --device URL tells"
    if not latency.valid:
        return None, f"its latency is INVALID ({latency.reason}); run again once that is mended"
    ms = latency.p50_ns / 1e6
    return _measured("latency_p50_ms", "an answer on the device, the median", ms, milliseconds(ms)), None


def _price(stated: Cost, target: str) -> Assumption | None:
    if stated.device_price is not None:
        return _stated("device_price", stated.device_price, stated)
    board = BOARDS.get(target)
    return _default("device_price", board.price, stated, board.source) if board else None


def _watts(comparison: Comparison, stated: Cost, target: str) -> Assumption | None:
    if stated.watts is not None:
        return _stated("watts", stated.watts, stated)
    energy = comparison.candidate.energy
    if energy:
        # Without a measurement at rest, as if it never rested.
        idle = energy.watts if energy.idle_watts is None else energy.idle_watts
        mean = stated.utilisation * energy.watts + (1 - stated.utilisation) * idle
        rest = (
            "the same at rest, which was not measured" if energy.idle_watts is None else f"{decimal(idle, 2)} W at rest"
        )
        how = f"{decimal(energy.watts, 2)} W answering, {rest}: {energy.method}"
        return _measured("watts", TITLES["watts"], mean, f"{decimal(mean, 2)} W", how)
    board = BOARDS.get(target)
    return _default("watts", board.watts, stated, board.source) if board else None


def _throughput(comparison: Comparison, stated: Cost) -> Assumption | None:
    if stated.throughput_per_s is not None:
        return _stated("throughput_per_s", stated.throughput_per_s, stated)
    reference = comparison.reference
    if reference.environment.kind != "serving" or not reference.samples_per_s:
        return None
    shown = _show("throughput_per_s", reference.samples_per_s, stated)
    # The measured server may be another machine than the one that the price buys.
    where = f"{reference.environment.runtime}, on the machine that it ran on"
    return _measured("throughput_per_s", TITLES["throughput_per_s"], reference.samples_per_s, shown, where)


TITLES = {
    "device_price": "price of a device",
    "watts": "what a device draws, day and night",
    "years": "years until it is written off",
    "utilisation": "share of its time in which it answers",
    "electricity_per_kwh": "electricity, a kilowatt-hour",
    "throughput_per_s": "answers of the cloud instance",
    "instance_price_per_hour": "the cloud instance, an hour",
    "instance_utilisation": "share of its capacity that is asked for",
    "training_price_per_hour": "the machine that trains, an hour",
}


def _show(name: str, value: float, stated: Cost) -> str:
    match name:
        case "watts":
            return f"{decimal(value, 2)} W"
        case "years":
            return decimal(value, 2)
        case "utilisation" | "instance_utilisation":
            return percent(value)
        case "throughput_per_s":
            return f"{decimal(value, 1)} a second"
        case _:
            return f"{stated.currency} {decimal(value, 4)}"


def _plain(stated: Cost, name: str) -> Assumption:
    """A field that always has a value."""
    value = float(getattr(stated, name))
    if name in stated.model_fields_set:
        return _stated(name, value, stated)
    return _default(name, value, stated, SOURCES[name])


def _stated(name: str, value: float, stated: Cost) -> Assumption:
    return Assumption(name, TITLES[name], value, _show(name, value, stated), "stated", None)


def _default(name: str, value: float, stated: Cost, source: str) -> Assumption:
    return Assumption(name, TITLES[name], value, _show(name, value, stated), "default", source)


def _measured(name: str, title: str, value: float, shown: str, source: str | None = None) -> Assumption:
    return Assumption(name, title, value, shown, "measured", source)

"""Section on the timing: warm-up, cooling, clocks, throttling and background load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from edgekit.ir.measurement import Conditions
from edgekit.ir.plural import counted
from edgekit.parity.endpoint_record import EndpointRecord, ProcessRecord
from edgekit.parity.gate_texts import decimal, megabytes, milliseconds
from edgekit.report.record import ReportRecord
from edgekit.report.sections.endpoints import candidate_name
from edgekit.report.sections.section import Section, section

Processes = Sequence[ProcessRecord]
T = TypeVar("T")


def timing(report: ReportRecord) -> Section | None:
    """Timing of both endpoints; None where neither has processes."""
    sides = (report.reference, report.candidate)
    if not any(side.processes for side in sides):
        return None
    rows = [
        (label, *(show(side.processes) if side.processes else "unknown" for side in sides)) for label, show in _ROWS
    ]
    first = [
        f"The {name} was timed {_times(side)}"
        for name, side in (("reference", sides[0]), ("candidate", sides[1]))
        if side.processes
    ]
    return section("How it was timed", ("", "reference", candidate_name(report)), rows, first=first)


def _times(side: EndpointRecord) -> str:
    count, differ = len(side.processes or ()), side.latency.between_runs
    processes = counted(count, "process")
    if differ is None:
        return f"in {processes}: nothing is known of how much runs differ."
    return f"in {processes}, each with the model loaded anew: their medians differ by {decimal(100 * differ, 1)} %."


def _medians(processes: Processes) -> str:
    return ", ".join("none" if each.p50_ns is None else milliseconds(each.p50_ns / 1e6) for each in processes)


def _warm_up(processes: Processes) -> str:
    counts, seconds = [each.warm_up_count for each in processes], sum(each.warm_up_ns for each in processes) / 1e9
    unsettled = sum(not each.steady for each in processes)
    how = f"not settled in {unsettled} of {len(processes)}" if unsettled else "until the times had settled"
    return f"{_between(counts, 0)} inferences, {decimal(seconds, 1)} s, {how}"


def _cool_down(processes: Processes) -> str:
    known = [each.cooled for each in processes if each.cooled is not None]
    if not known:
        return "unknown"
    warm = known.count(False)
    return f"still too warm before {warm} of {len(known)}" if warm else "as cool before each as before the first"


def _clock(processes: Processes) -> str:
    first, last = processes[0].before, processes[-1].after
    lowest: dict[str, float] = {}
    for each in processes:
        for name, mhz in (each.during.clock_mhz if each.during else {}).items():
            lowest[name] = min(mhz, lowest.get(name, mhz))
    least = f", {_by_group(lowest, 'MHz')} at the lowest meanwhile" if lowest else ""
    return _both(_by_group(first.clock_mhz, "MHz"), _by_group(last.clock_mhz, "MHz")) + least


def _limit(moment: Conditions) -> str:
    return _by_group(moment.limit_mhz, "MHz")


def _governor(moment: Conditions) -> str:
    return ", ".join(sorted(set(moment.governor.values()))) or "unknown"


def _temperature(processes: Processes) -> str:
    first, last = (_hottest(moment) for moment in (processes[0].before, processes[-1].after))
    seen = [each.during.temperature_c for each in processes if each.during and each.during.temperature_c is not None]
    most = f", {decimal(max(seen), 1)} °C at most meanwhile" if seen else ""
    return _both(first, last) + most


def _hottest(moment: Conditions) -> str:
    return f"{decimal(max(moment.temperature_c.values()), 1)} °C" if moment.temperature_c else "unknown"


def _held_back(processes: Processes) -> str:
    moments = [moment for each in processes for moment in (each.before, each.after)]
    flags = sorted({flag for moment in moments for flag in moment.throttled or ()})
    if flags:
        return f"THROTTLED: {', '.join(flags)}"
    first, last = moments[0].throttle_events, moments[-1].throttle_events
    if first is not None and last is not None:
        return f"{counted(last - first, 'time')} meanwhile" if last > first else "never meanwhile"
    return "unknown" if all(moment.throttled is None for moment in moments) else "by nothing"


def _others(processes: Processes) -> str:
    during = [each.during for each in processes if each.during]
    cores = [each.others_cores for each in during if each.others_cores is not None]
    waited = [each.waited for each in during if each.waited is not None]
    busy = f"others kept at most {decimal(max(cores), 2)} cores busy" if cores else "what others did is unknown"
    return f"{busy}{f'; it waited at most {decimal(100 * max(waited), 1)} % of half a second' if waited else ''}"


def _load(moment: Conditions) -> str:
    return _known(moment.load_1m, lambda load: decimal(load, 2))


def _free(moment: Conditions) -> str:
    return _known(moment.available_bytes, lambda count: megabytes(count / 1e6))


def _battery(moment: Conditions) -> str:
    level = _known(moment.battery_percent, lambda share: f"{decimal(share, 0)} %")
    return level if moment.charging is None else f"{level}, {'charging' if moment.charging else 'not charging'}"


def _screen(moment: Conditions) -> str:
    return _known(moment.screen_on, lambda on: "on" if on else "off")


def _power_mode(moment: Conditions) -> str:
    return moment.power_mode or "unknown"


def _known(value: T | None, show: Callable[[T], str]) -> str:
    return "unknown" if value is None else show(value)


def _around(show: Callable[[Conditions], str]) -> Callable[[Processes], str]:
    """Show a condition before the first process and after the last."""

    def both(processes: Processes) -> str:
        return _both(show(processes[0].before), show(processes[-1].after))

    return both


def _both(before: str, after: str) -> str:
    return before if before == after else f"{before} before, {after} after"


def _by_group(values: Mapping[str, float], unit: str) -> str:
    """Range over all groups of cores: `1,500 to 2,400 MHz`."""
    return f"{_between(values.values(), 0)} {unit}" if values else "unknown"


def _between(values: Iterable[float], places: int) -> str:
    ordered = sorted(values)
    low, high = decimal(ordered[0], places), decimal(ordered[-1], places)
    return low if low == high else f"{low} to {high}"


_ROWS: tuple[tuple[str, Callable[[Processes], str]], ...] = (
    ("medians", _medians),
    ("warm-up", _warm_up),
    ("cooled down", _cool_down),
    ("held back", _held_back),
    ("clock", _clock),
    ("clock allowed", _around(_limit)),
    ("governor", _around(_governor)),
    ("power mode", _around(_power_mode)),
    ("hottest sensor", _temperature),
    ("background", _others),
    ("load, 1 minute", _around(_load)),
    ("free memory", _around(_free)),
    ("battery", _around(_battery)),
    ("screen", _around(_screen)),
)

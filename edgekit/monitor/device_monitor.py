"""Monitoring of devices: fetch their windows, keep them here, and judge those of what is served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.devices.device import Destination, connect, destination
from edgekit.devices.windows import (
    AnswerCounts,
    PulledWindows,
    TimeCounts,
    fetch_bins,
    pull_windows,
)
from edgekit.errors import DeviceError
from edgekit.monitor.judgement import Judgement, judge
from edgekit.monitor.window_store import WindowStore
from edgekit.pipeline.each_device import DeviceResult, each_device
from edgekit.runner.counts.bins import FrozenBins, digest_of
from edgekit.runner.errors import RunnerError
from edgekit.specs.monitor import MonitorSpec
from edgekit.specs.spec import parse


@dataclass(frozen=True)
class ServedWindows:
    """Windows of the bundle that a device serves."""

    device: str
    bundle: str
    name: str | None
    bins: bytes | None
    answers: tuple[AnswerCounts, ...]
    times: tuple[TimeCounts, ...]
    remarks: tuple[str, ...]
    """Sentences on what is not judged: other bundles, windows that made no sense or were lost."""


@dataclass(frozen=True)
class BundleJudgement:
    """Judgement of one bundle on the devices that serve it."""

    bundle: str
    name: str | None
    devices: tuple[str, ...]
    judgement: Judgement
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class MonitorResult:
    """Judgements: of each device, and of each bundle over the devices that serve it."""

    devices: tuple[DeviceResult[BundleJudgement], ...]
    bundles: tuple[BundleJudgement, ...]

    @property
    def failed(self) -> bool:
        """True if there is an alarm, of a bundle or of a single device."""
        single = [each.result for each in self.devices if each.result]
        return any(each.judgement.verdict == "failed" for each in (*self.bundles, *single))


def monitor(devices: Sequence[Destination], spec: MonitorSpec | None = None) -> MonitorResult:
    """Fetch and judge; a device that cannot be asked keeps none of the others. spec: None for what each bundle says."""
    store = WindowStore.of_user()

    def one(device: str) -> tuple[ServedWindows, BundleJudgement]:
        served = served_windows(device, store)
        return served, judge_bundle([served], spec)

    results = each_device(devices, one)
    singles = tuple(DeviceResult(each.device, each.result[1] if each.result else None, each.error) for each in results)
    by_bundle: dict[str, list[ServedWindows]] = {}
    for each in results:
        if each.result:
            by_bundle.setdefault(each.result[0].bundle, []).append(each.result[0])
    together = tuple(judge_bundle(group, spec) for group in by_bundle.values()) if len(devices) > 1 else ()
    return MonitorResult(singles, together)


def served_windows(device: str, store: WindowStore) -> ServedWindows:
    """Fetch the windows of a device into the store, and return those of the bundle that it serves.

    Raises DeviceError if it serves nothing, or its files are not those of its bundle, and what asking it raises.
    """
    url = destination(device).url
    with connect(device) as transport:
        pulled = pull_windows(transport, store.place(url))
        if pulled.serves is None or pulled.serves.digest is None:
            raise DeviceError(f"{url}: nothing is served", hint=f"edgekit flash BUNDLE --device {url}")
        store.keep(url, pulled)
        bundle = pulled.serves.digest
        answers, times = store.windows(url)
        own = tuple(each for each in answers if each.bundle == bundle)
        raw = store.bins(own[-1].bins) if own else None
        if raw is None:
            raw = fetch_bins(transport, pulled.serves)
            if raw is not None:
                store.keep_bins(raw)
    digest = digest_of(raw) if raw else None
    fitting = tuple(each for each in own if each.bins == digest)
    remarks = _remarks(device, pulled, [*answers, *times], bundle, len(own) - len(fitting))
    return ServedWindows(
        device,
        bundle,
        pulled.serves.name,
        raw,
        fitting,
        tuple(each for each in times if each.bundle == bundle),
        remarks,
    )


def judge_bundle(served: Sequence[ServedWindows], spec: MonitorSpec | None) -> BundleJudgement:
    """Judge windows of one bundle, of all devices that serve it, by `spec` or else by the limits in the bundle.

    Raises DeviceError if bins or windows are not what edgekit writes.
    """
    first = served[0]
    try:
        bins = FrozenBins.parse(first.bins) if first.bins else None
        limits = spec or (parse(MonitorSpec, dict(bins.limits), "monitor.json: 'limits'") if bins else MonitorSpec())
        answers = [window for each in served for window in each.answers]
        times = [window for each in served for window in each.times]
        judgement = judge(bins, answers, times, limits)
    except (RunnerError, ValueError) as error:
        names = ", ".join(each.device for each in served)
        raise DeviceError(f"{names}: its counts make no sense: {error}", hint="edgekit status --device NAME") from error
    remarks = tuple(dict.fromkeys(remark for each in served for remark in each.remarks))
    return BundleJudgement(first.bundle, first.name, tuple(each.device for each in served), judgement, remarks)


def _remarks(
    device: str,
    pulled: PulledWindows,
    windows: Sequence[AnswerCounts | TimeCounts],
    bundle: str,
    unfit: int,
) -> tuple[str, ...]:
    others = {each.bundle[:12] for each in windows if each.bundle != bundle}
    sentences = (
        f"{device}: windows of other bundles are kept, and not judged: {', '.join(sorted(others))}." if others else "",
        f"{device}: {unfit} windows were counted in other bins than the bundle's, and are left out." if unfit else "",
        f"{device}: {pulled.rejected} windows made no sense, and are left out." if pulled.rejected else "",
        f"{device}: {pulled.lost} windows were lost on the device before anybody read them." if pulled.lost else "",
    )
    return tuple(filter(None, sentences))

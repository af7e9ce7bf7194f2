"""Windows of counts that a serving device keeps, fetched and checked: what comes from a device is not believed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from edgekit.bundle.manifest import Manifest
from edgekit.devices.flash import any_runner
from edgekit.devices.protocol import Answer
from edgekit.devices.runner_client import QUICK_S, Runner
from edgekit.devices.transport import Transport
from edgekit.errors import DeviceError, EdgekitError
from edgekit.runner.counts.bins import FIXED, MAX_BINS, MAX_SIGNALS
from edgekit.runner.layout import MANIFEST, MONITOR, SLOTS

MOST = 1 << 53
Tally = Annotated[int, Field(ge=0, le=MOST)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Epoch = Annotated[str, Field(pattern=r"^[0-9a-zA-Z]{16}$")]
PAGES = 200
"""Answers of a device that are read in a row, at most."""


class WindowHead(Answer):
    """Part of every window."""

    schema_version: Literal[1] = Field(alias="schema")
    number: Annotated[int, Field(ge=1, lt=10**12)]
    bundle: Digest
    begun: Annotated[int, Field(ge=-MOST, le=MOST)]
    """Seconds since 1970 by the device's clock: a label."""
    seconds: Annotated[float, Field(ge=0, le=1e9)]
    """Length by the device's monotonic clock."""
    open: bool
    """True if it is counted still."""
    pid: int
    boot: str
    rows: Tally
    lost_rows: Tally
    """Rows before it whose counts could not be written."""


class AnswerCounts(WindowHead):
    """Window of a worker: counts of answers and inputs."""

    kind: Literal["answers"]
    bins: Digest
    every: Annotated[int, Field(ge=1, le=MOST)]
    """One of so many requests had its inputs measured."""
    input_rows: Tally
    above: Tally
    confidence: Tally
    squares: Tally
    pairs: Tally
    changes: Tally
    unusable: Tally
    classes: dict[Annotated[str, Field(pattern=r"^[0-9]{1,7}$")], Tally]
    few: Tally
    signals: Annotated[
        dict[Annotated[str, Field(max_length=300)], Annotated[list[Tally], Field(max_length=MAX_BINS)]],
        Field(max_length=MAX_SIGNALS),
    ]

    @model_validator(mode="after")
    def _adds_up(self) -> AnswerCounts:
        usable = self.rows - self.unusable
        told = sum(self.classes.values()) + self.few
        if self.unusable > self.rows or self.input_rows > self.rows or told not in (0, usable):
            raise ValueError("its rows do not add up")
        if self.above > usable or not self.squares <= self.confidence + usable <= usable * (FIXED + 1):
            raise ValueError("its confidences do not add up")
        if self.changes > self.pairs or self.pairs > self.rows:
            raise ValueError("its pairs do not add up")
        if any(sum(counts) > self.rows for counts in self.signals.values()):
            raise ValueError("a signal has more counts than there are rows")
        return self


class TimeHistogram(Answer):
    """Exponential histogram in OTLP's form."""

    scale: Literal[3]
    offset: Annotated[int, Field(ge=-1000, le=1000)]
    bucket_counts: Annotated[list[Tally], Field(max_length=1000)]


class TimeCounts(WindowHead):
    """Window of the server: times of requests, and how they ended."""

    kind: Literal["times"]
    bins: None
    failed: Tally
    refused: Tally
    latency_ns: TimeHistogram
    queue_ns: TimeHistogram


Window = AnswerCounts | TimeCounts


class ServedSlotAnswer(Answer):
    """Bundle that the device serves."""

    path: str
    digest: Digest | None
    name: str | None
    version: int | None


class WindowPage(Answer):
    """Answer of the verb `windows`; the windows are checked one by one."""

    epoch: Epoch | None
    windows: Annotated[list[dict[str, Any]], Field(max_length=1000)]
    more: bool
    lost: Tally
    serves: ServedSlotAnswer | None


class PulledWindows(Answer):
    """Windows of a device behind a place, and what the device says beside them."""

    epoch: str | None
    windows: tuple[Window, ...]
    rejected: int
    """Windows that made no sense."""
    lost: int
    """Windows that the device lost before anybody read them."""
    serves: ServedSlotAnswer | None


def pull_windows(device: Transport, after: tuple[str, int] | None) -> PulledWindows:
    """Fetch the windows behind `after`, an epoch and a number; None for all. Raises what asking a runner does.

    The device takes note that all up to there are kept elsewhere: a window that it removes later is not lost.
    """
    runner, place, windows, rejected = any_runner(device), after, list[Window](), 0
    page = None
    for _ in range(PAGES):
        page = _page(runner, place, after)
        for written in page.windows:
            window = _window(written)
            rejected += window is None
            windows += [window] if window else []
        numbers = [each["number"] for each in page.windows if type(each.get("number")) is int]
        if not page.more or not numbers or page.epoch is None:
            break
        place = (page.epoch, max(numbers))
    assert page
    return PulledWindows(
        epoch=page.epoch, windows=tuple(windows), rejected=rejected, lost=page.lost, serves=page.serves
    )


def fetch_bins(device: Transport, serves: ServedSlotAnswer) -> bytes | None:
    """File of bins of the bundle that the device serves, whose digest the bundle's manifest has; None without one.

    Raises DeviceError if the files on the device are not those of the bundle.
    """
    name = serves.path.rpartition("/")[2]
    if name not in SLOTS or serves.digest is None:
        raise DeviceError(f"{device.url}: it serves no slot", hint=f"edgekit status --device {device.url}")
    manifest_raw = _fetched(device, name, MANIFEST)
    if hashlib.sha256(manifest_raw).hexdigest() != serves.digest:
        raise _changed(device, MANIFEST)
    listed = {file.path: file.sha256 for file in Manifest.parse(manifest_raw).files}
    if MONITOR not in listed:
        return None
    raw = _fetched(device, name, MONITOR)
    if hashlib.sha256(raw).hexdigest() != listed[MONITOR]:
        raise _changed(device, MONITOR)
    return raw


def _fetched(device: Transport, slot: str, name: str) -> bytes:
    with TemporaryDirectory() as scratch:
        local = Path(scratch) / name
        device.pull(device.root / slot / name, local)
        return local.read_bytes()


def _changed(device: Transport, name: str) -> EdgekitError:
    hint = f"edgekit status --device {device.url} says whether its files are whole"
    return DeviceError(f"{device.url}: '{name}' is not that of the bundle it serves", hint=hint)


def _page(runner: Runner, behind: tuple[str, int] | None, kept: tuple[str, int] | None) -> WindowPage:
    places = {"--after": behind, "--acknowledge": kept}
    words = [word for option, place in places.items() if place for word in (option, f"{place[0]}:{place[1]}")]
    return runner.ask(WindowPage, "windows", runner.transport.root, *words, timeout=QUICK_S)


def _window(written: dict[str, Any]) -> Window | None:
    kind = TimeCounts if written.get("kind") == "times" else AnswerCounts
    try:
        return kind.model_validate(written)
    except ValidationError:
        return None

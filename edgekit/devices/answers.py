"""What the runner on a device answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from edgekit.ir.artifact import Format
from edgekit.ir.signature import Signature
from edgekit.specs.spec import Spec

SlotState = Literal["empty", "trial", "committed", "failed"]


class Info(Spec):
    """The device as its system describes it; what is not known is None."""

    machine: str
    system: str
    cpu: str | None
    cores: int
    ram_bytes: int | None
    python: str
    runtimes: Mapping[str, str | None]
    """By format, name and version of what would run it; None where nothing does."""


class Slot(Spec):
    """One of the two slots."""

    path: str
    state: SlotState
    digest: str | None
    whole: bool
    """Whether its files are those that its manifest lists, digest by digest."""


class Event(Spec):
    """One entry in the history of a device."""

    digest: str | None
    when: str
    """UTC, as the device's clock has it."""
    verdict: Literal["trial", "committed", "rolled back"]


class Status(Spec):
    """Both slots, which of them is served, and what happened."""

    current: str | None
    slots: Mapping[str, Slot]
    history: tuple[Event, ...]


class Moved(Spec):
    """What a change of slots came to: `slot` is the one it was about."""

    slot: str
    state: SlotState
    digest: str | None
    current: str | None
    changed: bool


class TracedOperator(Spec):
    """An operator that a runtime traced. `delegate` is None if the runtime's own kernel ran it."""

    kind: str
    name: str
    delegate: str | None


class Traced(Spec):
    """What a trace holds; the times of the whole and of `operators`, in order, are in files."""

    format: str
    runtime: str
    threads: int
    count: int
    info: Info
    note: str
    operators: tuple[TracedOperator, ...]


class Described(Spec):
    """What a bare model file takes and gives, and the files beside it that belong to it."""

    format: Format
    runtime: str
    signature: Signature
    files: tuple[str, ...]


class Difference(Spec):
    """How far an output is from its golden one, in real units; `worst` is None if it is not finite."""

    worst: float | None
    allowed: float


class SelfTest(Spec):
    passed: bool
    outputs: Mapping[str, Difference]


class Latency(Spec):
    """How a latency run went, or one that counts instructions; the samples are in a file."""

    load_ns: int
    first_ns: int
    peak_rss_bytes: int | None
    runtime: str
    threads: int
    count: int
    info: Info
    background_cores: float | None = None
    """How many cores others kept busy meanwhile."""


class Accuracy(Latency):
    """How an accuracy run went; each of `outputs` is in a file of that name."""

    outputs: tuple[str, ...]

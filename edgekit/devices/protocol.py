"""What the runner on a device answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from edgekit.specs.release import Moment
from edgekit.specs.spec import Spec

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
SlotState = Literal["empty", "staged", "trial", "committed", "failed"]
Verdict = Literal["staged", "trial", "committed", "rolled back", "expired: deadline", "expired: reboot", "repaired"]


class Answer(Spec):
    """What a device says, which may be anything: numbers are finite, texts short, and so in the dataclasses within."""

    model_config = ConfigDict(allow_inf_nan=False, str_max_length=10_000, revalidate_instances="always")


class Info(Answer):
    """The device as its system describes it; what is not known is None."""

    machine: str
    system: str
    cpu: str | None
    cores: Count
    ram_bytes: Count | None
    python: str
    runtimes: Mapping[str, str | None]
    """By format, name and version of what would run it; None where nothing does."""


class Slot(Answer):
    """One of the two slots."""

    path: str
    state: SlotState
    digest: str | None
    whole: bool
    """Whether its files are those that its manifest lists, digest by digest."""
    version: int | None
    signers: tuple[str, ...]
    """Ids of the keys that signed it and that the device believed."""
    until_s: float | None
    """Seconds that are left of a trial."""


class HistoryEvent(Answer):
    """One entry in the history of a device."""

    digest: str | None
    when: str
    """UTC, as the device's clock has it."""
    verdict: Verdict
    version: int | None = None
    signers: tuple[str, ...] = ()
    detail: Mapping[str, Any] | None = None
    """The incident that led to it."""


class PinnedKey(Answer):
    id: str
    public_hex: str


class Refused(Answer):
    """A slot that holds what the device does not trust any more: it is not served (again)."""

    slot: str
    role: Literal["served", "trial", "behind"]
    """`behind` is what a rollback would go back to."""
    digest: str | None
    why: str


class Damage(Answer):
    """What a device has lost or cannot read: `garbled`, which slot holds what; `unpinned`, whom it trusts."""

    kind: Literal["garbled", "unpinned"]
    why: str


class Trusted(Answer):
    """Whom a device believes: nobody yet, if it has no keys."""

    keys: tuple[PinnedKey, ...]
    revoked: tuple[str, ...]
    threshold: int
    target: str | None
    floor: int
    refused: tuple[Refused, ...] = ()
    """What is in its slots all the same."""


class LeaseStatus(Answer):
    """Who flashes it, and may for so long."""

    holder: str
    left_s: float


class Status(Answer):
    """Both slots, which of them is served, what happened, whom the device believes, and who flashes it now."""

    current: str | None
    slots: Mapping[str, Slot]
    history: tuple[HistoryEvent, ...]
    trust: Trusted
    lease: LeaseStatus | None
    damage: tuple[Damage, ...] = ()
    """Beside it, the slots are as a repair would assume them."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Status:
        if self.current is not None and self.current not in self.slots:
            raise ValueError("it serves a slot that it has not")
        return self


class Begun(Answer):
    """Where a bundle is on a device, if it is, and what of it is missing beside its manifest."""

    slot: str | None
    state: SlotState | None
    missing: tuple[str, ...] | None
    """None if the device does not have the manifest."""
    digest: str | None = None
    current: str | None = None
    changed: bool = False


class Done(Answer):
    changed: bool


class Moved(Answer):
    """What a change of slots came to: `slot` is the one it was about."""

    slot: str
    state: SlotState
    digest: str | None
    current: str | None
    changed: bool
    pinned: tuple[str, ...] = ()
    """Ids of the keys that the device believes from now on, because they came first."""
    clock: Moment | None = None
    """Time of the device's clock, where that cannot be right and was to tell whether the bundle has expired."""


class Repaired(Answer):
    """What a repair came to: the slot that is served, and in sentences what had to be assumed."""

    changed: bool
    current: str | None
    assumed: tuple[str, ...]


class GoldenDifference(Answer):
    """How far an output is from its golden one, in real units; `worst` is None if it is not finite."""

    worst: float | None
    allowed: float


class SelfTest(Answer):
    passed: bool
    outputs: Mapping[str, GoldenDifference]
    provider: str | None
    """What ran the model, as targets name it: `tensorrt`, `cuda`, `cpu`; None where a runtime has no choice."""
    planned_provider: str | None
    """What its engine plan wants; None without one."""


class Engine(Answer):
    """What became of the TensorRT engine of a slot's model."""

    engine: str | None
    """Its folder."""
    built: bool
    """Whether it was now; else it was there."""
    seconds: float
    tensorrt: str | None
    gpu: str | None
    why: str | None
    """There is none."""


class Failure(Answer):
    """Why something could not be done."""

    error: str
    kind: str
    """As `runner.errors.RunnerError` has it."""


class Flashed(Begun):
    """What one process on the device made of a bundle; the rest says nothing while something is missing."""

    pinned: tuple[str, ...] = ()
    """As `Moved`'s, and the next."""
    clock: Moment | None = None
    engine: Engine | None = None
    selftest: SelfTest | None = None
    """None where there was no need, or `failure` says why it could not be made."""
    failure: Failure | None = None

"""Answers of the runner on a device: the device itself, its slots, and flashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from edgekit.runner.slots.accelerator_choice import energy_words
from edgekit.specs.release import Moment
from edgekit.specs.spec import Spec

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
SlotState = Literal["empty", "staged", "trial", "committed", "failed", "rolled back"]
"""State of a slot; a device says `failed` of one that a person rolled back, too, and its history why."""
BY_HAND = {"by": "hand"}
"""Incident in the history of a device where a person rolled back."""
Verdict = Literal["staged", "trial", "committed", "rolled back", "expired: deadline", "expired: reboot", "repaired"]


class Answer(Spec):
    """Answer of a device, which is not trusted: numbers must be finite, texts short, also in the dataclasses within."""

    model_config = ConfigDict(allow_inf_nan=False, str_max_length=10_000, revalidate_instances="always")


class Info(Answer):
    """Description of the device by its system; unknown is None."""

    machine: str
    system: str
    cpu: str | None
    cores: Count
    ram_bytes: Count | None
    python: str
    runtimes: Mapping[str, str | None]
    """Name and version of the runtime of each format; None where there is none."""


class InferenceEnergy(Answer):
    """Energy of one inference, by a sensor of the device."""

    joules: float = Field(gt=0)
    uncertainty: float = Field(ge=0)
    """Share of the joules."""
    method: str
    whole: bool
    """True if the sensor covers the whole machine; False if it sees the processor only."""


class AcceleratorFigures(Answer):
    """Figures of one kind of accelerator, or of the CPU, as the device measured them; None where there are none."""

    kind: str
    why: str | None
    """Reason why it is not used; None for what is chosen, and for the CPU."""
    failed: str | None = None
    """Kind of the error with which it did not run at all."""
    load_ns: Count | None = None
    first_ns: Count | None = None
    p50_ns: Count | None = None
    p90_ns: Count | None = None
    energy: InferenceEnergy | None = None
    """Energy of one inference, where a sensor of the device tells it."""
    sqnr_db: float | None = None
    """Signal-to-noise ratio of its golden answers against the CPU's; None if they are equal, and for the CPU."""
    share: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the model's operators that it runs itself."""
    device: str | None = None
    driver: str | None = None
    software: bool = False
    """True if a program of the CPU stands in for it."""


class AcceleratorChosen(Answer):
    """Accelerator that a slot's model runs on, and what the choice was made of."""

    kind: str
    """Kind of the accelerator, or `cpu`."""
    why: str
    told: bool
    """True if a person named it."""
    options: tuple[str, ...]
    surroundings: Mapping[str, str]
    """System, drivers and runtime at that time: a change of one makes the choice expire."""
    measured: tuple[AcceleratorFigures, ...] = Field(max_length=16)
    expired: str | None = None
    """Reason why it is measured again at the next probe; None while it is valid, or where it was not asked."""
    changed: bool = False
    """True if it was measured just now."""

    @property
    def energy_words(self) -> str | None:
        """Energy of an inference on each kind, in words; None where no sensor told it."""
        return energy_words([figures.model_dump() for figures in self.measured])

    def figures(self, kind: str) -> AcceleratorFigures | None:
        return next((each for each in self.measured if each.kind == kind), None)


class Slot(Answer):
    """One of the two A/B slots."""

    path: str
    state: SlotState
    digest: str | None
    whole: bool
    """True if its files are those that its manifest lists, digest by digest."""
    version: int | None
    signers: tuple[str, ...]
    """Ids of the keys that signed it and that the device trusted."""
    until_s: float | None
    """Seconds that are left of a trial; None without one."""
    accelerator: AcceleratorChosen | None = None
    """Choice between CPU, GPU and NPU; None where there was nothing to choose from."""
    name: str | None = None
    """Name of the model; None where an older edgekit staged it."""


class HistoryEvent(Answer):
    """One entry in the history of a device."""

    digest: str | None
    when: str
    """Time by the device's clock, UTC."""
    verdict: Verdict
    version: int | None = None
    signers: tuple[str, ...] = ()
    detail: Mapping[str, Any] | None = None
    """The incident that led to it."""
    name: str | None = None
    """Name of the model; None where an older edgekit wrote the entry."""


class PinnedKey(Answer):
    id: str
    public_hex: str


class Refused(Answer):
    """A slot whose bundle the device does not trust any more: it is not served (again)."""

    slot: str
    role: Literal["served", "trial", "behind"]
    """Role of the slot; `behind` is the one that a rollback would go back to."""
    digest: str | None
    why: str


class Damage(Answer):
    """Record that a device has lost or cannot read: `garbled`, the state of its slots; `unpinned`, its trusted keys."""

    kind: Literal["garbled", "unpinned"]
    why: str


class Trusted(Answer):
    """Trust of a device; without keys it trusts on first use (TOFU)."""

    keys: tuple[PinnedKey, ...]
    revoked: tuple[str, ...]
    threshold: int
    target: str | None
    floor: int
    refused: tuple[Refused, ...] = ()
    """Slots with bundles that it does not trust any more."""


class LeaseStatus(Answer):
    """Holder of the device's lease, and the seconds that are left."""

    holder: str
    left_s: float


class Status(Answer):
    """Slots, the served one, history, trust, lease and damage of a device."""

    current: str | None
    slots: Mapping[str, Slot]
    history: tuple[HistoryEvent, ...]
    trust: Trusted
    lease: LeaseStatus | None
    damage: tuple[Damage, ...] = ()
    """Lost records; with any, the slots are as a repair would assume them."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Status:
        if self.current is not None and self.current not in self.slots:
            raise ValueError("it serves a slot that it has not")
        return self

    def told_apart(self) -> Status:
        """Copy in which a slot that a person rolled back is `rolled back`: its model has not failed."""
        last = {event.digest: event for event in self.history}
        slots = {
            name: slot.model_copy(update={"state": "rolled back"})
            if slot.state == "failed" and slot.digest in last and last[slot.digest].detail == BY_HAND
            else slot
            for name, slot in self.slots.items()
        }
        return self.model_copy(update={"slots": slots})


class Begun(Answer):
    """Slot of a bundle on a device, if it has one, and the files that are missing beside its manifest."""

    slot: str | None
    state: SlotState | None
    missing: tuple[str, ...] | None
    """Paths of the missing files; None if the device does not have the manifest."""
    digest: str | None = None
    current: str | None = None
    changed: bool = False


class Done(Answer):
    changed: bool


class Moved(Answer):
    """Result of a change of slots; `slot` is the one that it was about."""

    slot: str
    state: SlotState
    digest: str | None
    current: str | None
    changed: bool
    pinned: tuple[str, ...] = ()
    """Ids of the keys that were pinned by it: trust on first use (TOFU)."""
    clock: Moment | None = None
    """Time of the device's clock if that is wrong, so that it could not check the expiry; else None."""


class Repaired(Answer):
    """Result of a repair: the slot that is served, and the assumptions, a sentence each."""

    changed: bool
    current: str | None
    assumed: tuple[str, ...]


class GoldenDifference(Answer):
    """Largest difference between an output and its golden one, in real units; `worst` is None if it is not finite."""

    worst: float | None
    allowed: float


class SelfTest(Answer):
    passed: bool
    outputs: Mapping[str, GoldenDifference]
    provider: str | None
    """Execution provider of the model, by its name in targets: `tensorrt`, `cuda`, `cpu`; None without a choice."""
    planned_provider: str | None
    """First provider of its engine plan; None without one."""


class Engine(Answer):
    """Result of building the TensorRT engine of a slot's model."""

    engine: str | None
    """Folder of the engine; None if there is none."""
    built: bool
    """True if it was built just now, False if it was there."""
    seconds: float
    tensorrt: str | None
    gpu: str | None
    why: str | None
    """Reason why there is no engine; None if there is one."""


class Failure(Answer):
    """Failure of a step: a message, and its kind."""

    error: str
    kind: str
    """Kind of the error, one of `runner.errors.ErrorKind`, or anything else that a device may say."""


class Flashed(Begun):
    """Result of a flash by one process on the device; beside `missing` nothing is set while files are missing."""

    pinned: tuple[str, ...] = ()
    """Ids of the keys that were pinned, as in `Moved`, and the wrong clock's time."""
    clock: Moment | None = None
    engine: Engine | None = None
    selftest: SelfTest | None = None
    """Result of the self-test; None where there was no need, or where `failure` says why it could not run."""
    failure: Failure | None = None

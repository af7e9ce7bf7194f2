"""Answers of the runner's verbs that load a model: describe, latency, instructions, accuracy, operators, generate …"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from edgekit.devices.protocol import Answer, Count, Info, Positive
from edgekit.ir.artifact import Format
from edgekit.ir.measurement import AcceleratorUse, Around, Conditions, Watched
from edgekit.ir.signature import Signature


class Described(Answer):
    """Inputs and outputs of a bare model file, and the files beside it that belong to it."""

    format: Format
    runtime: str
    signature: Signature
    files: tuple[str, ...]


class Loaded(Answer):
    """A model that was loaded and run on one sample, with the cost, and the device."""

    load_ns: Count
    first_ns: Count
    peak_rss_bytes: Count | None
    empty_rss_bytes: Count | None
    """Resident memory of the process in bytes before the model was loaded."""
    model_sha256: str
    runtime: str
    provider: str | None
    """Execution provider of the model, as in `SelfTest`, and the planned one."""
    planned_provider: str | None
    threads: Positive
    count: Positive
    info: Info
    accelerator: AcceleratorUse | None = None

    @property
    def model_rss_bytes(self) -> int | None:
        """Memory in bytes that the model added to the peak; None if unknown."""
        if self.peak_rss_bytes is None or self.empty_rss_bytes is None:
            return None
        return max(0, self.peak_rss_bytes - self.empty_rss_bytes)


class InstructionAnswer(Loaded):
    """Result of a run that counts instructions; the counts are in a file."""


class Spent(Answer):
    """Reading of an energy meter over a span."""

    joules: float
    seconds: float = Field(gt=0)
    method: str
    uncertainty: float = Field(ge=0)
    idle_watts: float | None = None


class Timed(Loaded):
    """Circumstances of a run that was timed."""

    warm_up_count: Count
    warm_up_ns: Count
    steady: bool
    before: Conditions
    after: Conditions
    watched: tuple[Watched, ...]
    cooled: bool | None


class LatencyAnswer(Timed):
    """Result of a latency run; the latencies are in a file."""

    around: Around
    energy: Spent | None


class Accuracy(Loaded):
    """Result of an accuracy run; each of `outputs` is in a file of that name, with that SHA-256."""

    outputs: Mapping[str, str]
    answered_ns: Count
    """Time of all inferences, without loading."""


class TracedOperator(Answer):
    """An operator that a runtime traced. `delegate` is None if the runtime's own kernel ran it."""

    kind: str
    name: str
    delegate: str | None


class Traced(Loaded):
    """Result of a traced run; the times of whole inferences and of `operators`, in order, are in files."""

    format: Format
    note: str
    operators: tuple[TracedOperator, ...]


class Sustained(Loaded):
    """Result of a throughput run by several instances at once."""

    instances: Positive
    batch: Positive
    duration_s: float = Field(gt=0)
    samples_per_s: float = Field(ge=0)
    cores: float
    """Mean count of cores that the instances kept busy."""
    others_cores: float | None
    """Mean count of cores that other programs kept busy; None if unknown."""


class FilledCache(Answer):
    """Resident memory of the process when the cache holds so many tokens."""

    tokens: Count
    rss_bytes: Count | None


class Generated(Timed):
    """Result of a run that generates texts; the times of first tokens and of those that follow are in files."""

    texts: Positive
    timed: Count
    """Times between two tokens, of all texts."""
    prompt_tokens: Positive
    tokens: tuple[Count, ...] = Field(min_length=1, max_length=1 << 16)
    text: Annotated[str, Field(max_length=1 << 20)] | None
    prompt_instructions: Count | None = None
    token_instructions: Count | None = None
    memory: tuple[FilledCache, ...] = Field(max_length=64)
    model_bytes: Count
    state_bytes: Count
    copied_bytes_per_s: float = Field(gt=0)
    last_cache_bytes: Count

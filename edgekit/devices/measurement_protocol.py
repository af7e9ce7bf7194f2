"""Answers of the runner's verbs that load a model: describe, latency, instructions, accuracy, operators, throughput."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from edgekit.devices.protocol import Answer, Count, Info, Positive
from edgekit.ir.artifact import Format
from edgekit.ir.measurement import Around, Conditions, Watched
from edgekit.ir.signature import Signature


class Described(Answer):
    """What a bare model file takes and gives, and the files beside it that belong to it."""

    format: Format
    runtime: str
    signature: Signature
    files: tuple[str, ...]


class Loaded(Answer):
    """A model that was loaded and run on one sample, and where."""

    load_ns: Count
    first_ns: Count
    peak_rss_bytes: Count | None
    empty_rss_bytes: Count | None
    """What the process held before the model was loaded."""
    model_sha256: str
    runtime: str
    provider: str | None
    """As `SelfTest`'s, and the next."""
    planned_provider: str | None
    threads: Positive
    count: Positive
    info: Info

    @property
    def model_rss_bytes(self) -> int | None:
        """Of the peak, what the model brought."""
        if self.peak_rss_bytes is None or self.empty_rss_bytes is None:
            return None
        return max(0, self.peak_rss_bytes - self.empty_rss_bytes)


class InstructionAnswer(Loaded):
    """How a run that counts instructions went; the counts are in a file."""


class Spent(Answer):
    """What a meter read over a span."""

    joules: float
    seconds: float = Field(gt=0)
    method: str
    uncertainty: float = Field(ge=0)
    idle_watts: float | None = None


class LatencyAnswer(Loaded):
    """How a latency run went; the samples are in a file."""

    warm_up_count: Count
    warm_up_ns: Count
    steady: bool
    before: Conditions
    after: Conditions
    watched: tuple[Watched, ...]
    cooled: bool | None
    around: Around
    energy: Spent | None


class Accuracy(Loaded):
    """How an accuracy run went; each of `outputs` is in a file of that name, and has that SHA-256."""

    outputs: Mapping[str, str]
    answered_ns: Count
    """What the answers took, loading left out."""


class TracedOperator(Answer):
    """An operator that a runtime traced. `delegate` is None if the runtime's own kernel ran it."""

    kind: str
    name: str
    delegate: str | None


class Traced(Loaded):
    """What a trace holds; the times of the whole and of `operators`, in order, are in files."""

    format: Format
    note: str
    operators: tuple[TracedOperator, ...]


class Sustained(Loaded):
    """How many inferences were made, and how many samples a second, by several instances at once."""

    instances: Positive
    batch: Positive
    duration_s: float = Field(gt=0)
    samples_per_s: float = Field(ge=0)
    cores: float
    """Kept busy by the instances, on average."""
    others_cores: float | None
    """Kept busy by other programs."""

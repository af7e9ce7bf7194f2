"""What a report holds of one endpoint: its answers, its time, its memory, its energy, and the machine meanwhile."""

from __future__ import annotations

from pydantic import Field

from edgekit.ir.measurement import Around, Conditions, Energy, Environment, Kind, ServerTime
from edgekit.parity.histogram import Histogram
from edgekit.report.base import Record


class MetricRecord(Record):
    """The metric of one endpoint, between the ends of its 95 % interval."""

    name: str
    value: float
    low: float
    high: float


class LatencyRecord(Record):
    """Nanoseconds one inference takes. A percentile that `count` cannot support is null."""

    count: int
    valid: bool
    """Whether these numbers may be quoted."""
    reason: str | None = None
    """Why they may not."""
    p50: int | None
    p90: int | None
    """With 99 % confidence the true one is not above (MLPerf's early stopping); needs 64 inferences."""
    p95: int | None = None
    """As `p90`; needs 130 inferences."""
    p99: int | None = None
    """As `p90`; needs 662 inferences."""
    p99_9: int | None = None
    """As `p90`; needs 6,636 inferences."""
    between_runs: float | None = None
    """The largest median of a process minus the smallest, over their median."""
    histogram: Histogram | None = None
    """Counts between edges in nanoseconds, which are the same for the reference and the candidate."""


class During(Record):
    """The machine while a process was timed. What is not known is null."""

    others_cores: float | None
    """The most cores that others kept busy in any half second."""
    waited: float | None
    """The largest share of a half second that the program waited for a core."""
    clock_mhz: dict[str, float]
    """The lowest clock seen, by group of cores."""
    temperature_c: float | None
    """Of the hottest sensor, the highest seen."""


class ProcessRecord(Record):
    """One process of a latency run: loaded anew, warmed up, timed."""

    count: int
    p50: int | None
    """Nanoseconds; null if it timed nothing."""
    load_ns: int
    first_ns: int
    warm_up_count: int
    warm_up_ns: int
    steady: bool
    """Whether the warm-up ended because the times had settled, not because its limit came."""
    cooled: bool | None
    """Whether the machine was as cool as before the first process; null without a sensor."""
    before: Conditions
    after: Conditions
    during: During | None = None
    """Left out where nobody watched."""


class EndpointRecord(Record):
    """What one endpoint, the reference or the candidate, made of the samples."""

    kind: Kind
    metric: MetricRecord
    samples: int
    samples_per_s: float | None = None
    """How fast the outputs came, several at a time where the endpoint takes them so."""
    load_ns: int
    """From nothing to a loaded model."""
    first_ns: int
    """The first inference, which may allocate and compile."""
    latency_ns: LatencyRecord
    processes: tuple[ProcessRecord, ...] | None = None
    """What was timed by, in order."""
    cpus: tuple[int, ...] | None = None
    """The cores it was bound to; left out where it was bound to none."""
    around: Around | None = None
    """Nanoseconds on either side of an inference, medians."""
    peak_rss_bytes: int | None
    model_rss_bytes: int | None = None
    """Of the peak, what was not there before the model was loaded."""
    energy: Energy | None = None
    """Of one inference; left out where no sensor exists."""
    server: ServerTime | None = None
    """Where a request spends its time, if the endpoint is a server."""
    instructions: int | None = Field(None, ge=1)
    """Of one inference, counted by an emulated device."""
    environment: Environment

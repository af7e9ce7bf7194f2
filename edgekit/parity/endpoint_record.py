"""Summary of one endpoint of a comparison: its answers, time, memory and energy, and the machine meanwhile.

`compare` makes these records and a report holds them as they are. A field whose JSON key leaves out
the unit, such as `p50`, has the unit in its name and the key as its alias.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from edgekit.ir.measurement import Around, Conditions, Energy, Environment, Kind, Process, ServerTime, Watched
from edgekit.ir.record import Record
from edgekit.parity.latency_histogram import Histogram
from edgekit.tasks.metric import SHARE


class MetricRecord(Record):
    """The metric of one endpoint, between the ends of its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    unit: str = SHARE
    """`share` for a metric in [0, 1]; else the unit of its values, such as `dB`, or empty for plain numbers."""
    higher_is_better: bool = True


class LatencyRecord(Record):
    """Nanoseconds one inference takes. A percentile that `count` cannot support is null."""

    count: int
    valid: bool
    """True if these numbers may be quoted."""
    reason: str | None = None
    """Cause of an invalid latency."""
    p50_ns: int | None = Field(alias="p50")
    p90_ns: int | None = Field(alias="p90")
    """Upper bound of the true percentile at 99 % confidence (MLPerf's early stopping); needs 64 inferences."""
    p95_ns: int | None = Field(None, alias="p95")
    """The same bound of the 95th percentile; needs 130 inferences."""
    p99_ns: int | None = Field(None, alias="p99")
    """The same bound of the 99th percentile; needs 662 inferences."""
    p999_ns: int | None = Field(None, alias="p99_9")
    """The same bound of the 99.9th percentile; needs 6,636 inferences."""
    between_runs: float | None = None
    """The largest median of a process minus the smallest, over their median; null for fewer than two processes."""
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
    """The highest temperature of the hottest sensor."""


class ProcessRecord(Record):
    """One process of a latency run: loaded anew, warmed up, timed."""

    count: int
    p50_ns: int | None = Field(alias="p50")
    """Median in nanoseconds; null if it timed nothing."""
    load_ns: int
    first_ns: int
    warm_up_count: int
    warm_up_ns: int
    steady: bool
    """True if the warm-up ended because the times had settled, false if its limit came."""
    cooled: bool | None
    """True if the machine was as cool as before the first process; null without a sensor."""
    before: Conditions
    after: Conditions
    during: During | None = None
    """Left out where nobody watched."""


class EndpointRecord(Record):
    """One endpoint, the reference or the candidate, over the samples of a comparison."""

    kind: Kind
    score: MetricRecord | None = Field(None, alias="metric")
    """Left out where the samples have no labels."""
    samples: int
    samples_per_s: float | None = None
    """Throughput of the outputs, several at a time where the endpoint takes them so."""
    load_ns: int
    """Time from nothing to a loaded model."""
    first_ns: int
    """The first inference, which may allocate and compile."""
    latency: LatencyRecord = Field(alias="latency_ns")
    processes: tuple[ProcessRecord, ...] | None = None
    """The processes of the latency run, in order."""
    cpus: tuple[int, ...] | None = None
    """The cores it was bound to; left out where it was bound to none."""
    around: Around | None = None
    """Nanoseconds on either side of an inference, medians."""
    peak_rss_bytes: int | None
    model_rss_bytes: int | None = None
    """Part of the peak that was not there before the model was loaded."""
    energy: Energy | None = None
    """Energy of one inference; left out where no sensor exists."""
    server: ServerTime | None = None
    """Parts of a request's time, if the endpoint is a server."""
    instructions: int | None = Field(None, ge=1)
    """Instructions of one inference, counted by an emulated device."""
    environment: Environment

    @property
    def metric_unit(self) -> str:
        """Unit of the metric, in which some gates are shown; `share` where there is none."""
        return self.score.unit if self.score else SHARE


def process_record(process: Process, median_ns: int | None) -> ProcessRecord:
    """Summary of one process whose latencies have this median."""
    return ProcessRecord(
        count=process.count,
        p50_ns=median_ns,
        load_ns=process.load_ns,
        first_ns=process.first_ns,
        warm_up_count=process.warm_up_count,
        warm_up_ns=process.warm_up_ns,
        steady=process.steady,
        cooled=process.cooled,
        before=process.before,
        after=process.after,
        during=_during(process.watched) if process.watched else None,
    )


def _during(spans: Sequence[Watched]) -> During:
    """The worst of every span."""
    clocks: dict[str, float] = {}
    for span in spans:
        clocks |= {name: min(mhz, clocks.get(name, mhz)) for name, mhz in span.clock_mhz.items()}
    return During(
        others_cores=_most(span.others_cores for span in spans),
        waited=_most(span.waited for span in spans),
        clock_mhz=clocks,
        temperature_c=_most(span.temperature_c for span in spans),
    )


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)

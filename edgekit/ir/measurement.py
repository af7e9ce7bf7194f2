"""What a probe brings home, the same from a device and from the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Kind = Literal["eager", "local", "emulated", "device", "serving"]


@dataclass(frozen=True)
class Environment:
    """Where a measurement was taken. What is not known is None, never zero."""

    kind: Kind
    machine: str | None
    """The instruction set, as `uname -m` says it: x86_64, aarch64. Of a server nothing is known but its runtime."""
    system: str | None
    """Kernel name and release."""
    cpu: str | None
    cores: int | None
    ram_bytes: int | None
    runtime: str
    """Name and version of what ran the model, such as `onnxruntime 1.31.1`."""
    python: str | None
    threads: int | None
    host_stand_in: bool
    """True when the machine that built the model stood in for the target."""
    provider: str | None = None
    """What ran the model, as targets name it: `tensorrt`, `cuda`, `cpu`; None where a runtime has no choice."""
    planned_provider: str | None = None
    """What its engine plan wants; None without one."""

    @property
    def missed_provider(self) -> str | None:
        """The provider that the plan wants, if another ran the model."""
        return None if self.provider == self.planned_provider else self.planned_provider


@dataclass(frozen=True)
class Conditions:
    """The machine at one moment. What is not known is None or not in the mapping, never zero."""

    clock_mhz: Mapping[str, float] = field(default_factory=dict)
    """By group of cores that share a clock, as cpufreq names it: `policy0`."""
    limit_mhz: Mapping[str, float] = field(default_factory=dict)
    """The highest clock that the system allows the group now."""
    governor: Mapping[str, str] = field(default_factory=dict)
    temperature_c: Mapping[str, float] = field(default_factory=dict)
    """By sensor."""
    throttled: tuple[str, ...] | None = None
    """What holds the machine back now, such as `under-voltage`; empty if it says that nothing does."""
    throttle_events: int | None = None
    """How often it was held back since it started, where the system counts."""
    load_1m: float | None = None
    """Programs that ran or waited to, a mean of one minute."""
    available_bytes: int | None = None
    battery_percent: float | None = None
    charging: bool | None = None
    screen_on: bool | None = None
    power_mode: str | None = None
    """As the board names it: `MAXN`, `15W`."""


@dataclass(frozen=True)
class Watched:
    """What surrounded one span of the timing, half a second or one long inference."""

    at_ns: int
    """Its end, since the timing began."""
    count: int
    """Inferences timed by then."""
    others_cores: float | None
    """How many cores others kept busy in it."""
    waited: float | None
    """Share of the span that the program waited for a core to run on."""
    clock_mhz: Mapping[str, float] = field(default_factory=dict)
    temperature_c: float | None = None
    """The hottest sensor."""


@dataclass(frozen=True)
class Energy:
    """Of one inference, all that the sensor sees of the machine included."""

    joules: float
    idle_watts: float | None
    """What it drew before, doing nothing."""
    watts: float
    method: str
    """The sensor, and how it was read."""
    uncertainty: float
    """A share of `joules`: the sensor's own, and what its rate leaves open."""


@dataclass(frozen=True)
class Process:
    """One process of a latency run: loaded anew, warmed up, timed."""

    count: int
    """Its share of `latency_ns`, in order."""
    load_ns: int
    first_ns: int
    warm_up_count: int
    warm_up_ns: int
    steady: bool
    """Whether the warm-up ended because the times had settled, not because its limit came."""
    before: Conditions
    after: Conditions
    watched: tuple[Watched, ...] = ()
    cooled: bool | None = None
    """Whether the machine was as cool as before the first process; None without a sensor."""


@dataclass(frozen=True)
class Around:
    """Nanoseconds on either side of an inference, medians: the artifact holds the preprocessing itself."""

    before_ns: int
    """From stored samples to what the runtime takes."""
    after_ns: int
    """From what the runtime gives to real values."""


@dataclass(frozen=True)
class ServerTime:
    """Where a request to a server spends its time, means in nanoseconds."""

    round_trip_ns: int | None
    """An empty request and its answer on the same connection: what the network takes at least."""
    queue_ns: int | None = None
    """By the server's own statistics, as the next."""
    compute_ns: int | None = None
    """Input, inference and output within the server."""
    version: str = ""
    """The server's name and version."""


@dataclass(frozen=True)
class Validity:
    """Whether the latency may be quoted, and if not, why."""

    valid: bool
    reason: str | None = None


@dataclass(frozen=True)
class Measurement:
    """One endpoint, one set of samples, raw: summaries are made at the edge."""

    outputs: Mapping[str, Array]
    """By output name, [N, …]: real values, dequantized where the model returns integers."""
    labels: Array
    """int64 [N], as the data set has them."""
    samples_digest: str
    """SHA-256 over the samples in order: two measurements can be paired only if it is the same."""
    latency_ns: Array
    """int64 [M]: one inference each, none left out; empty if latency was not asked for."""
    load_ns: int
    first_ns: int
    peak_rss_bytes: int | None
    environment: Environment
    validity: Validity
    instructions: int | None = None
    """Of one inference, in user space: the least of several. Only an emulated device counts them."""
    processes: tuple[Process, ...] = ()
    """What `latency_ns` was timed by, in order; empty where that is not known."""
    model_rss_bytes: int | None = None
    """Of the peak, what was not there before the model was loaded."""
    around: Around | None = None
    energy: Energy | None = None
    server: ServerTime | None = None
    samples_per_s: float | None = None
    """How fast the outputs came, several at a time where the endpoint takes them so."""

    def __repr__(self) -> str:
        where = f"{self.environment.runtime} on {self.environment.machine}"
        return f"<Measurement of {len(self)} samples by {where}, {len(self.latency_ns)} latencies>"

    def __len__(self) -> int:
        return len(self.labels)


def no_latency() -> Array:
    """An empty int64 [0] array: latency was not measured."""
    return np.empty(0, np.int64)

"""Measurement of an endpoint: outputs, latencies, memory and conditions, the same for device and reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Kind = Literal["eager", "local", "emulated", "device", "serving"]


@dataclass(frozen=True)
class Environment:
    """Environment of a measurement: machine and runtime. Unknown values are None, never zero."""

    kind: Kind
    machine: str | None
    """Instruction set, as `uname -m` prints it: x86_64, aarch64. For a server only the runtime is known."""
    system: str | None
    """Kernel name and release."""
    cpu: str | None
    cores: int | None
    ram_bytes: int | None
    runtime: str
    """Name and version of the runtime, such as `onnxruntime 1.31.1`."""
    python: str | None
    threads: int | None
    host_stand_in: bool
    """True if the machine that built the model stood in for the target."""
    provider: str | None = None
    """Execution provider that ran the model, as targets name it: `tensorrt`, `cuda`, `cpu`; None without a choice."""
    planned_provider: str | None = None
    """Execution provider of the engine plan; None without a plan."""

    @property
    def missed_provider(self) -> str | None:
        """Provider of the plan, if another ran the model; else None."""
        return None if self.provider == self.planned_provider else self.planned_provider


@dataclass(frozen=True)
class Conditions:
    """State of the machine at one moment. Unknown values are None, or not in the mapping; never zero."""

    clock_mhz: Mapping[str, float] = field(default_factory=dict)
    """Clock by group of cores that share one, as cpufreq names it: `policy0`."""
    limit_mhz: Mapping[str, float] = field(default_factory=dict)
    """Highest clock that the system allows the group now."""
    governor: Mapping[str, str] = field(default_factory=dict)
    temperature_c: Mapping[str, float] = field(default_factory=dict)
    """Temperature by sensor."""
    throttled: tuple[str, ...] | None = None
    """Reasons for throttling now, such as `under-voltage`; empty if the machine reports none."""
    throttle_events: int | None = None
    """Number of throttling events since the machine started, if the system counts them."""
    load_1m: float | None = None
    """Load average: programs that ran or waited to, a mean of one minute."""
    available_bytes: int | None = None
    battery_percent: float | None = None
    charging: bool | None = None
    screen_on: bool | None = None
    power_mode: str | None = None
    """Power mode, as the board names it: `MAXN`, `15W`."""


@dataclass(frozen=True)
class Watched:
    """Disturbance of one span of the timing: half a second, or one long inference."""

    at_ns: int
    """End of the span, since the timing began."""
    count: int
    """Inferences timed until then."""
    others_cores: float | None
    """Cores that other programs kept busy."""
    waited: float | None
    """Share of the span that the program waited for a core to run on."""
    clock_mhz: Mapping[str, float] = field(default_factory=dict)
    temperature_c: float | None = None
    """Temperature of the hottest sensor."""


@dataclass(frozen=True)
class Energy:
    """Energy of one inference, of all parts of the machine that the sensor covers."""

    joules: float
    idle_watts: float | None
    """Power of the idle machine, before the inferences."""
    watts: float
    method: str
    """Sensor, and the way it was read."""
    uncertainty: float
    """Uncertainty as a share of `joules`: the sensor's own, and that of its sampling rate."""


@dataclass(frozen=True)
class Process:
    """One process of a latency run: it loads the model, warms up, and is timed."""

    count: int
    """Number of its inferences in `latency_ns`; processes follow in order."""
    load_ns: int
    first_ns: int
    warm_up_count: int
    warm_up_ns: int
    steady: bool
    """True if the warm-up ended because the times had settled, not because of its limit."""
    before: Conditions
    after: Conditions
    watched: tuple[Watched, ...] = ()
    cooled: bool | None = None
    """True if the machine was as cool as before the first process; None without a sensor."""


@dataclass(frozen=True)
class Around:
    """Time before and after an inference, medians in nanoseconds.

    Preprocessing is a part of the artifact, not of these.
    """

    before_ns: int
    """Time from stored samples to the runtime's inputs."""
    after_ns: int
    """Time from the runtime's outputs to real values."""


@dataclass(frozen=True)
class ServerTime:
    """Parts of the time of a request to a server, means in nanoseconds."""

    round_trip_ns: int | None
    """Time of an empty request on the same connection: the least time of the network."""
    queue_ns: int | None = None
    """Time in the server's queue, by its own statistics."""
    compute_ns: int | None = None
    """Time of input, inference and output within the server, by its own statistics."""
    version: str = ""
    """Name and version of the server."""


@dataclass(frozen=True)
class Validity:
    """Validity of a latency: if it may be quoted, and the reason if not."""

    valid: bool
    reason: str | None = None


@dataclass(frozen=True)
class AcceleratorUse:
    """Use that a loaded model makes of an accelerator, as the runner tells it. Unknown values are None."""

    kind: str
    """Kind of accelerator: `litert-gpu`."""
    device: str | None
    driver: str | None
    software: bool
    """True if a program of the CPU stands in for the device: its times say nothing of any device's."""
    precision: str | None
    """Number format of the arithmetic: float16, float32, int8."""
    operators: int | None
    """Operators of the model."""
    taken: int | None
    """Operators that the accelerator runs."""
    left: tuple[tuple[str, int], ...] = ()
    """Kinds of operators that it refuses, each with the count of such operators in the model: it may take some."""
    cached: bool | None = None
    """True if the load used kernels of an earlier one; None where none are kept."""
    note: str = ""
    """Reasons why it refuses operators, in its runtime's words."""

    @property
    def fully(self) -> bool | None:
        """True if it runs all operators; None if not known."""
        return None if self.operators is None or self.taken is None else self.taken == self.operators

    @property
    def refused(self) -> tuple[str, ...]:
        """Kinds that it refuses with their counts, `some of` them where not so many operators are left to the CPU."""
        left = (self.operators or 0) - (self.taken or 0)
        exact = sum(count for _, count in self.left) <= left
        return tuple(f"{count} {kind}" if exact else f"some of {count} {kind}" for kind, count in self.left)


@dataclass(frozen=True)
class Measurement:
    """Raw measurement of one endpoint on one set of samples; summaries are computed where they are shown."""

    outputs: Mapping[str, Array]
    """Outputs by name, [N, …]: real values, dequantized if the model returns integers."""
    labels: Array
    """Labels of the data set, int64 [N]."""
    samples_digest: str
    """SHA-256 over the samples in order: two measurements can be paired only if it is the same."""
    latency_ns: Array
    """Latencies of all single inferences, int64 [M]; empty if latency was not measured."""
    load_ns: int
    first_ns: int
    peak_rss_bytes: int | None
    environment: Environment
    validity: Validity
    instructions: int | None = None
    """Instructions of one inference, in user space: the least of several. Only an emulated device counts them."""
    processes: tuple[Process, ...] = ()
    """Processes that timed `latency_ns`, in order; empty if not known."""
    model_rss_bytes: int | None = None
    """Part of the peak memory that was added after the model began to load."""
    around: Around | None = None
    energy: Energy | None = None
    server: ServerTime | None = None
    samples_per_s: float | None = None
    """Rate of the outputs, computed in batches if the endpoint takes them."""
    accelerator: AcceleratorUse | None = None
    """Accelerator that the measurement asked for, as it was used; None for the runtime's own choice, and the CPU."""
    length: Array | None = None
    """Steps of each sequence, int64 [N], where outputs are [N, T, …]; None for single samples."""
    groups: Array | None = None
    """Group of each sample, int64 [N], such as its video; None where samples are independent."""

    def take(self, indices: Array, samples_digest: str) -> Measurement:
        """Select the answers to the samples at `indices`, int64 [n], in that order.

        samples_digest: digest of these samples. All that was measured besides answers is kept as it is.
        """
        return replace(
            self,
            outputs={name: array[indices] for name, array in self.outputs.items()},
            labels=self.labels[indices],
            samples_digest=samples_digest,
            length=None if self.length is None else self.length[indices],
            groups=None if self.groups is None else self.groups[indices],
        )

    def __repr__(self) -> str:
        where = f"{self.environment.runtime} on {self.environment.machine}"
        return f"<Measurement of {len(self)} samples by {where}, {len(self.latency_ns)} latencies>"

    def __len__(self) -> int:
        return len(self.labels)


def no_latency() -> Array:
    """Empty array int64 [0], for a latency that was not measured."""
    return np.empty(0, np.int64)

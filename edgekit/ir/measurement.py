"""What a probe brings home, the same from a device and from the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Kind = Literal["eager", "local", "emulated", "device", "serving"]


@dataclass(frozen=True)
class Environment:
    """Where a measurement was taken. What is not known is None, never zero."""

    kind: Kind
    machine: str
    """The instruction set, as `uname -m` says it: x86_64, aarch64."""
    system: str
    """Kernel name and release."""
    cpu: str | None
    cores: int
    ram_bytes: int | None
    runtime: str
    """Name and version of what ran the model, such as `onnxruntime 1.31.1`."""
    python: str
    threads: int
    host_stand_in: bool
    """True when the machine that built the model stood in for the target."""


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

    def __len__(self) -> int:
        return len(self.labels)


def no_latency() -> Array:
    """An empty int64 [0] array: latency was not measured."""
    return np.empty(0, np.int64)

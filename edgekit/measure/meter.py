"""Energy meters that are connected to this machine, not to the device: plug-ins of the group `edgekit.meters`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from edgekit import plugins
from edgekit.errors import ProbeError


@dataclass(frozen=True)
class Reading:
    """Energy that a meter measured between `start` and `stop`."""

    joules: float
    seconds: float
    method: str
    """Name of the meter, and how it was read; the report shows it."""
    uncertainty: float
    """Relative uncertainty of `joules`: the meter's accuracy, and the error of its sampling rate."""


class Meter(Protocol):
    """An instrument that measures the energy of the whole device from outside, such as a USB power meter.

    To write one:

    1. Write a class whose constructor takes no arguments and opens the instrument; it raises ProbeError if it cannot.
    2. `start` begins a span. Sample the power in a thread of your own, as often as the instrument allows.
    3. `stop` ends the span and returns the energy of it. The pair is called several times on one object.
    4. Both raise ProbeError if the instrument does not answer.
    5. Name the class in the entry-point group `edgekit.meters`; `[probe] meter = "bench"` of a profile then uses it.

    ```toml
    [project.entry-points."edgekit.meters"]
    bench = "my_package.bench:BenchMeter"
    ```

    ```python
    class BenchMeter:
        # The instrument integrates the power itself, so that no thread is needed.

        def __init__(self) -> None:
            self._port = open_port("/dev/ttyACM0")

        def start(self) -> None:
            self._began, self._joules = time.monotonic(), self._port.read_joules()

        def stop(self) -> Reading:
            joules = self._port.read_joules() - self._joules
            return Reading(joules, time.monotonic() - self._began, "bench meter, its own counter", uncertainty=0.01)
    ```
    """

    def start(self) -> None:
        """Begin a span. Raises ProbeError."""

    def stop(self) -> Reading:
        """End the span and return its energy. Raises ProbeError."""


def load_meter(name: str) -> Meter:
    """Open the meter that is registered as `name`.

    Raises UnknownName (with the nearest), Ambiguous, MissingExtra, and ProbeError if the meter cannot be opened.
    """
    meter: Meter = plugins.load("meters", name)()
    return meter


def check_reading(reading: Reading, name: str) -> Reading:
    """Check the reading of a plug-in. Raises ProbeError if a number is negative, infinite or not a number."""
    numbers = (reading.joules, reading.seconds, reading.uncertainty)
    if not all(map(math.isfinite, numbers)) or reading.joules < 0 or reading.seconds <= 0 or reading.uncertainty < 0:
        raise ProbeError(f"the meter '{name}' says {reading.joules} J in {reading.seconds} s, ± {reading.uncertainty}")
    return reading

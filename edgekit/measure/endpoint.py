"""What can be measured."""

from __future__ import annotations

from typing import Protocol

from edgekit.ir.measurement import Measurement
from edgekit.samples import Samples
from edgekit.specs.profile import Probe


class Endpoint(Protocol):
    """A model that answers: on a device, in this process, or behind a server."""

    def measure(self, samples: Samples, probe: Probe | None) -> Measurement:
        """The outputs for every sample, and the latency of single inferences where `probe` says how.

        Raises a DeviceError, ProbeError above all, if it cannot be taken.
        """
        ...

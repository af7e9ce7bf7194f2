"""Protocol of everything that can be measured."""

from __future__ import annotations

from typing import Protocol

from edgekit.ir.measurement import Measurement
from edgekit.samples import Samples
from edgekit.specs.profile import Probe


class Endpoint(Protocol):
    """A model that answers samples: on a device, in this process, or behind a server.

    To write one:

    1. Make a frozen dataclass whose fields say where the model is. Nothing is opened until `measure` is called.
    2. In `measure`, answer every sample in the order of the set, one row of each output per sample.
    3. If `probe` is not None, also time single inferences, as its fields say, before the machine is warm from the rest.
    4. State by `validity` whether the latencies may be compared, and in `environment` where they come from.
    5. Return a `Measurement` with the labels and the digest of `samples`: `parity.compare` pairs measurements by them.

    ```python
    @dataclass(frozen=True)
    class Constant:
        # Answers every sample with zeros, such as a test needs.
        classes: int
        environment: Environment

        def measure(self, samples: Samples, probe: Probe | None) -> Measurement:
            return Measurement(
                outputs={"output": np.zeros((len(samples), self.classes), np.float32)},
                labels=samples.labels,
                groups=samples.groups,
                samples_digest=samples.digest,
                latency_ns=no_latency(),
                load_ns=0,
                first_ns=0,
                peak_rss_bytes=None,
                environment=self.environment,
                validity=NOT_ASKED,
            )
    ```

    `device.installed.Installed` is one on a device, `serving.endpoint.ServedModel` one behind a server.
    """

    def measure(self, samples: Samples, probe: Probe | None) -> Measurement:
        """Measure the outputs for every sample and, unless `probe` is None, the latency of single inferences.

        Outputs are [N, …] by name, in the order of `samples`; latencies are int64 nanoseconds [M]. Raises a
        DeviceError or ServingError, ProbeError above all, if the measurement could not be taken.
        """
        ...

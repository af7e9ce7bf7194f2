"""A model behind a server, as its clients see it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace

from edgekit.ir.measurement import Environment, Measurement
from edgekit.measure.serving.latency import RequestTiming
from edgekit.measure.serving.open_inference import Access
from edgekit.measure.serving.requests import Requests, opened
from edgekit.measure.serving.retry import patiently
from edgekit.measure.serving.signature_match import matched
from edgekit.measure.serving.tensors import TransferBounds
from edgekit.measure.shards import Shards, answered
from edgekit.samples import Samples
from edgekit.specs.profile import Probe
from edgekit.specs.project import Project


@dataclass(frozen=True)
class ServedModel:
    """An endpoint: a model behind a server that speaks the Open Inference Protocol, version 2."""

    project: Project
    access: Access
    shards: Shards = field(default_factory=Shards)
    """How the answers come, and where those that came are kept."""

    def measure(self, samples: Samples, probe: Probe | None) -> Measurement:
        """Outputs for every sample, several requests at once; and the latency of single ones if `probe` asks for it.

        To connect and hear what the model takes is `load_ns`, the first request `first_ns`. Raises a ServingError, and
        ModelMismatch before anything is asked of a model that is not the project's.
        """
        began = time.perf_counter_ns()
        with opened(self.access) as client:
            description = patiently(client.describe, self.access)
            load_ns = time.perf_counter_ns() - began
        edges = matched(self.project, description)
        binary = description.binary or self.access.address.grpc
        bounds = TransferBounds.of(tuple(edges.outputs.values()), self.access.batch, binary)
        requests = Requests(replace(self.access, binary=binary, **asdict(bounds)), edges)
        with opened(requests.access) as client:
            # Latency first, of a server that is not under load.
            timing = RequestTiming(client, requests, description.server, load_ns).of(samples, probe)
        mine = self.shards.of(self.access.address, self.access.address.model, description, samples.digest)
        outputs, pace = answered(samples, requests.answers, mine)
        return Measurement(
            outputs=outputs,
            labels=samples.labels,
            samples_digest=samples.digest,
            latency_ns=timing.latency_ns,
            load_ns=load_ns,
            first_ns=timing.first_ns,
            peak_rss_bytes=None,
            environment=_environment(description.server),
            validity=timing.validity,
            processes=timing.processes,
            server=timing.server,
            samples_per_s=pace or None,
        )


def _environment(server: str) -> Environment:
    """Of the machine behind a server nothing is known."""
    return Environment(
        kind="serving",
        machine=None,
        system=None,
        cpu=None,
        cores=None,
        ram_bytes=None,
        runtime=server,
        python=None,
        threads=None,
        host_stand_in=False,
    )

"""Measure a model behind a server, as its clients see it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace

from edgekit.ir.measurement import Environment, Measurement
from edgekit.measure.serving.latency import RequestTiming
from edgekit.measure.serving.open_inference import Access
from edgekit.measure.serving.requests import Requests, open_client
from edgekit.measure.serving.retry import with_retries
from edgekit.measure.serving.signature_match import match_signature
from edgekit.measure.serving.tensors import TransferBounds
from edgekit.measure.shards import Shards, answer_in_shards
from edgekit.samples import Samples
from edgekit.specs.profile import Probe
from edgekit.specs.project import Project


@dataclass(frozen=True)
class ServedModel:
    """An endpoint: a model behind a server that speaks the Open Inference Protocol, version 2."""

    project: Project
    access: Access
    shards: Shards = field(default_factory=Shards)
    """Division of the samples into shards, and the folder that keeps answered shards after a failure."""

    def measure(self, samples: Samples, probe: Probe | None) -> Measurement:
        """Measure the outputs for every sample by concurrent requests, and latency by single ones if `probe` is set.

        `load_ns` is the time to connect and read the model's metadata, `first_ns` that of the first request. Raises a
        ServingError; ModelMismatch before any sample is sent to a model that is not the project's.
        """
        began = time.perf_counter_ns()
        with open_client(self.access) as client:
            description = with_retries(client.describe, self.access)
            load_ns = time.perf_counter_ns() - began
        edges = match_signature(self.project, description)
        binary = description.binary or self.access.address.grpc
        bounds = TransferBounds.of(tuple(edges.outputs.values()), self.access.batch, binary)
        requests = Requests(replace(self.access, binary=binary, **asdict(bounds)), edges)
        with open_client(requests.access) as client:
            # Latency first, of a server that is not under load.
            timing = RequestTiming(client, requests, description.server, load_ns).of(samples, probe)
        mine = self.shards.of(self.access.address, self.access.address.model, description, samples.digest)
        outputs, pace = answer_in_shards(samples, requests.answers, mine)
        return Measurement(
            outputs=outputs,
            labels=samples.labels,
            groups=samples.groups,
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
    """Build the environment: only the server's name and version are known, nothing of its machine."""
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

"""The latency of single requests as the client sees it, and where it goes: network, queue, computing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from statistics import median

from edgekit.ir.measurement import Array, Conditions, Process, ServerTime, Validity, no_latency
from edgekit.ir.validity import NOT_ASKED, validity
from edgekit.measure.serving.open_inference import Client, Statistics
from edgekit.measure.serving.requests import Limit, Requests
from edgekit.measure.serving.retry import patiently
from edgekit.runner.model.tensors import CYCLED_BYTES
from edgekit.runner.timing import loop
from edgekit.samples import Samples
from edgekit.specs.profile import Probe

ROUND_TRIPS = 64
"""Empty requests, whose median is taken."""
UNSEEN = Conditions()


@dataclass(frozen=True)
class ServedLatency:
    """What timing brought."""

    first_ns: int
    latency_ns: Array
    validity: Validity
    server: ServerTime
    processes: tuple[Process, ...] = ()


@dataclass(frozen=True)
class RequestTiming:
    """One request after another, each with one sample, on the connection of `client`, which is kept."""

    client: Client
    requests: Requests
    server: str
    """Its name and version."""
    load_ns: int

    def of(self, samples: Samples, probe: Probe | None) -> ServedLatency:
        """The latency; without `probe` that of the first request only."""
        singles = [samples.take([i]) for i in range(_cycled(samples) if probe else 1)]
        prepared = [self.client.prepare(self.requests.edges.columns(single)) for single in singles]
        self._live()  # connects
        began = time.perf_counter_ns()
        self.requests.answer(self.client, prepared[0], 1)
        first_ns = time.perf_counter_ns() - began
        if probe is None:
            return ServedLatency(first_ns, no_latency(), NOT_ASKED, ServerTime(None, version=self.server))
        round_trip_ns = self._round_trip_ns()
        stream, spent = self._stream(prepared, probe)
        taken = stream.latency_ns
        # What goes on in the server's machine is not known: what is left to judge by are count, warm-up and pace.
        process = Process(
            len(taken), self.load_ns, first_ns, stream.warm_up_count, stream.warm_up_ns, stream.steady, UNSEEN, UNSEEN
        )
        where = ServerTime(round_trip_ns, version=self.server)
        if spent and spent.count:
            queue_ns, compute_ns = spent.queue_ns // spent.count, spent.compute_ns // spent.count
            where = ServerTime(round_trip_ns, queue_ns, compute_ns, self.server)
        return ServedLatency(first_ns, taken, validity([process], taken, probe.min_count, 1, 1), where, (process,))

    def _stream(self, prepared: list[object], probe: Probe) -> tuple[loop.TimedInferences, Statistics | None]:
        """The times, and what the server counted meanwhile, after the warm-up, if it counts."""
        outputs = tuple(self.requests.edges.outputs.values())
        limit = Limit(self.requests.access, probe.min_count, 2 * probe.min_duration_s)
        before: list[Statistics | None] = []

        def call(request: object) -> None:
            limit.check()
            patiently(partial(self.client.infer, request, outputs), self.requests.access)

        stream = loop.single_stream(
            call,
            prepared,
            probe.min_count,
            probe.min_duration_s,
            started=lambda: before.append(self._statistics()),
        )
        after = self._statistics() if before[0] else None
        return stream, after.since(before[0]) if after and before[0] else None

    def _round_trip_ns(self) -> int | None:
        """Of an empty request; None where there is none that is answered."""
        taken = []
        for _ in range(ROUND_TRIPS):
            began = time.perf_counter_ns()
            if not self._live():
                return None
            taken.append(time.perf_counter_ns() - began)
        return int(median(taken))

    def _live(self) -> bool:
        return patiently(self.client.live, self.requests.access)

    def _statistics(self) -> Statistics | None:
        return patiently(self.client.statistics, self.requests.access)


def _cycled(samples: Samples) -> int:
    # As floats: what is preprocessed here is four times as large as its pixels.
    sample_bytes = sum(4 * array[:1].nbytes for array in samples.inputs.values())
    return max(1, min(len(samples), CYCLED_BYTES // max(1, sample_bytes)))

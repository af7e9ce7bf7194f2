"""Latency of single requests as the client sees it, split into network, queue and computing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from statistics import median

from edgekit.ir.measurement import Array, Conditions, Process, ServerTime, Validity, no_latency
from edgekit.ir.validity import NOT_ASKED, validity
from edgekit.measure.serving.open_inference import Client, Statistics
from edgekit.measure.serving.requests import Limit, Requests
from edgekit.measure.serving.retry import with_retries
from edgekit.runner.model.tensors import CYCLED_BYTES
from edgekit.runner.timing import loop
from edgekit.samples import Samples
from edgekit.specs.profile import Probe

ROUND_TRIPS = 64
"""Empty requests whose median time is the network round trip."""
UNSEEN = Conditions()


@dataclass(frozen=True)
class ServedLatency:
    """Latencies of a served model, their validity, and the server's share of them."""

    first_ns: int
    latency_ns: Array
    validity: Validity
    server: ServerTime
    processes: tuple[Process, ...] = ()


@dataclass(frozen=True)
class RequestTiming:
    """Time requests one after another, each with one sample, on the persistent connection of `client`."""

    client: Client
    requests: Requests
    server: str
    """Name and version of the server."""
    load_ns: int

    def of(self, samples: Samples, probe: Probe | None) -> ServedLatency:
        """Measure the latency; without `probe` only that of the first request. Raises a ServingError."""
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
        times_ns = stream.latency_ns
        # What goes on in the server's machine is not known: what is left to judge by are count, warm-up and pace.
        process = Process(
            len(times_ns),
            self.load_ns,
            first_ns,
            stream.warm_up_count,
            stream.warm_up_ns,
            stream.steady,
            UNSEEN,
            UNSEEN,
        )
        where = ServerTime(round_trip_ns, version=self.server)
        if spent and spent.count:
            queue_ns, compute_ns = spent.queue_ns // spent.count, spent.compute_ns // spent.count
            where = ServerTime(round_trip_ns, queue_ns, compute_ns, self.server)
        return ServedLatency(
            first_ns, times_ns, validity([process], times_ns, probe.min_count, 1, 1), where, (process,)
        )

    def _stream(self, prepared: list[object], probe: Probe) -> tuple[loop.TimedInferences, Statistics | None]:
        """Time the requests, and take the difference of the server's statistics after the warm-up, if it has any."""
        outputs = tuple(self.requests.edges.outputs.values())
        limit = Limit(self.requests.access, probe.min_count, 2 * probe.min_duration_s)
        before: list[Statistics | None] = []

        def call(request: object) -> None:
            limit.check()
            with_retries(partial(self.client.infer, request, outputs), self.requests.access)

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
        """Measure the round trip of an empty request; None where the server answers none."""
        round_trips_ns = []
        for _ in range(ROUND_TRIPS):
            began = time.perf_counter_ns()
            if not self._live():
                return None
            round_trips_ns.append(time.perf_counter_ns() - began)
        return int(median(round_trips_ns))

    def _live(self) -> bool:
        return with_retries(self.client.live, self.requests.access)

    def _statistics(self) -> Statistics | None:
        return with_retries(self.client.statistics, self.requests.access)


def _cycled(samples: Samples) -> int:
    # As floats: what is preprocessed here is four times as large as its pixels.
    sample_bytes = sum(4 * array[:1].nbytes for array in samples.inputs.values())
    return max(1, min(len(samples), CYCLED_BYTES // max(1, sample_bytes)))

"""The latency of single requests as the client sees it, and where it goes: network, queue, computing."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from functools import partial

from edgekit.ir.measurement import Array, ServerTime, Validity, no_latency
from edgekit.ir.validity import NOT_ASKED, validity
from edgekit.measure.serving.asking import Asking, Limit
from edgekit.measure.serving.client import Client
from edgekit.measure.serving.patience import patiently
from edgekit.runner.timing import single_stream
from edgekit.samples import Samples
from edgekit.specs.profile import Probe

ROUND_TRIPS = 64
"""Empty requests, whose median is taken."""
CYCLED_BYTES = 16 << 20
"""Samples that are timed lie ready, serialized."""


@dataclass(frozen=True)
class Timed:
    """What timing brought."""

    first_ns: int
    latency_ns: Array
    validity: Validity
    server: ServerTime


def timed(client: Client, asking: Asking, samples: Samples, probe: Probe | None, server: str) -> Timed:
    """One request after another on one connection, each with one sample; without `probe` only the first."""
    singles = [samples.take([i]) for i in range(_cycled(samples) if probe else 1)]
    prepared = [client.prepare(asking.edges.columns(single)) for single in singles]
    patiently(client.live, asking.access)  # connects
    began = time.perf_counter_ns()
    asking.answer(client, prepared[0], 1)
    first_ns = time.perf_counter_ns() - began
    if probe is None:
        return Timed(first_ns, no_latency(), NOT_ASKED, ServerTime(None, version=server))
    round_trip_ns = _round_trip_ns(client, asking)
    before = client.statistics()
    times = _stream(client, asking, prepared, probe)
    after = client.statistics() if before else None
    valid = validity(len(times), probe.min_count, None, 1, 1)
    if before is None or after is None or after.count == before.count:
        return Timed(first_ns, times, valid, ServerTime(round_trip_ns, version=server))
    spent = after.since(before)
    where = ServerTime(round_trip_ns, spent.queue_ns // spent.count, spent.compute_ns // spent.count, server)
    return Timed(first_ns, times, valid, where)


def _stream(client: Client, asking: Asking, prepared: list[object], probe: Probe) -> Array:
    names = tuple(asking.edges.outputs.values())
    limit = Limit(asking.access, probe.min_count, 2 * probe.min_duration_s)

    def call(request: object) -> None:
        limit.check()
        patiently(partial(client.infer, request, names), asking.access)

    return single_stream(call, prepared, probe.min_count, probe.min_duration_s)


def _round_trip_ns(client: Client, asking: Asking) -> int:
    taken = []
    for _ in range(ROUND_TRIPS):
        began = time.perf_counter_ns()
        patiently(client.live, asking.access)
        taken.append(time.perf_counter_ns() - began)
    return int(statistics.median(taken))


def _cycled(samples: Samples) -> int:
    # As floats: what is preprocessed here is four times as large as its pixels.
    sample_bytes = sum(4 * array[:1].nbytes for array in samples.inputs.values())
    return max(1, min(len(samples), CYCLED_BYTES // max(1, sample_bytes)))

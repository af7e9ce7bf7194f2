"""Share of the network in the time that a client waits for a server."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.ir.measurement import ServerTime
from edgekit.parity.endpoint_record import LatencyRecord


@dataclass(frozen=True)
class NetworkShare:
    """Share of the network in the median latency of the client."""

    share: float
    """Share in [0, 1]."""
    at_least: bool
    """True where it is an empty request's round trip: the server's own time is not known, or leaves less than that."""


def network_share(latency: LatencyRecord, server: ServerTime | None) -> NetworkShare | None:
    """Share of `latency` that is not the server's own queue and compute; None if nothing is known of either.

    The server's means are compared with the client's median, and a few slow requests raise the means: the difference
    may be less than the round trip of an empty request, which is then the lower bound.
    """
    if server is None or not latency.p50_ns:
        return None
    least = None if server.round_trip_ns is None else min(1.0, server.round_trip_ns / latency.p50_ns)
    if server.compute_ns is not None:
        own_ns = server.compute_ns + (server.queue_ns or 0)
        share = max(0.0, 1 - own_ns / latency.p50_ns)
        if least is None or share >= least:
            return NetworkShare(share, at_least=False)
    return None if least is None else NetworkShare(least, at_least=True)

"""How much of what a client waits for a server is the network's."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.ir.measurement import ServerTime
from edgekit.parity.compare import Latency


@dataclass(frozen=True)
class NetworkShare:
    """Of the median that the client sees, in [0, 1]."""

    share: float
    at_least: bool
    """True where the server does not say what it takes itself: then it is an empty request's round trip."""


def network_share(latency: Latency, server: ServerTime | None) -> NetworkShare | None:
    """What is not the server's own queue and compute; None if nothing is known of either.

    A mean of the server's is held against the client's median: a few slow requests may leave nothing for the network.
    """
    if server is None or not latency.p50_ns:
        return None
    if server.compute_ns is not None:
        own_ns = server.compute_ns + (server.queue_ns or 0)
        return NetworkShare(max(0.0, 1 - own_ns / latency.p50_ns), at_least=False)
    if server.round_trip_ns is None:
        return None
    return NetworkShare(min(1.0, server.round_trip_ns / latency.p50_ns), at_least=True)

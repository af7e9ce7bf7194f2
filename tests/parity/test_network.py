from __future__ import annotations

import numpy as np
import pytest

from edgekit.ir.measurement import ServerTime
from edgekit.parity.compare import summarize
from edgekit.parity.endpoint_record import LatencyRecord
from edgekit.parity.network_time import NetworkShare, network_share
from tests.parity.examples import measurement, timed

LABELS = np.array([0])


def taking(p50_ns: int) -> LatencyRecord:
    return summarize(timed(measurement(LABELS, LABELS), np.full(64, p50_ns)))


@pytest.mark.parametrize(
    ("server", "share"),
    [
        (ServerTime(1_000_000, 500_000, 1_500_000), NetworkShare(0.8, at_least=False)),
        (ServerTime(None, None, 2_500_000), NetworkShare(0.75, at_least=False)),
        (ServerTime(1_000_000), NetworkShare(0.1, at_least=True)),
        (ServerTime(20_000_000), NetworkShare(1.0, at_least=True)),
        (ServerTime(None, 0, 12_000_000), NetworkShare(0.0, at_least=False)),
        (ServerTime(1_000_000, 0, 12_000_000), NetworkShare(0.1, at_least=True)),
        (ServerTime(1_000_000, 0, 9_500_000), NetworkShare(0.1, at_least=True)),
        (ServerTime(None), None),
        (ServerTime(None, 500_000), None),
        (None, None),
    ],
)
def test_the_network_has_what_the_server_does_not(server: ServerTime | None, share: NetworkShare | None) -> None:
    assert network_share(taking(10_000_000), server) == share


def test_without_a_time_there_is_no_share() -> None:
    assert network_share(summarize(measurement(LABELS, LABELS)), ServerTime(1, 1, 1)) is None

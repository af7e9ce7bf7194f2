"""What surrounds a run is told span by span, and never of a span that is too short to tell."""

from __future__ import annotations

import pytest

from edgekit.runner.timing import disturbance
from edgekit.runner.timing.disturbance import DisturbanceWatch

MS = 1_000_000


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """What the kernel counted so far."""
    counted: dict[str, int | None] = {"wall_ns": 0, "own_ns": 0, "busy_ns": 0, "waited_ns": 0}
    monkeypatch.setattr(disturbance, "_reading", lambda: dict(counted))
    return counted


def test_others_are_what_is_busy_and_not_the_program(machine: dict[str, int | None]) -> None:
    watched = DisturbanceWatch()
    watched.start()
    machine.update(wall_ns=500 * MS, own_ns=490 * MS, busy_ns=1490 * MS, waited_ns=5 * MS)
    watched.look(500 * MS, 10)
    (span,) = watched.spans
    assert (span["others_cores"], span["waited"], span["count"]) == (2.0, 0.01, 10)


def test_a_last_span_of_a_moment_is_left_out(machine: dict[str, int | None]) -> None:
    watched = DisturbanceWatch()
    watched.start()
    machine.update(wall_ns=500 * MS)
    watched.look(500 * MS, 10)
    machine.update(wall_ns=501 * MS, busy_ns=10 * MS)  # one tick: ten cores, if it were believed
    watched.look(501 * MS, 10)
    assert [span["at_ns"] for span in watched.spans] == [500 * MS]


def test_of_a_run_of_a_moment_nothing_is_known_of_others(machine: dict[str, int | None]) -> None:
    watched = DisturbanceWatch()
    watched.start()
    machine.update(wall_ns=4 * MS, busy_ns=10 * MS, waited_ns=MS)
    watched.look(4 * MS, 43)
    (span,) = watched.spans
    assert (span["others_cores"], span["waited"]) == (None, 0.25)


def test_a_machine_without_counters_is_unknown(machine: dict[str, int | None]) -> None:
    machine.update(busy_ns=None, waited_ns=None)
    watched = DisturbanceWatch()
    watched.start()
    machine.update(wall_ns=500 * MS)
    watched.look(500 * MS, 1)
    assert (watched.spans[0]["others_cores"], watched.spans[0]["waited"]) == (None, None)

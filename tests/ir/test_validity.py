"""A latency is a claim with a validity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edgekit.ir.measurement import Array, Conditions, Process, Watched
from edgekit.ir.validity import validity

QUIET = Conditions(throttled=())
MS = 1_000_000


def _process(count: int = 100, watched: tuple[Watched, ...] = (), **changes: object) -> Process:
    process = Process(
        count=count,
        load_ns=1,
        first_ns=1,
        warm_up_count=15,
        warm_up_ns=1,
        steady=True,
        before=QUIET,
        after=QUIET,
        watched=watched,
    )
    return replace(process, **changes)  # type: ignore[arg-type]


def _spans(
    others: Sequence[float | None], waited: float | None = 0.0, clocks: tuple[float, ...] = ()
) -> tuple[Watched, ...]:
    return tuple(
        Watched(
            at_ns=i,
            count=i,
            others_cores=taken,
            waited=waited,
            clock_mhz={"policy0": clocks[i]} if clocks else {},
        )
        for i, taken in enumerate(others)
    )


def _steady(count: int = 100) -> Array:
    return np.full(count, 5 * MS)


def _reason(process: Process, times: Array | None = None, min_count: int = 100) -> str | None:
    judged = validity([process], _steady() if times is None else times, min_count, threads=1, cores=4)
    assert judged.valid == (judged.reason is None)
    return judged.reason


def test_a_quiet_run_is_valid() -> None:
    assert _reason(_process(watched=_spans([0.5, 3.1, 0.0, 0.1]))) is None


def test_what_no_sensor_tells_is_not_held_against_a_run() -> None:
    unknown = Conditions()
    assert _reason(_process(watched=_spans([None] * 4, None), before=unknown, after=unknown)) is None


def test_too_few_are_too_few() -> None:
    assert _reason(_process(), min_count=101) == "too few: 100 inferences were timed, 101 were asked for"


def test_load_that_starts_half_way_is_told() -> None:
    reason = _reason(_process(watched=_spans([0.1] * 10 + [3.6] * 10)))
    assert reason == "the machine was busy 50% of the time: others took up to 3.6 of its 4 cores"


def test_a_moment_of_load_in_a_long_run_is_forgiven() -> None:
    assert _reason(_process(watched=_spans([0.1] * 19 + [3.6]))) is None


def test_waiting_for_a_core_is_told() -> None:
    assert _reason(_process(watched=_spans([0.0] * 4, 0.11))) == "the program waited for a core 11% of the time"


def test_throttling_is_told() -> None:
    hot = replace(QUIET, throttled=("under-voltage", "arm frequency capped"))
    assert _reason(_process(after=hot)) == "the machine was throttled: arm frequency capped, under-voltage"
    counted = replace(QUIET, throttle_events=3)
    told = _reason(_process(before=counted, after=replace(counted, throttle_events=5)))
    assert told == "the machine was throttled 2 times meanwhile"


def test_a_clock_that_moved_is_told() -> None:
    moved = _process(watched=_spans([0.0] * 10, clocks=(1800.0,) * 7 + (1000.0,) * 3))
    assert _reason(moved) == "the clock moved between 1000 and 1800 MHz"
    assert _reason(_process(watched=_spans([0.0] * 10, clocks=(1800.0,) * 9 + (1750.0,)))) is None


def test_the_clock_of_cores_that_idle_is_not_held_against_a_run() -> None:
    idle = (300.0, 1800.0, 600.0, 1200.0)
    spans = tuple(Watched(i, i, 0.0, 0.0, {"policy0": mhz, "policy4": 2400.0}) for i, mhz in enumerate(idle))
    assert _reason(_process(watched=spans)) is None


def test_more_threads_than_cores_are_no_load_of_others() -> None:
    assert validity([_process(watched=_spans([0.1] * 4))], _steady(), 100, threads=8, cores=4).valid


def test_a_machine_that_stayed_warm_is_told() -> None:
    assert "did not cool down" in (_reason(_process(cooled=False)) or "")
    assert _reason(_process(cooled=True)) is None


@pytest.mark.parametrize(("end", "word"), [(7 * MS, "slower"), (3 * MS, "quicker")])
def test_a_trend_is_told(end: int, word: str) -> None:
    drifting = np.linspace(5 * MS, end, 100).astype(np.int64)
    assert f"it became {word} while it was timed" in (_reason(_process(), drifting) or "")


def test_a_slow_model_by_the_quick_plan_has_a_trend_too() -> None:
    drifting = np.linspace(500 * MS, 700 * MS, 43).astype(np.int64)
    assert "it became slower" in (_reason(_process(43), drifting, min_count=43) or "")


def test_a_clock_too_coarse_for_an_inference_shows_no_trend() -> None:
    assert _reason(_process(), np.zeros(100, np.int64)) is None


def test_noise_is_no_trend() -> None:
    noisy = np.random.default_rng(0).normal(5 * MS, MS, 400).astype(np.int64)
    assert _reason(_process(400), noisy) is None


def test_a_trend_is_one_of_a_process_and_not_between_processes() -> None:
    times = np.concatenate([_steady(), 2 * _steady()])
    assert validity([_process(), _process()], times, 200, threads=1, cores=4).valid


def test_every_reason_is_told() -> None:
    reason = _reason(_process(watched=_spans([3.9] * 4), cooled=False), min_count=1000) or ""
    assert [part.split()[0] for part in reason.split("; ")] == ["too", "the", "the"]


def test_a_run_too_short_to_tell_a_trend_must_have_settled() -> None:
    few = _steady(20)
    assert "had not settled" in (_reason(_process(20, steady=False), few, min_count=20) or "")
    assert _reason(_process(20), few, min_count=20) is None


def test_a_short_last_span_weighs_as_little_as_it_is_long() -> None:
    spans = (Watched(at_ns=1000, count=1, others_cores=0.0, waited=0.0), Watched(1010, 2, 0.0, 0.9))
    assert _reason(_process(watched=spans)) is None

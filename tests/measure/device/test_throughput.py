"""Samples a second, with the real runner and a real runtime on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from edgekit.devices.flash import flash
from edgekit.devices.local import Local
from edgekit.devices.measurement_protocol import Sustained
from edgekit.devices.protocol import Info
from edgekit.devices.transport import DeviceKind
from edgekit.errors import ProbeError, Unreachable
from edgekit.ir.measurement import Validity
from edgekit.ir.validity import SLACK
from edgekit.measure.device import throughput as measure
from edgekit.measure.device.session import INFERENCE_S, START_S
from edgekit.measure.device.throughput import Sweep, Throughput, combinations, sweep, throughput
from edgekit.samples import Samples
from tests.devices.conftest import MakeBundle
from tests.measure.unresponsive_device import Deaf
from tests.runner import slot

SAMPLES = Samples(slot.inputs(5), np.zeros(5, np.int64))


def test_every_combination_is_sustained_as_long_as_asked(device: Local, make_bundle: MakeBundle) -> None:
    heard: list[str] = []
    result = sweep(flash(make_bundle("one"), device), SAMPLES, min_duration_s=0.2, tell=heard.append)
    assert len(heard) == len(result.runs)
    cores = result.runs[0].threads * max(run.instances for run in result.runs)
    assert [(run.threads, run.instances) for run in result.runs] == combinations(cores)
    for run in result.runs:
        assert run.duration_s >= 0.2
        assert run.samples_per_s == pytest.approx(run.inferences / run.duration_s)
    assert not list((Path(device.root) / "probe").iterdir())


@pytest.mark.parametrize(
    ("cores", "pairs"),
    [
        (1, [(1, 1)]),
        (2, [(1, 1), (1, 2), (2, 1)]),
        (4, [(1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (4, 1)]),
        (6, [(1, 1), (1, 2), (1, 4), (1, 6), (2, 1), (2, 2), (4, 1), (6, 1)]),
    ],
)
def test_combinations_keep_no_more_than_the_cores_busy(cores: int, pairs: list[tuple[int, int]]) -> None:
    assert combinations(cores) == pairs


RUN = Throughput(100.0, 1, 1, 1, 1000, 10.0, 1.0, 50, Validity(True))


def test_the_best_is_the_fastest_of_the_valid_ones() -> None:
    disturbed = replace(RUN, samples_per_s=400.0, validity=Validity(False, "busy"))
    two, smaller = replace(RUN, samples_per_s=200.0, instances=2, peak_rss_bytes=100), replace(RUN, samples_per_s=200.0)
    unknown = replace(smaller, peak_rss_bytes=None)
    assert Sweep((RUN, two, disturbed, unknown, smaller)).best is smaller
    assert Sweep((unknown, two)).best is two
    assert Sweep((disturbed,)).best is None


INFO = Info(machine="m", system="s", cpu=None, cores=4, ram_bytes=None, python="3", runtimes={})
ANSWER = Sustained(
    load_ns=1,
    first_ns=1,
    peak_rss_bytes=1,
    empty_rss_bytes=1,
    model_sha256="",
    runtime="r",
    provider=None,
    planned_provider=None,
    threads=2,
    count=10,
    info=INFO,
    instances=1,
    batch=1,
    duration_s=1.0,
    samples_per_s=10.0,
    cores=2.0,
    others_cores=1.5,
)


@pytest.mark.parametrize(
    ("instances", "others", "valid"),
    [(1, 1.5, True), (1, 3.0, False), (2, SLACK, True), (2, 0.5, False), (2, None, True)],
)
def test_others_must_leave_a_core_for_every_thread(instances: int, others: float | None, valid: bool) -> None:
    result = measure._throughput_of(ANSWER.model_copy(update={"instances": instances, "others_cores": others}))
    assert result.validity.valid is valid
    assert valid or "others took" in str(result.validity.reason)


@pytest.mark.parametrize("run", [throughput, sweep])
def test_a_run_may_take_a_start_a_warm_up_and_twice_its_time(
    device: Local, make_bundle: MakeBundle, run: Callable[..., object]
) -> None:
    deaf = Deaf(device.url)
    with pytest.raises(Unreachable):
        run(flash(make_bundle("one"), deaf), SAMPLES, min_duration_s=1000.0)
    limit_s = START_S + 16 * INFERENCE_S + 2000.0
    assert deaf.asked == [("--threads 1 --instances 1 --min-duration 1000.0", limit_s)]


@pytest.mark.parametrize("run", [throughput, sweep])
def test_a_clock_of_instructions_gives_no_throughput(
    device: Local, make_bundle: MakeBundle, run: Callable[..., object]
) -> None:
    class Emulated(Local):
        kind: ClassVar[DeviceKind] = "emulated"

    installation = flash(make_bundle("one"), device)
    runner = replace(installation.runner, transport=Emulated(device.url))
    with pytest.raises(ProbeError, match="no time of its own"):
        run(replace(installation, runner=runner), SAMPLES, min_duration_s=0.1)

"""Several processes make one latency: what each is asked for, and what their answers come to together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from edgekit.devices.answers import Info, Latency, Spent
from edgekit.devices.flash import flash
from edgekit.devices.local import Local
from edgekit.devices.transport import Completed
from edgekit.errors import Unreachable
from edgekit.ir.measurement import Around, Conditions, Energy
from edgekit.measure import processes
from edgekit.measure.asking import INFERENCE_S, START_S
from edgekit.measure.installed import Installed
from edgekit.measure.processes import WARM_UP_S, Timing, cycled
from edgekit.samples import Samples
from edgekit.specs.profile import Probe
from tests.devices.conftest import MakeBundle
from tests.runner import slot

INFO = Info(machine="m", system="s", cpu=None, cores=4, ram_bytes=None, python="3", runtimes={})
ANSWER = Latency(
    load_ns=1,
    first_ns=2,
    peak_rss_bytes=None,
    empty_rss_bytes=None,
    model_sha256="",
    runtime="r",
    provider=None,
    planned_provider=None,
    threads=1,
    count=10,
    info=INFO,
    warm_up_count=3,
    warm_up_ns=4,
    steady=True,
    before=Conditions(temperature_c={"cpu": 40.0, "soc": 45.0}),
    after=Conditions(),
    watched=(),
    cooled=None,
    around=Around(100, 200),
    energy=Spent(joules=2.0, seconds=4.0, method="rapl", uncertainty=0.01, idle_watts=0.2),
)


def _timing(*changes: dict[str, Any]) -> Timing:
    answers = tuple(ANSWER.model_copy(update=change) for change in changes)
    return Timing(np.arange(10 * len(answers)), answers)


def test_energy_is_of_one_inference_over_all_processes() -> None:
    other = Spent(joules=4.0, seconds=2.0, method="rapl", uncertainty=0.03, idle_watts=0.4)
    energy = _timing({}, {"energy": other}).energy
    assert energy is not None
    assert energy.joules == pytest.approx(6.0 / 20)
    assert energy.watts == pytest.approx(6.0 / 6.0)
    assert energy.idle_watts == pytest.approx(0.3)
    assert (energy.method, energy.uncertainty) == ("rapl", 0.03)


def test_energy_is_known_only_if_every_process_read_it_and_idle_power_if_any_did() -> None:
    assert ANSWER.energy
    unknown = ANSWER.energy.model_copy(update={"idle_watts": None})
    energies = [_timing({}, {"energy": other}).energy for other in (None, unknown)]
    assert energies[0] is None
    assert energies[1] is not None
    assert energies[1].idle_watts == 0.2
    alone = _timing({"energy": unknown}).energy
    assert alone is not None
    assert alone.idle_watts is None


def test_a_meter_outside_sees_more_than_the_sensors_of_the_device() -> None:
    metered = Energy(1.0, None, 5.0, "a meter", 0.01)
    assert Timing(np.arange(10), (ANSWER,), metered).energy is metered


def test_the_work_around_an_inference_is_the_median_of_the_processes() -> None:
    times = ((100, 900), (300, 200), (200, 300))
    assert _timing(*({"around": Around(*pair)} for pair in times)).around == Around(200, 300)


def test_a_process_is_as_cool_as_the_hottest_sensor_before_the_first() -> None:
    hotter = ANSWER.model_copy(update={"before": Conditions(temperature_c={"cpu": 80.0})})
    assert processes._start_c([ANSWER, hotter]) == 45.0
    assert processes._start_c([]) is None
    assert processes._start_c([ANSWER.model_copy(update={"before": Conditions()})]) is None


@pytest.mark.parametrize(("sample_bytes", "kept"), [(1, 8), (3, 2), (9, 1)])
def test_no_more_samples_are_cycled_than_the_runner_holds(
    monkeypatch: pytest.MonkeyPatch, sample_bytes: int, kept: int
) -> None:
    monkeypatch.setattr(processes, "CYCLED_BYTES", 8)
    samples = Samples({"x": np.zeros((20, sample_bytes), np.uint8)}, np.zeros(20, np.int64))
    assert {name: array.shape for name, array in cycled(samples).items()} == {"x": (kept, sample_bytes)}


class Deaf(Local):
    """Answers no latency run, and keeps what it was asked for and the time limit."""

    asked: ClassVar[list[tuple[list[str], float]]] = []

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if "latency" in argv:
            self.asked.append((list(map(str, argv)), timeout))
            raise Unreachable(f"no answer from '{self.url}'")
        return super().run(argv, timeout=timeout)


def test_each_process_has_its_share_and_a_limit_to_match(
    device: Local, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deaf, "asked", [])
    probe = Probe(min_count=10, min_duration_s=900.0, processes=3, threads=2, cpus=(1, 3), cool_down_s=50.0)
    samples = Samples(slot.inputs(2), np.zeros(2, np.int64))
    with pytest.raises(Unreachable):
        Installed(flash(make_bundle("one"), Deaf(device.url))).speed(samples, probe)
    ((argv, limit_s),) = Deaf.asked
    words = "--min-count 4 --min-duration 300.0 --threads 2 --cpu 1 --cpu 3"
    assert words in " ".join(argv)
    assert limit_s == START_S + 4 * INFERENCE_S + 2 * 300.0 + 50.0 + WARM_UP_S

"""Several processes make one latency: what each is asked for, and what their answers come to together."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from edgekit.devices.flash import flash
from edgekit.devices.local import Local
from edgekit.devices.measurement_protocol import LatencyAnswer, Spent
from edgekit.devices.protocol import Info
from edgekit.errors import Unreachable
from edgekit.ir.measurement import Around, Array, Conditions, Energy, Process, Watched
from edgekit.measure.device import processes
from edgekit.measure.device.installed_bundle import Installed
from edgekit.measure.device.processes import WARM_UP_S, LatencyRun, cycled, timed_lengths
from edgekit.measure.device.session import INFERENCE_S, START_S
from edgekit.measure.meter import Reading
from edgekit.samples import Samples
from edgekit.specs.profile import Probe
from tests.devices.conftest import MakeBundle
from tests.measure.unresponsive_device import Deaf
from tests.runner import slot

INFO = Info(machine="m", system="s", cpu=None, cores=4, ram_bytes=None, python="3", runtimes={})
ANSWER = LatencyAnswer(
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


def _timing(*changes: dict[str, Any]) -> LatencyRun:
    answers = tuple(ANSWER.model_copy(update=change) for change in changes)
    return LatencyRun(np.arange(10 * len(answers)), answers)


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
    assert LatencyRun(np.arange(10), (ANSWER,), metered).energy is metered


def test_what_each_process_says_is_kept() -> None:
    changes: dict[str, Any] = {
        "cooled": True,
        "after": Conditions(load_1m=1.0),
        "watched": (Watched(5, 1, None, None),),
    }
    first, second = _timing({}, changes).processes
    assert first == Process(10, 1, 2, 3, 4, True, ANSWER.before, Conditions())
    assert second == replace(first, **changes)


def test_the_work_around_an_inference_is_the_median_of_the_processes() -> None:
    times = ((100, 900), (300, 200), (200, 300))
    assert _timing(*({"around": Around(*pair)} for pair in times)).around == Around(200, 300)


def test_a_process_is_as_cool_as_the_hottest_sensor_before_the_first() -> None:
    hotter = ANSWER.model_copy(update={"before": Conditions(temperature_c={"cpu": 80.0})})
    assert processes.start_c([ANSWER, hotter]) == 45.0
    assert processes.start_c([]) is None
    assert processes.start_c([ANSWER.model_copy(update={"before": Conditions()})]) is None


@pytest.mark.parametrize(("sample_bytes", "kept"), [(1, 8), (3, 2), (9, 1)])
def test_no_more_samples_are_cycled_than_the_runner_holds(
    monkeypatch: pytest.MonkeyPatch, sample_bytes: int, kept: int
) -> None:
    monkeypatch.setattr(processes, "CYCLED_BYTES", 8)
    samples = Samples({"x": np.zeros((20, sample_bytes), np.uint8)}, np.zeros(20, np.int64))
    assert {name: array.shape for name, array in cycled(samples).items()} == {"x": (kept, sample_bytes)}


def test_each_process_has_its_share_and_a_limit_to_match(device: Local, make_bundle: MakeBundle) -> None:
    deaf, samples = Deaf(device.url), Samples(slot.inputs(2), np.zeros(2, np.int64))
    probe = Probe(min_count=10, min_duration_s=900.0, processes=3, threads=2, cpus=(1, 3), cool_down_s=50.0)
    with pytest.raises(Unreachable):
        Installed(flash(make_bundle("one"), deaf)).speed(samples, probe)
    words = "--min-count 4 --min-duration 300.0 --threads 2 --cpu 1 --cpu 3"
    assert deaf.asked == [(words, START_S + 4 * INFERENCE_S + 2 * 300.0 + 50.0 + WARM_UP_S)]


@dataclass
class Scripted:
    """Latency runs, and a meter that reads them."""

    counts: list[int]
    readings: list[Reading]
    asked: list[tuple[object, ...]] = field(default_factory=list)

    @property
    def lengths_s(self) -> list[object]:
        return [argv[argv.index("--min-duration") + 1] for argv in self.asked]

    def send(self, inputs: object, folder: str) -> None:
        assert folder == "cycled"

    def integers(self, name: str, count: int) -> Array:
        assert name == "latency_ns"
        return np.full(count, len(self.asked))

    def start(self) -> None:
        pass

    def stop(self) -> Reading:
        return self.readings.pop(0)

    def limit(self, inferences: int) -> float:
        return float(inferences)

    def ask(self, answer: object, verb: str, folder: str, *argv: Any, timeout: float) -> LatencyAnswer:
        assert (verb, folder) == ("latency", "cycled")
        self.asked.append(argv)
        return ANSWER.model_copy(update={"count": self.counts.pop(0)})


def test_each_process_is_as_cool_as_the_first_and_there_are_no_more_than_inferences() -> None:
    script: Any = Scripted([1, 2], [])
    probe = Probe(min_count=2, min_duration_s=1.0, processes=3, cool_down_s=9.0)
    timing = processes.time_inferences(script, Samples(slot.inputs(2), np.zeros(2, np.int64)), probe)
    common = ("--min-count", 1, "--min-duration", 0.5, "--threads", 1)
    assert script.asked == [common, (*common, "--cool", 45.0, 9.0)]
    assert timing.latency_ns.tolist() == [1, 2, 2]
    assert (len(timing.answers), timing.metered) == (2, None)


SHORT = Reading(10.0, 5.0, "wall", 0.01)


def _metered(counts: list[int], long: Reading, monkeypatch: pytest.MonkeyPatch) -> tuple[Energy | None, list[object]]:
    script: Any = Scripted(counts, [SHORT, long])
    monkeypatch.setattr(processes, "load_meter", lambda name: script)
    energy = processes._measure_energy(script, Probe(min_duration_s=30.0, processes=3), "wall")
    assert {argv[argv.index("--min-count") + 1] for argv in script.asked} == {1}
    return energy, script.lengths_s


def test_a_meter_outside_tells_energy_by_the_difference_of_two_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    energy, lengths_s = _metered([100, 300], Reading(30.0, 13.0, "wall", 0.02), monkeypatch)
    assert lengths_s == [10.0, 20.0]
    assert energy is not None
    assert energy.joules == pytest.approx(20.0 / 200)
    assert energy.watts == pytest.approx(20.0 / 8.0)
    assert energy.uncertainty == pytest.approx(math.hypot(0.1, 0.6) / 20.0)
    assert (energy.idle_watts, energy.method) == (None, "wall, the difference of two runs")


@pytest.mark.parametrize(
    ("counts", "long"),
    [
        ([100, 100], Reading(30.0, 13.0, "wall", 0.02)),
        ([100, 300], Reading(10.0, 13.0, "wall", 0.02)),
        ([100, 300], Reading(30.0, 5.0, "wall", 0.02)),
    ],
    ids=["no more inferences", "no more energy", "no longer"],
)
def test_two_runs_that_do_not_differ_tell_no_energy(
    counts: list[int], long: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _metered(counts, long, monkeypatch)[0] is None


def test_a_run_that_a_meter_reads_takes_five_seconds_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    script: Any = Scripted([100, 300], [SHORT, SHORT])
    monkeypatch.setattr(processes, "load_meter", lambda name: script)
    processes._measure_energy(script, Probe(min_duration_s=3.0, processes=3), "wall")
    assert script.lengths_s == [5.0, 10.0]


def test_the_lengths_of_the_samples_that_are_timed_are_told() -> None:
    tokens, lengths = np.zeros((3, 64), np.int64), np.array([64, 8, 21])
    fixed = Samples({"tokens": tokens}, np.zeros(3, np.int64))
    assert timed_lengths(fixed) is None
    free = replace(fixed, inputs={"tokens": tokens, "t.length": lengths})
    assert timed_lengths(free) == (
        "Latency is that of the first 3 samples in turn, where 't' is 8 to 64, 21 in the median."
    )

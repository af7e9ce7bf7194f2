from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgekit.ir.measurement import Energy, Measurement
from edgekit.parity.compare import compare
from edgekit.parity.comparison import Comparison
from edgekit.parity.cost import CostSummary, cost
from edgekit.specs.cost import BOARDS, SOURCES, Cost
from edgekit.tasks.classification import Classification
from tests.parity.examples import ENERGY, environment, pair, served_by, timed

STATED = Cost(
    device_price=60.0,
    watts=4.0,
    years=5.0,
    utilisation=0.1,
    electricity_per_kwh=0.2,
    instance_price_per_hour=0.36,
    instance_utilisation=0.5,
    throughput_per_s=100.0,
    training_price_per_hour=1.0,
)


def on_board(p50_ns: int = 2_500_000, invalid: str | None = None, **changed: Any) -> Measurement:
    return replace(timed(pair(100, 0, 0)[1], np.full(128, p50_ns), invalid), **changed)


def compared(candidate: Measurement | None = None, served: bool = False) -> Comparison:
    reference = pair(100, 0, 0)[0]
    return compare(served_by(reference) if served else reference, candidate or on_board(), Classification())


def reckoned(stated: Cost = STATED, build_s: float = 7200.0, **changed: Any) -> CostSummary:
    return cost(compared(**changed), stated, "raspberry-pi-5", build_s)


def on_edge(summary: CostSummary, answers: int) -> float | None:
    """Money for so many answers by one device, the build included."""
    if summary.upfront is None or summary.energy_per_million is None:
        return None
    return summary.upfront + answers * summary.energy_per_million / 1e6


def in_cloud(summary: CostSummary, answers: int) -> float | None:
    """Money for so many answers in the cloud."""
    return None if summary.cloud_per_million is None else answers * summary.cloud_per_million / 1e6


def basis(summary: CostSummary) -> dict[str, str]:
    return {assumption.name: assumption.basis for assumption in summary.assumptions}


def test_costs_are_those_reckoned_by_hand() -> None:
    summary = reckoned()
    # An answer every 2.5 ms / 0.1 = 25 ms; five years of 31,557,600 s.
    assert summary.capacity == 6_311_520_000
    assert summary.device_per_million == pytest.approx(60 / 6311.52)
    # 4 W for 25 ms are 0.1 J; a million of them are 1/36 kWh.
    assert summary.energy_per_million == pytest.approx(0.2 / 36)
    assert summary.edge_per_million == pytest.approx(60 / 6311.52 + 0.2 / 36)
    # 50 answers a second, 180,000 an hour, for 0.36.
    assert summary.cloud_per_million == pytest.approx(2.0)
    assert summary.build == pytest.approx(2.0)
    assert summary.upfront == pytest.approx(62.0)
    # 62 / (2 - 0.00556) millions.
    assert summary.break_even == 31_086_351
    assert summary.sentences == (
        "A million answers on the device cost USD 0.0151: USD 0.00951 of the device and USD 0.00556 of electricity.",
        "A million answers in the cloud cost USD 2.00.",
        "Pruning and training it again took 120 minutes: USD 2.00, once.",
        "One device has paid for itself, and for the build, after 31,086,351 answers: 9 days.",
    )


def test_every_number_is_listed_and_stated() -> None:
    assumptions = {assumption.name: assumption for assumption in reckoned().assumptions}
    for name in Cost.model_fields.keys() - {"currency"}:
        assert (assumptions[name].value, assumptions[name].basis, assumptions[name].source) == (
            getattr(STATED, name),
            "stated",
            None,
        )
    assert assumptions["latency_p50_ms"].basis == "measured"
    assert assumptions["build_s"].value == 7200


def test_what_is_not_stated_is_a_default_with_its_source() -> None:
    assumptions = {assumption.name: assumption for assumption in reckoned(Cost()).assumptions}
    for name, source in SOURCES.items():
        assert (assumptions[name].basis, assumptions[name].source) == ("default", source)
    board = BOARDS["raspberry-pi-5"]
    assert [(assumptions[name].value, assumptions[name].source) for name in ("device_price", "watts")] == [
        (board.price, board.source), (board.watts, board.source),
    ]  # fmt: skip


def test_measured_energy_stands_for_the_board_s_and_a_stated_one_for_both() -> None:
    assumed = Cost(utilisation=0.25)
    summary = reckoned(assumed, candidate=on_board(energy=ENERGY))
    watts = next(assumption for assumption in summary.assumptions if assumption.name == "watts")
    # 5 W a quarter of the time, 2.7 W else.
    assert watts.value == pytest.approx(3.275)
    assert watts.basis == "measured"
    assert "INA3221" in str(watts.source)
    assert basis(reckoned(STATED, candidate=on_board(energy=ENERGY)))["watts"] == "stated"


def test_a_device_that_was_not_measured_at_rest_is_taken_never_to_rest() -> None:
    energy = Energy(0.0125, None, 5.0, "a meter", 0.03)
    summary = reckoned(Cost(), candidate=on_board(energy=energy))
    watts = next(assumption for assumption in summary.assumptions if assumption.name == "watts")
    assert watts.value == 5.0
    assert "the same at rest, which was not measured" in str(watts.source)


def test_the_throughput_of_a_server_is_measured_unless_it_is_stated() -> None:
    summary = reckoned(Cost(), served=True)
    assert basis(summary)["throughput_per_s"] == "measured"
    assert summary.cloud_per_million == pytest.approx(1e6 * 0.0816 / 3600 / (800 * 0.3))
    assert basis(reckoned(served=True))["throughput_per_s"] == "stated"


def test_an_eager_reference_is_no_cloud() -> None:
    summary = reckoned(Cost(), candidate=on_board(samples_per_s=5000.0))
    assert summary.cloud_per_million is None
    assert summary.break_even is None
    assert "--reference URL, or --set profile.cost.throughput_per_s=N" in summary.sentences[1]


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        (on_board(environment=environment("emulated")), "an emulated device has no time of its own; edgekit run"),
        (
            on_board(environment=environment("local", host_stand_in=True)),
            "the host stood in for the target; edgekit run",
        ),
        (replace(on_board(), latency_ns=np.empty(0, np.int64)), "the device was not timed; edgekit run --device URL"),
        (on_board(invalid="throttled"), "its latency is INVALID (throttled); run again"),
    ],
)
def test_without_a_valid_time_of_the_target_the_edge_has_no_price(candidate: Measurement, message: str) -> None:
    summary = reckoned(candidate=candidate)
    assert (summary.edge_per_million, summary.capacity, summary.break_even) == (None, None, None)
    assert summary.cloud_per_million == pytest.approx(2.0)
    assert on_edge(summary, 1) is None
    assert "latency_p50_ms" not in basis(summary)
    assert summary.sentences[0].startswith(f"What answers cost on the device is not measurable: {message}")
    assert not any("paid" in sentence for sentence in summary.sentences)


def test_a_target_without_a_price_says_what_to_type() -> None:
    summary = cost(compared(), Cost(throughput_per_s=100.0), "pixel-8", 0.0)
    assert summary.edge_per_million is None
    assert "--set profile.cost.device_price=N" in summary.sentences[0]
    assert "--set profile.cost.watts=N" in summary.sentences[0]


@pytest.mark.parametrize(
    ("price", "build_s", "build", "message"),
    [
        (1.0, 7200.0, 2.0, "120 minutes: USD 2.00"),
        (3.0, 900.0, 0.75, "15 minutes: USD 0.75"),
        (0.0, 60.0, 0.0, "USD 0.0"),
    ],
)
def test_training_costs_its_hours_at_their_price_once(price: float, build_s: float, build: float, message: str) -> None:
    summary = reckoned(STATED.model_copy(update={"training_price_per_hour": price}), build_s)
    assert summary.build == pytest.approx(build)
    assert summary.upfront == pytest.approx(60 + build)
    assert on_edge(summary, 0) == pytest.approx(60 + build)
    assert message in summary.sentences[2]
    hour = next(one for one in summary.assumptions if one.name == "training_price_per_hour")
    assert (hour.value, hour.shown) == (price, f"USD {price:g}")


def test_an_hour_of_training_that_nobody_priced_is_a_gpu_of_a_cloud() -> None:
    summary = reckoned(Cost(), 3600.0)
    hour = next(one for one in summary.assumptions if one.name == "training_price_per_hour")
    assert (hour.value, hour.source) == (1.006, SOURCES["training_price_per_hour"])
    assert summary.build == pytest.approx(1.006)


def test_a_build_without_training_costs_nothing_and_is_not_mentioned() -> None:
    summary = reckoned(build_s=0.0)
    assert summary.build == 0.0
    assert not any("train" in sentence for sentence in summary.sentences)
    assert "training_price_per_hour" not in basis(summary)


def test_a_device_whose_electricity_is_dearer_than_the_cloud_never_pays() -> None:
    summary = reckoned(STATED.model_copy(update={"watts": 4000.0}))
    assert summary.break_even is None
    assert summary.sentences[-1] == (
        "The device never pays for itself: its electricity alone costs as much as the cloud."
    )


def test_a_device_that_would_have_to_outlive_itself_never_pays() -> None:
    summary = reckoned(STATED.model_copy(update={"throughput_per_s": 20_000.0}))
    assert summary.break_even is None
    assert summary.sentences[-1].startswith(
        "One device does not pay for itself in its 5 years, answering 10 % of the time: it gives 6,311,520,000 answers"
    )


@pytest.mark.parametrize(("short", "pays"), [(0.5, True), (-0.5, False)])
def test_a_device_that_pays_for_itself_by_its_last_answer_pays(short: float, pays: bool) -> None:
    summary = reckoned()
    assert summary.capacity is not None
    needed = summary.capacity - short  # answers, rounded up
    price = needed * ((summary.cloud_per_million or 0) - (summary.energy_per_million or 0)) / 1e6 - summary.build
    summary = reckoned(STATED.model_copy(update={"device_price": price}))
    assert summary.break_even == (summary.capacity if pays else None)


money = st.floats(0.01, 1e5)
shares = st.floats(0.01, 1.0)
costs = st.builds(
    Cost,
    device_price=money,
    watts=st.floats(0.1, 1000),
    years=st.floats(0.5, 20),
    utilisation=shares,
    electricity_per_kwh=st.floats(0.01, 1),
    instance_price_per_hour=money,
    instance_utilisation=shares,
    throughput_per_s=st.floats(0.1, 1e5),
    training_price_per_hour=money,
)
seconds, nanoseconds = st.floats(0, 1e6), st.integers(1000, 10**10)


@given(costs, seconds, nanoseconds)
def test_at_the_break_even_both_sides_cost_the_same(stated: Cost, build_s: float, p50_ns: int) -> None:
    summary = reckoned(stated, build_s, candidate=on_board(p50_ns))
    assume(summary.break_even is not None)
    assert summary.break_even is not None
    edge, cloud = on_edge(summary, summary.break_even), in_cloud(summary, summary.break_even)
    one_more = (summary.cloud_per_million or 0) / 1e6
    assert edge is not None
    assert cloud is not None
    assert edge <= cloud * (1 + 1e-9)
    assert cloud <= edge * (1 + 1e-9) + one_more
    assert summary.break_even <= (summary.capacity or 0)


@given(costs, seconds, nanoseconds, st.integers(0, 10**9), st.integers(0, 10**9))
def test_more_answers_are_never_cheaper(stated: Cost, build_s: float, p50_ns: int, answers: int, more: int) -> None:
    summary = reckoned(stated, build_s, candidate=on_board(p50_ns))
    for spent in (on_edge, in_cloud):
        few, many = spent(summary, answers), spent(summary, answers + more)
        assert few is not None
        assert many is not None
        assert few <= many


@given(costs, seconds, nanoseconds)
def test_a_whole_life_costs_what_its_millions_do(stated: Cost, build_s: float, p50_ns: int) -> None:
    summary = reckoned(stated, build_s, candidate=on_board(p50_ns))
    assume((summary.capacity or 0) >= 1000)  # a last answer that is cut off says too much of few
    assert summary.capacity is not None
    whole = on_edge(summary, summary.capacity)
    assert whole is not None
    each = (summary.edge_per_million or 0) * summary.capacity / 1e6
    assert whole - summary.build == pytest.approx(each, rel=1e-3)


@given(costs, nanoseconds, st.floats(0.1, 1.0))
def test_a_busier_device_is_no_dearer_an_answer(stated: Cost, p50_ns: int, share: float) -> None:
    rarely = stated.model_copy(update={"utilisation": stated.utilisation * share})
    often, seldom = (reckoned(each, 0.0, candidate=on_board(p50_ns)).edge_per_million for each in (stated, rarely))
    assert often is not None
    assert seldom is not None
    assert often <= seldom * (1 + 1e-9)

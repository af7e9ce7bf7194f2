"""Sections of a report on time, the machine, a server, and money."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from edgekit.ir.measurement import Conditions, ServerTime
from edgekit.parity.compare import compare
from edgekit.parity.latency_histogram import Histogram, side_by_side
from edgekit.parity.token_parity import token_parity
from edgekit.report.charts.latency import latency
from edgekit.report.forms import html, markdown, text
from edgekit.report.report import Report, read_reports
from edgekit.report.sections.charts import LatencyChart, Spread
from edgekit.report.sections.outline import outline
from edgekit.report.sections.section import Section
from edgekit.specs.cost import Cost
from edgekit.tasks.classification import Classification
from edgekit.tasks.language_model import LanguageModel
from tests.parity.examples import COOL, WARM, environment, pair, probed, process, timed
from tests.report.examples import built, compared, emulated, failed, made, passed, profile, served, stood_in

FORMS = (text.render, markdown.render, html.render)
Render = Callable[[Sequence[Report]], str]
NEW = ("network_share", "cost")
NEW_OF_AN_ENDPOINT = ("samples_per_s", "processes", "cpus", "around", "model_rss_bytes", "energy", "server")
NEW_OF_A_LATENCY = ("p95", "p99_9", "between_runs", "histogram")


def shown(report: Report, title: str) -> Section:
    return next(section for section in outline(report).sections if section.title == title)


def titles(report: Report) -> list[str]:
    return [section.title for section in outline(report).sections]


def row(report: Report, title: str, label: str) -> tuple[str, ...]:
    return next(cells[1:] for cells in shown(report, title).rows if cells[0] == label)


@pytest.mark.parametrize("render", FORMS)
def test_an_invalid_latency_that_leaves_the_verdict_open_is_told_before_anything_else(render: Render) -> None:
    page = render([failed().model_copy(update={"verdict": "undecided"})])
    position = page.index("INVALID: the candidate")
    assert page[position:].startswith(("INVALID: the candidate's", "INVALID: the candidate&#x27;s"))
    assert position < page.index("Gates")
    assert "Why: it ran for 0.1 s of 10 s. Mend that, and run again." in page
    assert "INVALID" not in render([passed()])


def test_an_invalid_reference_is_told_too_and_what_was_not_timed_is_not() -> None:
    reference, candidate = pair(100, 0, 0)
    comparison = compare(
        timed(reference, np.full(64, 5), "the clock moved"), timed(candidate, np.full(64, 5)), Classification()
    )
    words = "INVALID: the reference's latency may not be quoted. Why: the clock moved. Mend that, and run again."
    # No gate hangs on the reference's time: it is told beside the times, and not above the verdict.
    assert outline(made(comparison)).invalid == ()
    assert words in shown(made(comparison), "Latency side by side").first
    assert outline(made(comparison, recipe=profile().model_copy(update={"cost": Cost()}))).invalid == (words,)
    assert outline(emulated()).invalid == ()


def test_an_invalid_latency_is_in_the_sentence_and_its_number_is_not() -> None:
    assert "its time was not measured well enough to be quoted" in failed().sentence
    assert " ms" not in failed().sentence


def test_no_ratio_is_made_of_an_invalid_latency() -> None:
    section = shown(failed(), "Latency side by side")
    assert {cells[-1] for cells in section.rows} == {"-"}
    assert section.first == (
        "The two must not be compared in time: a latency is INVALID, and the verdict does not hang on it.",
        "INVALID: the candidate's latency may not be quoted. Why: it ran for 0.1 s of 10 s. Mend that, and run again.",
    )


def test_edge_and_cloud_are_side_by_side_with_the_network_s_share() -> None:
    section = shown(served(), "Edge against cloud")
    assert section.first == (
        "Half of all answers take at most 2.454 ms on the device, and 9.122 ms from the cloud: 0.27 times as long.",
        "54.5 % of the 9.122 ms from the cloud are the network, the rest is the server.",
    )
    assert row(served(), "Edge against cloud", "latency p99") == (
        "15.458 ms (1,024 runs)", "2.84 ms (1,024 runs)", "0.1837 times",
    )  # fmt: skip
    assert row(served(), "Edge against cloud", "network share")[0] == "54.5 %"
    assert json.loads(served().to_json())["network_share"]["at_least"] is False


def test_a_server_that_tells_nothing_gives_a_share_that_is_at_least() -> None:
    report = served(ServerTime(900_000, version="mlserver 1.7.1"))
    assert shown(report, "Edge against cloud").first[1] == (
        "At least 9.9 % of the 9.122 ms from the cloud are the network: an empty request takes as long."
    )
    assert row(report, "Edge against cloud", "network share")[0] == "at least 9.9 %"
    assert row(report, "Edge against cloud", "computing in the server, mean")[0] == "unknown"


def test_without_a_server_nothing_is_called_a_cloud() -> None:
    for report in (passed(), failed(), built(), stood_in(), emulated()):
        assert "cloud" not in text.render([report])
        assert report.network_share is None
        assert report.cost is None


def test_a_host_that_stood_in_is_named_where_times_are_compared() -> None:
    section = shown(stood_in(), "Latency side by side")
    assert "on this host, which is not the target, and" in section.first[0]
    assert section.header[2] == "candidate (host, not the target)"


def test_what_was_not_timed_has_no_section_of_its_own() -> None:
    assert "How it was timed" not in titles(passed())
    assert "Latency side by side" not in titles(made(compare(*pair(100, 0, 0), Classification())))
    one = shown(emulated(), "Latency side by side")
    assert one.first == ("The two cannot be compared in time: one of them was not timed.",)
    assert {cells[2] for cells in one.rows} == {"not measured"}
    assert titles(served())[:4] == ["Gates", "Edge against cloud", "What it costs", "Reference against candidate"]


def test_the_machine_is_described_before_meanwhile_and_after() -> None:
    cells_by_label = {cells[0]: cells[2] for cells in shown(served(), "How it was timed").rows}
    assert cells_by_label["clock"] == "1,500 MHz before, 2,400 MHz after, 2,380 MHz at the lowest meanwhile"
    assert cells_by_label["hottest sensor"] == "48.5 °C before, 55 °C after, 55.5 °C at most meanwhile"
    assert cells_by_label["warm-up"] == "24 inferences, 2.1 s, until the times had settled"
    assert cells_by_label["held back"] == "by nothing"
    assert cells_by_label["free memory"] == "3,100 MB"
    assert (
        cells_by_label["background"] == "others kept at most 0.3 cores busy; it waited at most 0.4 % of half a second"
    )
    assert {"battery", "screen", "power mode"}.isdisjoint(cells_by_label)


def described(before: Conditions, after: Conditions, cooled: bool | None = None, steady: bool = True) -> dict[str, str]:
    reference, candidate = pair(100, 0, 0)
    one = replace(process(64, steady, cooled), before=before, after=after, watched=())
    comparison = compare(reference, replace(timed(candidate, np.full(64, 5)), processes=(one,)), Classification())
    return {cells[0]: cells[2] for cells in shown(made(comparison), "How it was timed").rows}


def test_what_no_sensor_tells_is_unknown_and_never_zero() -> None:
    rows = described(Conditions(), Conditions())
    told = {name for name, value in rows.items() if "unknown" not in value}
    assert told == {"medians", "warm-up"}
    assert not re.search(r"\b0 (MHz|°C|MB|%)", " ".join(rows.values()))


def test_what_holds_a_machine_back_is_told() -> None:
    assert described(COOL, replace(WARM, throttled=("under-voltage",)))["held back"] == "THROTTLED: under-voltage"
    counted = described(replace(COOL, throttle_events=2), replace(WARM, throttle_events=5))
    assert counted["held back"] == "3 times meanwhile"


def test_a_phone_s_battery_and_screen_and_a_jetson_s_mode_are_told() -> None:
    moment = Conditions(battery_percent=80.0, charging=False, screen_on=True, power_mode="15W")
    rows = described(moment, replace(moment, screen_on=False, charging=None))
    assert rows["battery"] == "80 %, not charging before, 80 % after"
    assert rows["screen"] == "on before, off after"
    assert rows["power mode"] == "15W"


def test_a_warm_up_that_did_not_settle_and_a_machine_that_did_not_cool_are_told() -> None:
    rows = described(COOL, WARM, cooled=False, steady=False)
    assert rows["warm-up"] == "24 inferences, 0.7 s, not settled in 1 of 1"
    assert rows["cooled down"] == "still too warm before 1 of 1"


def test_the_cores_that_it_was_bound_to_are_told() -> None:
    recipe = profile()
    bound = recipe.model_copy(update={"probe": recipe.probe.model_copy(update={"cpus": (2, 3)})})
    report = made(compared(60, environment()), recipe=bound)
    assert report.candidate.cpus == (2, 3)
    assert row(report, "Reference against candidate", "runs on")[1].endswith("1 thread, bound to cores 2, 3")


def test_energy_is_told_with_its_method_and_left_out_where_there_is_none() -> None:
    assert row(served(), "Reference against candidate", "energy of an answer") == (
        "no sensor", "12.5 mJ, give or take 3 % (5 W, 2.7 W at rest; INA3221, VDD_IN, every 500 ms)",
    )  # fmt: skip
    assert "energy" not in text.render([passed()])


def test_processes_are_recorded_one_by_one() -> None:
    processes = json.loads(served().to_json())["candidate"]["processes"]
    assert [each["count"] for each in processes] == [341, 341, 342]
    assert processes[0]["before"]["clock_mhz"] == {"policy0": 1500.0}
    assert processes[0]["before"]["battery_percent"] is None
    assert processes[0]["during"] == {
        "others_cores": 0.3, "waited": 0.004, "clock_mhz": {"policy0": 2380.0}, "temperature_c": 55.5,
    }  # fmt: skip


@pytest.mark.parametrize("report", [served(), failed(), passed()])
def test_a_report_from_before_all_this_still_reads(report: Report, tmp_path: Path) -> None:
    old = json.loads(report.to_json())
    for side in (old["reference"], old["candidate"]):
        side |= {"latency_ns": {k: v for k, v in side["latency_ns"].items() if k not in NEW_OF_A_LATENCY}}
        for key in NEW_OF_AN_ENDPOINT:
            side.pop(key, None)
    for key in NEW:
        old.pop(key, None)
    path = tmp_path / "report.json"
    path.write_text(json.dumps(old))
    (read_back,) = read_reports(path)
    assert read_back.verdict == report.verdict
    for render in FORMS:
        assert "latency p50" in render([read_back])


@pytest.mark.parametrize("report", [served(cost=Cost(watts=6.0)), served(), passed()])
def test_a_report_reads_back_as_it_was(report: Report, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(report.to_json())
    assert read_reports(tmp_path / "report.json") == (report,)


@pytest.mark.parametrize("render", FORMS)
def test_costs_come_with_every_assumption(render: Render) -> None:
    report = served(cost=Cost(watts=6.0))
    page = render([report]).replace("\\", "")
    assert report.cost
    for sentence in report.cost.sentences:
        assert sentence in page
    for assumption in report.cost.assumptions:
        assert assumption.shown in page
    assert row(report, "What it costs", "what a device draws, day and night") == ("watts", "6 W", "stated")


def test_a_build_with_prices_says_what_to_type_to_have_a_cost() -> None:
    host = compared(60, environment("local", host_stand_in=True), runs=0)
    report = made(host, device=None, recipe=profile().model_copy(update={"cost": Cost()}))
    assert report.cost
    assert report.cost.edge_per_million is None
    assert "not measurable: the host stood in for the target; edgekit run --device URL" in report.cost.sentences[0]
    assert row(report, "What it costs", "a million answers, edge")[1] == "not measurable"


def drawn(first: np.ndarray, second: np.ndarray) -> ElementTree.Element:
    spreads = tuple(
        Spread(name, histogram, int(np.median(values)))
        for name, values, histogram in zip(("a<b", "c"), (first, second), side_by_side(first, second), strict=True)
        if histogram
    )
    return ElementTree.fromstring(latency(LatencyChart("in words", spreads)))


@pytest.mark.parametrize(
    ("first", "second"),
    [([5], [5]), ([1], [10**12]), ([3, 4, 4], [9] * 50), ([2_400_000, 2_500_000], [9_000_000, 8_000_000])],
)
def test_a_drawing_stays_in_its_frame_and_says_itself_in_words(first: list[int], second: list[int]) -> None:
    svg = drawn(np.array(first), np.array(second))
    width, height = map(float, svg.attrib["viewBox"].split()[2:])
    assert (svg.attrib["role"], svg.findtext("desc")) == ("img", "in words")
    lines = [line.attrib for line in svg.iter("line")]
    assert len(lines) == 2
    for place in [*(float(line[at]) for line in lines for at in ("x1", "x2")), *_across(svg)]:
        assert 0 <= place <= width
        assert math.isfinite(place)
    assert max(float(text.attrib["y"]) for text in svg.iter("text")) <= height
    assert len(list(svg.iter("text"))) >= 4


def _across(svg: ElementTree.Element) -> list[float]:
    return [float(x) for path in svg.iter("path") for x in re.findall(r"[HM]([\d.]+)", path.attrib["d"])]


def test_the_fullest_bin_is_the_highest() -> None:
    spread = Spread("a", Histogram((10, 20, 40), (1, 4)), 30)
    (path,) = ElementTree.fromstring(latency(LatencyChart("", (spread,)))).iter("path")
    # Up a quarter of 62 from the base at 82, then the whole of it.
    assert re.findall(r"V([\d.]+)", path.attrib["d"]) == ["66.5", "20.0", "82"]


def test_html_draws_both_histograms_and_the_page_reads_in_print_and_in_the_dark() -> None:
    page = html.render([served()])
    drawn_latencies = latency(picture_of(served()))
    assert drawn_latencies.count("<path ") == 2
    assert drawn_latencies in page
    assert "How the latencies are spread" in page
    assert "currentColor" in page
    assert "<title>Latencies</title>" not in html.render([emulated()])


def picture_of(report: Report) -> LatencyChart:
    """Chart of the latencies of a report."""
    return next(each.picture for each in outline(report).sections if isinstance(each.picture, LatencyChart))


def test_probed_processes_differ_by_what_the_report_says() -> None:
    reference, candidate = pair(100, 0, 0)
    slower = np.concatenate((np.full(100, 1_000_000), np.full(100, 1_000_000), np.full(100, 1_100_000)))
    report = made(compare(reference, probed(timed(candidate, slower)), Classification()))
    assert report.candidate.latency.between_runs == pytest.approx(0.1)
    assert shown(report, "How it was timed").first == (
        "The candidate was timed in 3 processes, each with the model loaded anew: their medians differ by 10 %.",
    )


def test_a_language_model_has_a_section_with_a_plain_sentence_and_every_figure() -> None:
    random = np.random.default_rng(5)
    logits = random.normal(scale=2, size=(40, 30, 13))
    labels = random.integers(0, 13, (40, 30))
    parity = token_parity(logits, logits + random.normal(scale=0.3, size=logits.shape), labels, LanguageModel())
    assert parity is not None
    report = passed().model_copy(update={"tokens": parity})
    (first,) = shown(report, "Token by token").first
    assert re.fullmatch(
        r"The candidate finds these texts .* to predict.*, and chooses the same next token as .*", first
    )
    ratio = parity.perplexity_ratio
    assert ratio is not None
    assert row(report, "Token by token", "ratio of perplexities") == (
        f"{ratio.value:.5g} ({ratio.low:.5g} to {ratio.high:.5g})",
    )
    assert row(report, "Token by token", "KL divergence, 99.9 %") == (f"{parity.kl_p999:.4g} nats",)
    notes = shown(report, "Token by token").notes
    assert notes == ("1,200 tokens of 40 texts; 95 % intervals by a paired bootstrap over texts.",)
    assert Report.model_validate_json(report.to_json()) == report
    assert "Token by token" not in titles(passed())

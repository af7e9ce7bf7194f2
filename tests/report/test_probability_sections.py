"""Sections of a report on calibration and on samples from outside, in each of the three forms."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from edgekit.parity.compare import compare
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.outside.paired_outside import OutsideScores, PairedOutside, paired_outside
from edgekit.report.charts.reliability import reliability
from edgekit.report.forms import html, markdown, text
from edgekit.report.report import Report
from edgekit.report.sections.charts import ReliabilityChart
from edgekit.report.sections.outline import outline
from edgekit.tasks.classification import Classification
from tests.parity.calibration.examples import measured, scores, truthful
from tests.report.examples import made, passed

CALIBRATION, OUTSIDE = "Calibration of the probabilities", "Samples from outside"


def reported() -> Report:
    """A build whose candidate is three times as sure as the reference."""
    logits, labels = truthful(1500)
    comparison = compare(measured(logits, labels), measured(3 * logits, labels), Classification())
    sides = tuple((scores(k * logits[:300]), scores(0.6 * k * logits[300:600])) for k in (1, 3))
    pair = paired_outside(OutsideScores(sides[0], sides[1], "noise", "energy", ["uniform"] * 200 + ["permuted"] * 100))
    assert isinstance(pair, PairedOutside)
    return made(replace(comparison, outside=pair))


def test_calibration_is_a_table_a_diagram_and_a_record() -> None:
    report = reported()
    section = next(each for each in outline(report).sections if each.title == CALIBRATION)
    rows = {cells[0]: cells[1:] for cells in section.rows}
    assert report.calibration is not None
    assert rows["expected calibration error"][1] == f"{round(100 * report.calibration.candidate.ece, 3):g} points"
    bins = {each.low for side in (report.calibration.reference, report.calibration.candidate) for each in side.bins}
    assert sum(label.startswith("right, sure to") for label in rows) == len(bins)
    assert isinstance(section.picture, ReliabilityChart)
    shapes = ElementTree.fromstring(reliability(section.picture)).findall("path")
    bars = [shape for shape in shapes if shape.get("class") != "frame"]
    assert len(bars) == sum(len(side.bins) for side in section.picture.sides)
    assert "over-confident by" in section.first[0]
    assert reliability(section.picture) in html.render([report])
    for render in (text.render, markdown.render):
        assert "expected calibration error" in render([report])


def test_samples_from_outside_are_told_by_every_score_and_kind() -> None:
    section = next(each for each in outline(reported()).sections if each.title == OUTSIDE)
    labels = [cells[0] for cells in section.rows]
    assert labels[:2] == ["AUROC, max-softmax", "FPR at 95 % TPR, max-softmax"]
    assert labels[-2:] == ["AUROC of uniform, 200 samples", "AUROC of permuted, 100 samples"]
    assert "300 samples from outside (generated noise), 300 evaluation samples" in section.notes[0]


def test_a_report_without_them_has_neither_section_nor_key() -> None:
    report = passed()
    assert not {CALIBRATION, OUTSIDE} & {section.title for section in outline(report).sections}
    assert not {"calibration", "outside"} & report.model_dump(by_alias=True).keys()


def test_a_set_from_outside_that_tells_nothing_is_a_warning_with_the_reason() -> None:
    logits, labels = truthful(200)
    comparison = compare(measured(logits, labels), measured(logits, labels), Classification())
    report = made(replace(comparison, outside=MissingValue("20 samples from outside are too few, 50 are needed")))
    assert any("not judged: 20 samples from outside" in warning for warning in report.warnings or ())
    assert report.outside is None

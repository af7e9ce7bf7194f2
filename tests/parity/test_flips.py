"""Flips: who changed, both ways, with margins, and as a table and a gallery."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from edgekit.parity.compare import compare
from edgekit.parity.flips import Flip
from edgekit.report.forms import flips_csv, flips_gallery
from edgekit.tasks.classification import Classification
from edgekit.tasks.label_arrays import unlabelled
from edgekit.tasks.regression import Regression
from tests.parity.examples import measurement

LABELS = np.array([0, 1, 2, 3])
THEIRS, OURS = np.array([0, 1, 5, 3]), np.array([0, 2, 2, 3])


def test_each_way_has_its_margins_before_and_after() -> None:
    reference, candidate = measurement(THEIRS, LABELS), measurement(OURS, LABELS)
    candidate.outputs["output"][1, 1] = 0.75
    lost, gained = compare(reference, candidate, Classification(), ("a", "b", "c")).flips
    assert lost == Flip(1, "lost", "b", "b", "c", 1.0, 0.0, 1.0, 0.25)
    assert gained == Flip(2, "gained", "c", "class 5", "c", 0.0, 1.0, 1.0, 1.0)


def test_other_wrong_answers_and_samples_without_labels_are_changed() -> None:
    wrong = compare(measurement(THEIRS, LABELS), measurement(np.array([0, 1, 6, 3]), LABELS), Classification())
    assert [(flip.sample, flip.change) for flip in wrong.flips] == [(2, "changed")]
    assert len(wrong.flip_examples) == 0
    none = unlabelled(4)
    alone = compare(measurement(THEIRS, none), measurement(OURS, none), Classification())
    assert [(flip.change, flip.label, flip.reference_score) for flip in alone.flips] == [("changed", None, None)] * 2


def test_a_task_without_classes_has_no_margin() -> None:
    labels = np.array([[1.0], [2.0]])
    outputs = np.array([[1.0], [2.0]], np.float32)
    reference = replace(measurement(np.arange(2), labels), outputs={"output": outputs})
    (flip,) = compare(reference, replace(reference, outputs={"output": outputs * [[1], [3]]}), Regression()).flips
    assert (flip.sample, flip.change, flip.reference_margin) == (1, "lost", None)


def test_a_table_names_samples_and_reads_back_what_it_wrote() -> None:
    comparison = compare(measurement(THEIRS, LABELS), measurement(OURS, LABELS), Classification())
    text = flips_csv.render(comparison.flips, ("a", 'b, "quoted"\n.png', "c\udc80.png", "d"))
    assert text.splitlines()[0] == (
        "id,sample,change,label,reference,candidate,reference_score,candidate_score,reference_margin,candidate_margin"
    )
    first, second = flips_csv.read(text)
    assert (first["id"], first["sample"], first["reference_margin"]) == ('b, "quoted"\n.png', 1, 1.0)
    assert second["id"] == "c\\udc80.png"
    assert flips_csv.read(flips_csv.render((), None)) == []
    with pytest.raises(ValueError, match="its columns are not id, sample"):
        flips_csv.read("a,b\n1,2\n")


def test_a_gallery_holds_pictures_within_bounds_and_escapes_what_is_in_names() -> None:
    rows = [
        {"id": f"<b>{i}", "sample": i, "change": "lost", "label": None, "reference": "a", "candidate": "b",
         "reference_margin": 0.5, "candidate_margin": None} for i in range(300)
    ]  # fmt: skip
    rows[0]["id"] = "\u05d0 <b>0"
    noise = np.random.default_rng(0).integers(0, 256, (1000, 800, 3)).astype(np.uint8)
    page = flips_gallery.render("a <title>", rows, {0: noise, 1: noise[..., :1]})
    assert page.count("<figure>") == flips_gallery.MOST
    assert page.count("data:image/png;base64,") == 2
    assert page.count('alt=""') == 2
    assert len(page) < 200_000
    assert "300 samples are answered otherwise. The first 200 are shown; flips.csv has all." in page
    assert "<b>0" not in page.replace("<b>right", "")
    assert "reference: a (ahead by 0.5)<br>candidate: b<" in page
    assert "<script" not in page
    assert "content=\"default-src 'none'" in page


def test_a_name_that_a_spreadsheet_would_run_is_a_text_to_it_and_reads_back_as_it_was() -> None:
    comparison = compare(measurement(THEIRS, LABELS), measurement(OURS, LABELS), Classification())
    names = ("a", '=HYPERLINK("http://evil","x")', "'quoted", "d")
    text = flips_csv.render(comparison.flips, names)
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["id"], second["id"]) == ("'" + names[1], "'" + names[2])
    assert [row["id"] for row in flips_csv.read(text)] == list(names[1:3])
    risky = [replace(flip, reference=words) for flip, words in zip(comparison.flips, ("@SUM(1)", "-0.5"), strict=True)]
    rows = csv.DictReader(io.StringIO(flips_csv.render(risky, None)))
    assert [row["reference"] for row in rows] == ["'@SUM(1)", "-0.5"]

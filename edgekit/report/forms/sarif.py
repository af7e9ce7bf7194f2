"""A report as SARIF 2.1.0, which GitHub's code scanning and others show: a result for each gate that does not hold.

Gates that passed, or are not measurable, are no results: GitHub shows each result as an alert, whatever its `kind`.
An undecided gate was not shown to hold, and is a result too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from edgekit.errors import EdgekitError
from edgekit.parity.gate_texts import QUANTITIES
from edgekit.parity.gates import GateResult
from edgekit.report.data_digests import data_digests
from edgekit.report.forms.locate import Locate, in_project_file
from edgekit.report.forms.severity import severity
from edgekit.report.record import ReportRecord
from edgekit.report.sections.outline import Outline, outline
from edgekit.report.sections.section import shown
from edgekit.specs.source_location import SourceLocation
from edgekit.untrusted.direction import isolated
from edgekit.untrusted.sanitize import json_lines

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(reports: Sequence[ReportRecord], locate: Locate = in_project_file) -> str:
    """Render the reports as one log with one run. locate: where each gate is stated."""
    rules = list(dict.fromkeys(gate.name for report in reports for gate in report.gates))
    results = [
        {**_result(report, gate, rules.index(gate.name)), "locations": [_location(locate(report, gate.name))]}
        for report in reports
        for gate in report.gates
        if severity(report, gate) in ("error", "warning")
    ]
    version = next((report.versions["edgekit"] for report in reports if "edgekit" in report.versions), None)
    invocation = {"executionSuccessful": True, "toolExecutionNotifications": _notifications(reports)}
    data = [each for report in reports for each in _data_sets(report)]
    return _log(version, [_rule(name) for name in rules], results, invocation, data)


def render_error(error: EdgekitError, location: SourceLocation) -> str:
    """Render an error that ended a build or a run, as the one result of its log. location: the line it tells of."""
    rule = {"id": error.code, "name": type(error).__name__, "defaultConfiguration": {"level": "error"}}
    hint = f" Hint: {error.hint}" if error.hint else ""
    result = {
        "ruleId": error.code,
        "ruleIndex": 0,
        "kind": "fail",
        "level": "error",
        "message": {"text": _words(f"{error}.{hint}")},
        "locations": [_location(location)],
        "partialFingerprints": _fingerprint(error.code, location.file),
    }
    return _log(None, [rule], [result], {"executionSuccessful": False, "exitCode": error.exit_code}, [])


def _log(
    version: str | None,
    rules: Sequence[dict[str, Any]],
    results: Sequence[dict[str, Any]],
    invocation: dict[str, Any],
    data: Sequence[dict[str, Any]],
) -> str:
    """Write a log with one run. data: artifacts, the data sets that the verdicts are made of."""
    run = {
        "tool": {"driver": {"name": "edgekit", **({"version": shown(version)} if version else {}), "rules": rules}},
        "automationDetails": {"id": "edgekit/"},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        **({"artifacts": data} if data else {}),
        "results": results,
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json_lines(json.dumps(log, indent=2, allow_nan=False, ensure_ascii=False)) + "\n"


def _location(at: SourceLocation) -> dict[str, Any]:
    artifact = {"uri": quote(at.file, errors="replace"), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": at.line}}}


def _data_sets(report: ReportRecord) -> list[dict[str, Any]]:
    """Data sets with their digests; they have no place in the repository."""
    return [
        {
            "description": {"text": _words(f"{report.target}, {report.profile}, {report.backend}: {role} data")},
            "hashes": {"sha-256": sha256},
        }
        for role, sha256 in data_digests(report)
    ]


def _rule(name: str) -> dict[str, Any]:
    quantity = QUANTITIES[name]
    return {
        "id": name,
        "name": name.title().replace("_", ""),
        "shortDescription": {"text": quantity.title},
        "help": {"text": f"If it is not: {quantity.remedy}."},
        "defaultConfiguration": {"level": "error"},
    }


def _result(report: ReportRecord, gate: GateResult, rule: int) -> dict[str, Any]:
    """Result of a gate. Its fingerprint tells targets apart, whose gates are all stated in one file."""
    return {
        "ruleId": gate.name,
        "ruleIndex": rule,
        "kind": "fail",
        "level": severity(report, gate),
        "message": {"text": _words(f"{report.target}, {report.profile}, {report.backend}: {gate.meaning}")},
        "partialFingerprints": _fingerprint(report.target, report.profile, report.backend, gate.name),
        "properties": {"outcome": gate.outcome, "value": gate.value, "min": gate.min, "max": gate.max},
    }


def _words(text: str) -> str:
    """Words for people, with letters from right to left isolated."""
    return isolated(shown(text))


def _fingerprint(*identity: str) -> dict[str, str]:
    digest = hashlib.sha256("\0".join(identity).encode("utf-8", "replace")).hexdigest()
    return {"primaryLocationLineHash": f"{digest[:16]}:1"}


def _notifications(reports: Sequence[ReportRecord]) -> list[dict[str, Any]]:
    """List what must be known beside the gates: it is no result, for nobody can close it in the code."""
    return [
        {"level": level, "message": {"text": _words(f"{view.subject}: {sentence}")}}
        for view in map(outline, reports)
        for level, sentence in _sentences(view)
    ]


def _sentences(view: Outline) -> list[tuple[str, str]]:
    warned = [("warning", sentence) for sentence in (*view.invalid, *view.warnings)]
    return [("note", f"{view.verdict}: {view.sentence}"), *warned]

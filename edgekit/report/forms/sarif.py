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

from edgekit.parity.gate_texts import QUANTITIES
from edgekit.parity.gates import GateResult
from edgekit.report.forms.severity import severity
from edgekit.report.record import ReportRecord
from edgekit.report.sections.outline import Outline, outline
from edgekit.report.sections.section import shown
from edgekit.untrusted.sanitize import json_lines

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
PROJECT_FILE = "edgekit.toml"


def render(reports: Sequence[ReportRecord], file: str = PROJECT_FILE) -> str:
    """Render the reports as one log with one run. file: path of what states the gates, from the repository's root."""
    rules = list(dict.fromkeys(gate.name for report in reports for gate in report.gates))
    found_at = [{"physicalLocation": {"artifactLocation": _artifact(file), "region": {"startLine": 1}}}]
    results = [
        {**_result(report, gate, rules.index(gate.name)), "locations": found_at}
        for report in reports
        for gate in report.gates
        if severity(report, gate) in ("error", "warning")
    ]
    run = {
        "tool": {"driver": _driver(reports, rules)},
        "automationDetails": {"id": "edgekit/"},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _notifications(reports)}],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json_lines(json.dumps(log, indent=2, allow_nan=False, ensure_ascii=False)) + "\n"


def _artifact(file: str) -> dict[str, str]:
    return {"uri": quote(file, errors="replace"), "uriBaseId": "%SRCROOT%"}


def _driver(reports: Sequence[ReportRecord], rules: Sequence[str]) -> dict[str, Any]:
    version = next((report.versions["edgekit"] for report in reports if "edgekit" in report.versions), None)
    return {
        "name": "edgekit",
        **({"version": shown(version)} if version else {}),
        "rules": [_rule(name) for name in rules],
    }


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
    identity = "\0".join((report.target, report.profile, report.backend, gate.name)).encode("utf-8", "replace")
    return {
        "ruleId": gate.name,
        "ruleIndex": rule,
        "kind": "fail",
        "level": severity(report, gate),
        "message": {"text": shown(f"{report.target}, {report.profile}, {report.backend}: {gate.meaning}")},
        "partialFingerprints": {"primaryLocationLineHash": f"{hashlib.sha256(identity).hexdigest()[:16]}:1"},
        "properties": {"outcome": gate.outcome, "value": gate.value, "min": gate.min, "max": gate.max},
    }


def _notifications(reports: Sequence[ReportRecord]) -> list[dict[str, Any]]:
    """List what must be known beside the gates: it is no result, for nobody can close it in the code."""
    return [
        {"level": level, "message": {"text": f"{view.subject}: {sentence}"}}
        for view in map(outline, reports)
        for level, sentence in _sentences(view)
    ]


def _sentences(view: Outline) -> list[tuple[str, str]]:
    warned = [("warning", sentence) for sentence in (*view.invalid, *view.warnings)]
    return [("note", f"{view.verdict}: {view.sentence}"), *warned]

"""A report as JUnit XML: a suite for each report, a test case for each gate; GitLab, Jenkins and others show it.

The elements and attributes are those that Jenkins' schema of JUnit and GitLab's parser have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from edgekit.parity.gate_texts import quantity_of
from edgekit.parity.gates import GateResult
from edgekit.report.forms.severity import severity
from edgekit.report.record import ReportRecord
from edgekit.report.sections.outline import outline
from edgekit.report.sections.section import shown
from edgekit.untrusted.direction import isolated

_ELEMENTS = {"error": "error", "warning": "skipped", "skipped": "skipped"}
"""Element of a test case by the severity of its gate; a failed gate has `failure`."""


def render(reports: Sequence[ReportRecord]) -> str:
    """Render the reports as one document, which every XML parser reads, whatever a device or a file is named."""
    root = Element("testsuites", name="edgekit")
    suites = [_suite(report) for report in reports]
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.extend(suites)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, "unicode")}\n'


def _suite(report: ReportRecord) -> Element:
    view, seconds = outline(report), sum(stage.seconds for stage in report.stages)
    cases = [_case(report, gate) for gate in report.gates]
    suite = Element("testsuite", name=view.subject, tests=str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{seconds:.3f}")
    properties = SubElement(suite, "properties")
    for name, value in _properties(report):
        SubElement(properties, "property", name=name, value=shown(value))
    suite.extend(cases)
    SubElement(suite, "system-out").text = isolated("\n".join((view.sentence, *view.invalid, *view.warnings)))
    return suite


def _properties(report: ReportRecord) -> list[tuple[str, str]]:
    bundle = [("bundle", report.bundle.path), ("digest", report.bundle.digest)] if report.bundle else []
    return [
        ("verdict", report.verdict),
        ("target", report.target),
        ("profile", report.profile),
        ("backend", report.backend),
        ("device", report.device or ""),
        *bundle,
        *report.versions.items(),
    ]


def _case(report: ReportRecord, gate: GateResult) -> Element:
    place = ".".join(shown(name).replace(".", "_") for name in (report.target, report.backend, report.profile))
    case, grave = Element("testcase", classname=f"edgekit.{place}", name=gate.name), severity(report, gate)
    if grave is None:
        return case
    tag = "failure" if gate.outcome == "failed" else _ELEMENTS[grave]
    quantity = quantity_of(gate.name, report.reference.metric_unit)
    value = "unknown" if gate.value is None else quantity.show(gate.value)
    message = f"{gate.outcome}: {value}, {quantity.limit(gate.min, gate.max)}".rstrip(", ")
    note = SubElement(case, tag, message=isolated(shown(message)))
    if tag != "skipped":  # Jenkins' schema gives it no type
        note.set("type", gate.outcome)
    note.text = isolated(shown(gate.meaning))
    return case

"""A report, and the documents that hold several: read, written, and shown in a notebook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from edgekit.errors import DataError
from edgekit.ir.record import Record
from edgekit.ir.record_fault import first_fault
from edgekit.report.forms.html import render
from edgekit.report.record import ReportRecord
from edgekit.untrusted import json_text
from edgekit.untrusted.sanitize import json_lines


class Report(ReportRecord):
    """Report of one model, one target, one profile: the build, its measurements, and the verdict."""

    def __repr__(self) -> str:
        return f"<Report {self.verdict}: {self.sentence}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        """Page for a notebook: the one that `edgekit report --format html` writes."""
        # In a frame: the page's style is not the notebook's.
        return f'<iframe srcdoc="{escape(render((self,)))}" style="width: 100%; height: 40em; border: 0"></iframe>'

    def to_json(self) -> str:
        """This report alone, as `report.json` holds it."""
        return json_lines(self.model_dump_json(by_alias=True, indent=2)) + "\n"


class Document(Record):
    """Document that `--json` prints: one report a target."""

    schema_version: Literal[1] = Field(alias="schema")
    reports: tuple[Report, ...]


MAX_VALUES = 1_000_000
"""Most values of a report that is read back: a large model has tens of thousands of operators."""


def to_json(reports: Sequence[Report]) -> str:
    """JSON of the document that holds these reports."""
    document = Document(schema_version=1, reports=tuple(reports))
    return json_lines(document.model_dump_json(by_alias=True, indent=2)) + "\n"


def read_reports(path: Path) -> tuple[Report, ...]:
    """Read the reports in a file that holds one report or a document of them. Raises DataError."""
    try:
        values = json_text.loads(path.read_text("utf-8"), MAX_VALUES)
        if isinstance(values, dict) and "reports" in values:
            return Document.model_validate(values).reports
        return (Report.model_validate(values),)
    except ValidationError as error:
        raise DataError(f"'{path}' is not a report: {first_fault(error)}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as a report: {error}") from error


def json_schema() -> str:
    """JSON schema of the document, as docs/report.schema.json holds it."""
    return json.dumps(Document.model_json_schema(), indent=2, sort_keys=True) + "\n"

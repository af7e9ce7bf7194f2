"""Record of a build or run that ended in an error and so has no report: `failure.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from edgekit.errors import DataError
from edgekit.ir.record import Record
from edgekit.ir.record_fault import first_fault
from edgekit.untrusted import json_text
from edgekit.untrusted.sanitize import json_lines

FAILURE = "failure.json"


class FailureRecord(Record):
    """Attempt at a build or run, and the error that it ended in."""

    schema_version: Literal[1] = Field(alias="schema")
    project: str
    target: str
    backend: str
    profile: str
    device: str | None = None
    """URL of the device that was to be probed; left out for a build."""
    code: str
    """Code of the error, such as `EK206`."""
    message: str
    hint: str | None = None

    def to_json(self) -> str:
        return json_lines(self.model_dump_json(by_alias=True, indent=2)) + "\n"


def read_failure(path: Path) -> FailureRecord:
    """Read a record of a failure. Raises DataError."""
    try:
        return FailureRecord.model_validate(json_text.loads(path.read_text("utf-8")))
    except ValidationError as error:
        raise DataError(f"'{path}' is no record of a failure: {first_fault(error)}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as a record of a failure: {error}") from error

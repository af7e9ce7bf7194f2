"""A generated text as `probe --generate` shows it: JSON, or the text and a table of its pace."""

from __future__ import annotations

from edgekit.cli.output import note, print_json, print_table
from edgekit.parity.generation_record import GenerationRecord
from edgekit.report.sections.generation import generation
from edgekit.untrusted.sanitize import line

SHOWN = 4000
"""Characters of a generated text that are shown."""


def show_generation(record: GenerationRecord, json: bool) -> None:
    """Print the text, its pace by number of threads, and remarks on memory."""
    if json:
        print_json({"schema": 1, "generation": record.model_dump(mode="json")})
        return
    section = generation(record)
    assert section
    note(line(record.text or " ".join(map(str, record.tokens)), SHOWN))
    print_table(section.header, section.rows)
    for words in section.notes:
        note(words)

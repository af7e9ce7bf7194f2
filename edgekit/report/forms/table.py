"""One section alone, as text or Markdown: a table that is no part of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from edgekit.report.forms import markdown, text
from edgekit.report.sections.section import Section

TABLE_FORMS: Mapping[str, Callable[[Section], str]] = MappingProxyType(
    {
        "txt": lambda section: "\n".join(text.section_lines(section)[1:]) + "\n",
        "md": lambda section: "\n".join(markdown.section_lines(section)[1:]) + "\n",
    }
)
"""Forms by the ending of their files."""

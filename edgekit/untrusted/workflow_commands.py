"""Workflow commands, which GitHub Actions and Azure Pipelines read from what a step prints: write them, or defuse them.

A line that begins with `::name` and has another `::`, or that holds `##[name]` or `##vso[name]` anywhere, is a command
of the runner, whoever wrote it: a device, a server or a file name could set variables or hide lines of the log.
https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import re

from edgekit.untrusted.direction import isolated
from edgekit.untrusted.sanitize import line

_AT_BEGINNING = re.compile(r"(?m)^(\s*:)(:[A-Za-z-]+.*::)")
_ANYWHERE = re.compile(r"##(?=\w*\[)")


def workflow_command(name: str, message: str, limit: int | None = None, **properties: str) -> str:
    """Write a command in one line, with letters from right to left isolated in its message and title.

    limit: characters of the message and of each property, before they are escaped.
    """
    shown = {key: line(value, limit) for key, value in properties.items()}
    if "title" in shown:
        shown["title"] = isolated(shown["title"])
    written = ",".join(f"{key}={_property(value)}" for key, value in shown.items())
    return f"::{name}{' ' if written else ''}{written}::{_data(isolated(line(message, limit)))}"


def defused(text: str) -> str:
    """Text without commands, of any number of lines: a space is put into what would begin one."""
    return _ANYWHERE.sub("## ", _AT_BEGINNING.sub(r"\1 \2", text))


def defused_json(document: str) -> str:
    """JSON document that means the same, without commands."""
    return _ANYWHERE.sub(r"#\\u0023", document)  # no line of it begins with a colon


def _data(text: str) -> str:
    return defused(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

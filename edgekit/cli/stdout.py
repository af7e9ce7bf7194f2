"""Standard output of the command that runs."""

from __future__ import annotations

from typing import ClassVar


class Stdout:
    """State of standard output, which is that of the process."""

    has_document: ClassVar[bool] = False
    """True once the JSON document of `--json` is printed: an error afterwards does not print another one."""

"""Supplement to a report for people: what lies beside the record, and what is typed to get more."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.report.layer_table import LayerTable


@dataclass(frozen=True)
class Supplement:
    """Folder of a report, the options that name its project, and what was made for it beside the record."""

    folder: str = "DIR"
    """Folder of the report, as its user types it."""
    project: tuple[str, ...] = ()
    """Options that name the project, such as `--example digits`; empty in the project's own folder."""
    layers: LayerTable | None = None
    """Sensitivity of the layers; None where nobody diagnosed this bundle."""
    thumbnails: Mapping[int, str] = field(default_factory=dict)
    """Pictures of flipped samples by the index of the sample, PNG in base64; empty unless they were asked for."""

    def command(self, *words: str) -> str:
        """`edgekit WORDS …` as a shell takes it, with the options of the project."""
        return shlex.join(("edgekit", *words, *self.project))


PLAIN = Supplement()
"""Supplement of a report of which nothing but the record is known."""

"""Record of one stage that ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class StageRecord:
    """One stage of a build or a run, as it went."""

    name: str
    seconds: float
    """Time that it took by itself, without the stages inside it."""
    cached: bool
    """True if its result was reused from the cache."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

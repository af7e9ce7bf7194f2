"""Mutants that no test can kill, each with the reason: the change is not one of behaviour."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {}
"""By module, what stands there and what the mutant makes of it."""

"""Mutants that no test can kill, each with the reason: the change is not one of behaviour."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("edgekit/bundle/manifest.py", '"json"', "'jsonXX'"): "every value of a manifest is what JSON has already",
}
"""By module, what stands there and what the mutant makes of it."""

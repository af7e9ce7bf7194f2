"""Mutants that no test can kill, each with the reason: the change is not one of behaviour."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("edgekit/bundle/manifest.py", '"json"', "'jsonXX'"): "every value of a manifest is what JSON has already",
    ("edgekit/runner/timing.py", "5_000_000_000", "5000000001"): "a nanosecond of the longest warm-up, five seconds",
    ("edgekit/measure/store.py", "2", "None"): "how far a file is indented, which nobody reads by",
    ("edgekit/measure/store.py", "2", "3"): "the same",
}
"""By module, what stands there and what the mutant makes of it."""

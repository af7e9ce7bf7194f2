"""Mutants that no test can kill, each with the reason: the change is not one of behaviour."""

from __future__ import annotations

from pathlib import Path

from scripts.mutation.operators import Mutant

STORE = "edgekit/measure/store.py"
EQUIVALENT: dict[tuple[str, str, str, str], str] = {
    ("edgekit/bundle/manifest.py", "values = self.model_dump(", '"json"', "'jsonXX'"): (
        "every value of a manifest is what JSON has already"
    ),
    ("edgekit/runner/timing/loop.py", "WARM_UP_NS =", "5_000_000_000", "5000000001"): (
        "a nanosecond of the longest warm-up, five seconds"
    ),
    ("edgekit/parity/statistics/binomial.py", "k = np.arange(", "1", "2"): (
        "a sum beyond the mean, where none is looked for"
    ),
    (STORE, "written = json.dumps(", "2", "None"): "how far a file is indented, which nobody reads by",
    (STORE, "written = json.dumps(", "2", "3"): "the same",
}
"""Reasons by module, beginning of the line, text there, and text of the mutant."""


def reason(source: Path, text: str, mutant: Mutant) -> str | None:
    """Reason why no test can kill this mutant of a module with this text; None if it is not known to be equivalent."""
    line = text.splitlines()[mutant.line - 1].strip()
    for (module, start, before, after), why in EQUIVALENT.items():
        if (module, before, after) == (source.as_posix(), mutant.before, mutant.after) and line.startswith(start):
            return why
    return None

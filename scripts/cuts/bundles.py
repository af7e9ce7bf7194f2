"""Three signed bundles of one model, each with other files: of two that are in slots, the third is always news."""

from __future__ import annotations

import warnings
from pathlib import Path

from edgekit.api.builds import build, load_project
from edgekit.bundle.archive import Bundle

PROFILES = ("int8-plain", "float32", "dynamic-int8")
SAMPLES = 64
"""Gates are not what is tried here, and so few samples tell little."""


def built(target: str, folder: Path, backend: str | None = None) -> tuple[Bundle, ...]:
    """Build the example `digits` with the user's key, in this process: one converter serves all three builds.

    Raises EdgekitError of the stage that could not be done.
    """
    project = load_project(example="digits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # converters warn of their own code
        return tuple(
            build(project, target, backend=backend, profile=profile, out=folder / str(k), samples=SAMPLES).bundle
            for k, profile in enumerate(PROFILES)
        )

"""Three signed bundles of one model, each with other files: of two that are in slots, the third is always news."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from scripts.benchmark.processes import ROOT

PROFILES = ((), ("--profile", "float32"), ("--profile", "dynamic-int8"))
BUILD_S = 600.0


def built(target: str, folder: Path, options: tuple[str, ...] = ()) -> tuple[Bundle, ...]:
    """The example `digits`, built by the command line with the user's key. Raises RuntimeError with its last words."""
    trusted = KeyStore.of_user().trusted
    made = (_build(target, (*options, *more), folder / str(k)) for k, more in enumerate(PROFILES))
    return tuple(Bundle.open(path, trusted()) for path in made)


def _build(target: str, more: tuple[str, ...], out: Path) -> Path:
    argv = [sys.executable, "-m", "edgekit.cli", "build", "--example", "digits", "--target", target]
    argv += ["--samples", "64", *more, "--out", str(out)]
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=BUILD_S)
    # Gates are not what is tried here, and so few samples tell little.
    if ended.returncode not in (0, 1):
        raise RuntimeError(ended.stderr[-2000:])
    return next(out.glob("*.edgekit"))

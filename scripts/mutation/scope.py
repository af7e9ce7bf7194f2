"""Which modules are mutated, and by which tests each is held."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SLOTS = ("begin", "durable", "incoming", "lease", "manifest", "slots", "state", "trust", "unpack", "verify", "whole")


@dataclass(frozen=True)
class Scope:
    """One folder of `edgekit/`, the modules of it that are mutated (all, if none is named), and its tests."""

    folder: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]

    def sources(self, checkout: Path) -> list[Path]:
        """The modules, relative to the checkout."""
        root = checkout / "edgekit" / self.folder
        paths = sorted(path for path in root.rglob("*.py") if not self.modules or path.stem in self.modules)
        return [path.relative_to(checkout) for path in paths]

    def ordered(self, source: Path, checkout: Path) -> list[str]:
        """The test files, those first that bear the module's name: a mutant is soonest killed there."""
        files = [file for test in self.tests for file in _files(checkout / test)]
        named = sorted(files, key=lambda file: source.stem not in file.stem)
        return [str(file.relative_to(checkout)) for file in dict.fromkeys(named)]


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("test_*.py"))


SCOPES = (
    Scope("parity", (), ("tests/parity", "tests/report")),
    Scope("bundle", (), ("tests/bundle",)),
    Scope("runner", (*SLOTS, "ed25519", "timing"), ("tests/runner", "tests/devices/test_flash.py")),
    Scope("measure", (), ("tests/measure",)),
)

"""The modules that are mutated, and the tests of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ADMISSION, ED25519, EXPIRY, FUZZ, REPAIR, SLOTS, TRUST, UNPACK = (
    f"tests/runner/slots/test_{name}.py"
    for name in ("admission", "ed25519", "expiry", "fuzz", "repair", "lifecycle", "trust", "unpack")
)
INSTALL, FLASH = "tests/runner/verbs/test_install.py", "tests/devices/test_flash.py"
INSTALLED, HOSTILE = "tests/measure/device/test_installed.py", "tests/measure/device/test_hostile_device.py"


@dataclass(frozen=True)
class Scope:
    """One folder of `edgekit/`, with its tests."""

    folder: str
    tests: tuple[str, ...] = ()
    """Tests of every module in the folder, if `modules` is empty."""
    modules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The modules that are mutated, by name without `.py`, each with its own tests, the quickest first."""

    def sources(self, checkout: Path) -> list[Path]:
        """The modules, relative to the checkout."""
        root = checkout / "edgekit" / self.folder
        paths = sorted(path for path in root.glob("*.py") if not self.modules or path.stem in self.modules)
        return [path.relative_to(checkout) for path in paths]

    def ordered(self, source: Path, checkout: Path) -> list[str]:
        """The test files of a module, those first that bear its name: a mutant is soonest killed there."""
        files = [file for test in self.modules.get(source.stem, self.tests) for file in _files(checkout / test)]
        named = sorted(files, key=lambda file: source.stem not in file.stem)
        return [str(file.relative_to(checkout)) for file in dict.fromkeys(named)]


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("test_*.py"))


SCOPES = (
    Scope("parity", ("tests/parity", "tests/report")),
    Scope("bundle", ("tests/bundle",)),
    Scope("runner/files", modules={"durable": (SLOTS, REPAIR, FLASH), "integrity": (SLOTS, ADMISSION, UNPACK, FLASH)}),
    Scope("runner/model", modules={"manifest": (SLOTS, TRUST, FLASH)}),
    Scope("runner/timing", modules={"loop": ("tests/runner/timing/test_loop.py", "tests/runner/verbs/test_verbs.py")}),
    Scope("runner/verbs", modules={"install": (INSTALL, SLOTS, FLASH)}),
    Scope(
        "runner/slots",
        modules={
            "admission": (ADMISSION, REPAIR, SLOTS),
            "begin": (INSTALL, SLOTS, TRUST, ADMISSION, FLASH),
            "ed25519": (ED25519,),
            "expiry": (EXPIRY,),
            "stage": (INSTALL, SLOTS, TRUST, UNPACK, EXPIRY, FUZZ, FLASH),
            "lease": (SLOTS, REPAIR, INSTALL, FLASH),
            "repair": (REPAIR,),
            "lifecycle": (SLOTS, ADMISSION, TRUST, REPAIR, FLASH),
            "staging_folder": (SLOTS, INSTALL, FLASH),
            "state": (SLOTS, ADMISSION, REPAIR, TRUST, FLASH),
            "state_file": (REPAIR, SLOTS),
            "trust": (TRUST, ADMISSION, REPAIR, SLOTS),
            "unpack": (UNPACK, ADMISSION, FUZZ),
            "verify": (TRUST, SLOTS, FUZZ),
        },
    ),
    Scope(
        "measure",
        modules={
            "meter": ("tests/measure/test_meter.py",),
            "shards": ("tests/measure/test_shards.py", INSTALLED),
            "store": ("tests/measure/test_store.py",),
            "user_inputs": ("tests/measure/test_user_inputs.py",),
        },
    ),
    Scope(
        "measure/device",
        modules={
            "session": (INSTALLED, HOSTILE),
            "model_file": ("tests/measure/device/test_model_file.py",),
            "installed_bundle": (INSTALLED, "tests/measure/test_shards.py"),
            "operators": ("tests/measure/device/test_operators.py",),
            "scratch_install": ("tests/measure/device/test_model_file.py",),
            "processes": (
                "tests/measure/device/test_processes.py",
                "tests/measure/device/test_disturbance.py",
                INSTALLED,
            ),
            "throughput": ("tests/measure/device/test_throughput.py",),
        },
    ),
    # The last of these asks real servers, half a minute long.
    Scope(
        "measure/serving",
        tuple(f"tests/measure/serving/test_{name}.py" for name in ("signature_match", "hostile_server", "reference")),
    ),
)

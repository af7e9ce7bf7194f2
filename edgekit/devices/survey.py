"""Survey of a device in one trip, by its shell alone: starting Python there costs ten times as much."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.devices.runner_install import PROGRAM_SUMS, is_whole, program_name
from edgekit.devices.transport import Transport
from edgekit.errors import CommandFailed
from edgekit.runner.layout import MANIFEST, SLOTS
from edgekit.runner.machine.system import architecture

QUICK_S = 60.0
MANIFEST_BYTES = 1 << 20
"""Size in bytes up to which a manifest is read; the files of a longer one are sent again."""
_ONE_LINE = {ord("\r"): None, ord("\n"): None}
# One line: a shell on the device may have to quote it. Small images have neither sed nor grep.
SCRIPT = (
    'printf "machine %s\\n" "$(uname -m)"; '
    'folder=$0; while [ -n "$folder" ] && [ ! -d "$folder" ]; do folder=${folder%/*}; done; '
    'df -kP "${folder:-/}" 2>/dev/null; '
    'while read -r name kb rest; do [ "$name" != MemAvailable: ] || echo "memory $kb kB"; done </proc/meminfo; '
    f"for slot in {' '.join(SLOTS)}; do "
    f'printf "slot "; head -c {MANIFEST_BYTES} "$0/$slot/{MANIFEST}" 2>/dev/null | tr -d "\\r\\n"; echo; '
    "done; "
    'for pack in "$0"/runtimes/*; do [ ! -d "$pack" ] || echo "pack ${pack##*/}"; done; '
    f'if cd "$0/runner" 2>/dev/null; then echo program; {PROGRAM_SUMS}; fi'
)


@dataclass(frozen=True)
class Survey:
    """Facts of a device by its own account. Nothing is verified: a wrong one costs a second trip."""

    machine: str = ""
    """Architecture, as manifests name it; empty if unknown."""
    available_bytes: int | None = None
    """Available memory in bytes; None if unknown."""
    free_bytes: int | None = None
    """Free bytes on the disk where edgekit's folder is, or would be; None if unknown."""
    listed: frozenset[tuple[str, str]] = frozenset()
    """Path and SHA-256 of the files that the manifests in its slots list."""
    manifests: frozenset[str] = frozenset()
    """Manifests in its slots, each on one line."""
    packs: frozenset[str] = frozenset()
    """Names of its runtime packs."""
    has_runner: bool = False
    """True if this edgekit's runner is there, and undamaged."""

    def has(self, manifest: bytes) -> bool:
        """Tell whether a slot has that manifest, by the device's account."""
        return manifest.decode().translate(_ONE_LINE) in self.manifests


def survey(device: Transport) -> Survey:
    """Survey a device; every fact is unknown if its shell fails. Raises Unreachable."""
    try:
        output = device.run(["sh", "-c", SCRIPT, str(device.root), program_name()], timeout=QUICK_S).stdout
    except CommandFailed:
        return Survey()
    machine = "".join(re.findall(r"^machine (\S+)$", output, re.MULTILINE)[:1])
    memory = re.search(r"^memory (\d{1,15}) kB$", output, re.MULTILINE)
    disk = re.search(r"\b(\d{1,15})\s+\d{1,3}%\s+/", output)
    slots = re.findall(r"^slot (.+)$", output, re.MULTILINE)
    return Survey(
        architecture(machine),
        int(memory[1]) * 1024 if memory else None,
        int(disk[1]) * 1024 if disk else None,
        frozenset(pair for slot in slots for pair in _listed(slot)),
        frozenset(slots),
        frozenset(re.findall(r"^pack ([0-9a-f]{16})$", output, re.MULTILINE)),
        is_whole(output.rpartition("\nprogram\n")[2]),
    )


def _listed(manifest: str) -> Iterable[tuple[str, str]]:
    """Path and SHA-256 of each file that a manifest lists; empty for other text."""
    try:
        return [(str(file["path"]), str(file["sha256"])) for file in json.loads(manifest)["files"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []

"""A device at a glance, by its shell alone: starting Python there costs ten times as much."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.devices.runner_client import PROGRAM_SUMS, is_whole, program_name
from edgekit.devices.transport import Transport
from edgekit.errors import CommandFailed
from edgekit.runner.layout import MANIFEST, SLOTS
from edgekit.runner.machine.system import architecture

QUICK_S = 60.0
MANIFEST_BYTES = 1 << 20
"""Of a longer manifest nothing is known: its files are sent again."""
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
    """What a device says of itself. Nothing here is verified: what it is wrong about costs a second journey."""

    machine: str = ""
    """As bundles name it; empty if it does not say."""
    available_bytes: int | None = None
    """Of memory."""
    free_bytes: int | None = None
    """Of the disk where edgekit's folder is, or would be."""
    listed: frozenset[tuple[str, str]] = frozenset()
    """Path and SHA-256 of the files that its slots are said to have."""
    manifests: frozenset[str] = frozenset()
    """Of its slots, in one line each."""
    packs: frozenset[str] = frozenset()
    """Names of the runtime packs that are there."""
    has_runner: bool = False
    """Whether this edgekit's runner is there, and undamaged."""

    def has(self, manifest: bytes) -> bool:
        """Tell whether a slot is said to have that manifest."""
        return manifest.decode().translate(_ONE_LINE) in self.manifests


def survey(device: Transport) -> Survey:
    """Raises Unreachable; a device whose shell does not answer says nothing of itself."""
    try:
        said = device.run(["sh", "-c", SCRIPT, str(device.root), program_name()], timeout=QUICK_S).stdout
    except CommandFailed:
        return Survey()
    machine = "".join(re.findall(r"^machine (\S+)$", said, re.MULTILINE)[:1])
    memory = re.search(r"^memory (\d{1,15}) kB$", said, re.MULTILINE)
    disk = re.search(r"\b(\d{1,15})\s+\d{1,3}%\s+/", said)
    slots = re.findall(r"^slot (.+)$", said, re.MULTILINE)
    return Survey(
        architecture(machine),
        int(memory[1]) * 1024 if memory else None,
        int(disk[1]) * 1024 if disk else None,
        frozenset(pair for slot in slots for pair in _listed(slot)),
        frozenset(slots),
        frozenset(re.findall(r"^pack ([0-9a-f]{16})$", said, re.MULTILINE)),
        is_whole(said.rpartition("\nprogram\n")[2]),
    )


def _listed(manifest: str) -> Iterable[tuple[str, str]]:
    """Path and SHA-256 of each file that a manifest lists; nothing of what is none."""
    try:
        return [(str(file["path"]), str(file["sha256"])) for file in json.loads(manifest)["files"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []

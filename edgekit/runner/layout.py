"""Names of files and folders that the host and the device share.

ROOT/a, ROOT/b         the A/B slots: an unpacked bundle each
ROOT/runtimes/NAME     a runtime pack, named by the start of its digest
ROOT/probe/NAME        an unpacked bundle that is measured and never served
SLOT/manifest.json     what a bundle holds; SLOT/manifest.sig its signatures; SLOT/engine.json its engine plan
SLOT/npu.json          the context binaries in it, for the NPUs of named chips
SLOT/monitor.json      the bins that the served model's inputs and answers are counted in
ROOT/counts             the counts, a file a window
"""

from __future__ import annotations

from pathlib import Path

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
PLAN = "engine.json"
CONTEXTS = "npu.json"
MONITOR = "monitor.json"
COUNTS = "counts"
NPU = "npu"
"""Folder of the context binaries in a slot."""
SLOTS = ("a", "b")
PROBE = "probe"
RUNTIMES = "runtimes"


def root_of(slot: Path) -> Path:
    """Device root of an A/B slot, or of a folder below `ROOT/probe`."""
    return slot.parents[1] if slot.parent.name == PROBE else slot.parent

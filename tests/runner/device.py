"""A device's folder, filled by the runner's own functions: small bundles, signed by whom a test says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from edgekit.bundle.signing import SigningKey, write_signature
from edgekit.runner.slots import lifecycle
from edgekit.runner.slots import stage as stage_step
from tests.runner.slot import KEY, list_files

SHARED, SHARED_TEXT = "golden/x.npy", "the same in all"
"""The file that is the same in all of them."""
OTHER = SigningKey.generate()


def arrive(root: Path, text: str, key: SigningKey = KEY, **changes: Any) -> Path:
    """The bundle of that text in its staging folder, named by its digest."""
    made = root.parent / "made"
    (made / "golden").mkdir(parents=True)
    (made / "model.onnx").write_text(text)
    (made / SHARED).write_text(SHARED_TEXT)
    raw = (list_files(made, {"schema": 1, **changes}) / "manifest.json").read_bytes()
    (made / "manifest.sig").write_bytes(write_signature(key, raw))
    digest = hashlib.sha256(raw).hexdigest()
    staging = root / "staging" / digest
    staging.parent.mkdir(parents=True, exist_ok=True)
    made.rename(staging)
    return staging


def stage(root: Path, text: str, key: SigningKey = KEY, **changes: Any) -> str:
    """The bundle of that text in the slot that is not served; what no other slot has of it is sent."""
    staging = arrive(root, text, key, **changes)
    digest = staging.name
    if (root / "current").exists():
        (staging / SHARED).unlink()
    if SHARED in stage_step.prepare(root, digest, offered=[key.public.raw], stand_in=True)["missing"]:
        (staging / SHARED).write_text(SHARED_TEXT)
    stage_step.stage(root, staging, digest, offered=[key.public.raw], stand_in=True)
    return digest


def on_trial(root: Path, text: str, key: SigningKey = KEY, **changes: Any) -> str:
    digest = stage(root, text, key, **changes)
    lifecycle.begin_trial(root, digest)
    return digest


def install(root: Path, text: str, key: SigningKey = KEY, **changes: Any) -> str:
    digest = on_trial(root, text, key, **changes)
    lifecycle.commit(root)
    return digest


def served(root: Path) -> str:
    """The text of what a program finds that follows the link."""
    return (root / "current" / "model.onnx").read_text()


def states(root: Path) -> tuple[str, str]:
    slots = lifecycle.status(root)["slots"]
    return slots["a"]["state"], slots["b"]["state"]


def edit(path: Path, **changes: Any) -> None:
    """Change fields of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

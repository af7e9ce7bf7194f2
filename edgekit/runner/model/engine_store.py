"""Store of the TensorRT engines that were built on a device, beside its slots.

    ROOT/engines/KEY/built.json    digests of its inputs, GPU and TensorRT
    ROOT/engines/KEY/engine.plan   by trtexec; or the files of onnxruntime's TensorRT provider

KEY is the SHA-256 of model, plan, GPU and TensorRT: an engine is of use with those only.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import RunnerError
from ..files.durable import read_json
from ..layout import MANIFEST, PLAN, SLOTS, root_of

ENGINE, BUILT = "engine.plan", "built.json"
Parts = dict[str, str]


def engine_of(slot: Path) -> Path | None:
    """Folder of the engine that was built here for the slot's model; None if none was."""
    written = sorted(_engines(slot).glob(f"*/{BUILT}"))
    if not written:
        return None
    parts = parts_of(slot)
    return next((file.parent for file in written if _built_of(file).items() >= parts.items()), None)


def folder_for(slot: Path, here: Mapping[str, str]) -> Path:
    """Folder for the engine of the slot's model on the device that `here` describes: `gpu` and `tensorrt`."""
    return _engines(slot) / _key({**parts_of(slot), **here})


def parts_of(slot: Path) -> Parts:
    """Digests of the files of the slot that its engine is built of, from its manifest: staging verified them."""
    written = read_json(slot / MANIFEST, "data") or {}
    digests = {entry["path"]: entry["sha256"] for entry in written["files"]}
    return {"model": " ".join(digests[name] for name in written["model"]), "plan": digests[PLAN]}


def sweep(slot: Path, here: Mapping[str, str]) -> None:
    """Remove the engines of other GPUs and TensorRTs, of models in no slot, and what a crash left."""
    engines = _engines(slot)
    slots = [slot, *(engines.parent / name for name in SLOTS)]
    needed = {folder_for(each, here) for each in slots if (each / PLAN).is_file()}
    for folder in set(engines.glob("*")) - needed:
        shutil.rmtree(folder, ignore_errors=True)


def _built_of(file: Path) -> dict[str, Any]:
    """Read the digests of the inputs that an engine was built of; empty if the file cannot be read."""
    try:
        return read_json(file, "data") or {}
    except RunnerError:
        return {}


def _engines(slot: Path) -> Path:
    return root_of(slot) / "engines"


def _key(parts: Parts) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

"""Operators that only the user's own code knows: a program that calls one cannot be read in another process."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from edgekit.errors import UnsupportedOperator


def refusal(program: Path) -> UnsupportedOperator | None:
    """What to raise for a saved program that cannot be loaded: the first operator unknown here, and who calls it."""
    for node in _nodes(program):
        parts = str(node["target"]).removeprefix("torch.ops.").split(".")
        if str(node["target"]).startswith("torch.ops.") and len(parts) > 1 and not _known(parts[0], parts[1]):
            return UnsupportedOperator(
                f"operator '{parts[0]}.{parts[1]}'{_place(node.get('metadata', {}))} is known to your own code only",
                hint="write that part with torch's own operators: no runtime on a device has yours",
            )
    return None


def _nodes(program: Path) -> Iterator[dict[str, Any]]:
    """The calls in a `.pt2` of torch 2.13: the graph lies in it as JSON."""
    with zipfile.ZipFile(program) as archive:
        for name in archive.namelist():
            if name.endswith("models/model.json"):
                yield from json.loads(archive.read(name))["graph_module"]["graph"]["nodes"]


def _known(namespace: str, name: str) -> bool:
    import torch

    return hasattr(getattr(torch.ops, namespace), name)


def _place(metadata: dict[str, str]) -> str:
    """` in module 'head', at model.py:12 in forward`, as far as it was written down."""
    module = metadata.get("nn_module_stack", "").rpartition(";")[2].split(",")
    path = module[1].removeprefix("model.") if len(module) > 1 else ""
    frames = re.findall(r'File "(.+?)", line (\d+), in (\w+)', metadata.get("stack_trace", ""))
    where = [f" in module '{path}'"] if path and path != "model" else []
    if frames:
        file, line, function = frames[-1]
        where.append(f" at {PurePath(file).name}:{line} in {function}")
    return ",".join(where)

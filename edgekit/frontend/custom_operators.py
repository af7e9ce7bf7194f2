"""Custom operators: a program that calls one of the user's own cannot be loaded in another process."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from edgekit.errors import UnsupportedOperator


def refusal(program: Path) -> UnsupportedOperator | None:
    """Error that names the first unknown operator of a saved program, and its place; None if all are known."""
    for node in _nodes(program):
        parts = str(node["target"]).removeprefix("torch.ops.").split(".")
        if str(node["target"]).startswith("torch.ops.") and len(parts) > 1 and not _known(parts[0], parts[1]):
            return UnsupportedOperator(
                f"operator '{parts[0]}.{parts[1]}'{_place(node.get('metadata', {}))} is known to your own code only",
                hint="write that part with torch's own operators: no runtime on a device has yours",
            )
    return None


def _nodes(program: Path) -> Iterator[dict[str, Any]]:
    """Nodes of a `.pt2` file of torch 2.13, which holds the graph as JSON."""
    with zipfile.ZipFile(program) as archive:
        for name in archive.namelist():
            if name.endswith("models/model.json"):
                yield from json.loads(archive.read(name))["graph_module"]["graph"]["nodes"]


def _known(namespace: str, name: str) -> bool:
    import torch

    return hasattr(getattr(torch.ops, namespace), name)


def _place(metadata: dict[str, str]) -> str:
    """Place of a call, such as ` in module 'head', at model.py:12 in forward`, as far as the metadata state it."""
    module = metadata.get("nn_module_stack", "").rpartition(";")[2].split(",")
    path = module[1].removeprefix("model.") if len(module) > 1 else ""
    frames = re.findall(r'File "(.+?)", line (\d+), in (\w+)', metadata.get("stack_trace", ""))
    where = [f" in module '{path}'"] if path and path != "model" else []
    if frames:
        file, line, function = frames[-1]
        where.append(f" at {PurePath(file).name}:{line} in {function}")
    return ",".join(where)

"""The engine plan of a slot, `engine.json`: what runs its model, in order, and how TensorRT builds its engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..files.durable import SENSELESS, read_json
from ..layout import PLAN

# Every argument that trtexec may get, whoever signed the plan: other flags load libraries and write files
# (--plugins, --exportProfile).
ALLOWED = re.compile(
    r"--onnx=\{model\}|--saveEngine=\{engine\}|--memPoolSize=workspace:\d{1,6}|--fp16|--int8|--sparsity=enable"
    r"|--(warmUp|duration|iterations)=\d{1,6}"
)
NEEDED = {"--onnx={model}", "--saveEngine={engine}"}


class EnginePlan(NamedTuple):
    """Content of `engine.json`, which `edgekit/backends/onnx/engine_plan.py` writes."""

    providers: tuple[str, ...]
    """Execution providers by their names in targets: `tensorrt`, `cuda`, `cpu`. The first that works is used."""
    fp16: bool
    int8: bool
    sparsity: bool
    workspace_mb: int
    trtexec: tuple[str, ...]
    least: tuple[int, ...]
    """Version of the oldest TensorRT that takes the arguments `trtexec`."""
    below: tuple[int, ...]
    """Version of the first TensorRT that does not take them any more."""

    def takes(self, tensorrt: tuple[int, ...]) -> bool:
        """Tell whether a TensorRT of that version takes the arguments `trtexec`."""
        return self.least <= tensorrt < self.below


def read_plan(slot: Path) -> EnginePlan | None:
    """Read the engine plan of a slot; None if it has none. Raises RunnerError (data) for a file of another form."""
    path = slot / PLAN
    try:
        written = read_json(path, "data")
        return None if written is None else _parse_plan(written)
    except (RunnerError, *SENSELESS) as error:
        raise RunnerError("data", f"'{path}' is no engine plan: {type(error).__name__}: {error}") from error


def _parse_plan(written: dict[str, Any]) -> EnginePlan:
    line = tuple(written["trtexec"])
    refused = [argument for argument in line if not ALLOWED.fullmatch(argument)]
    if refused or not set(line) >= NEEDED:
        raise ValueError(f"trtexec is not to be given {refused or list(line)}")
    return EnginePlan(
        providers=tuple(map(str, written["providers"])),
        fp16=bool(written["fp16"]),
        int8=bool(written["int8"]),
        sparsity=bool(written["sparsity"]),
        workspace_mb=int(written["workspace_mb"]),
        trtexec=line,
        least=_version(written["tensorrt"]["least"]),
        below=_version(written["tensorrt"]["below"]),
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))

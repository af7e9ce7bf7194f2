"""The engine plan of a slot, `engine.json`: what runs its model, in order, and how TensorRT builds its engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..files.durable import SENSELESS, read_json
from ..layout import PLAN

# All that may be asked of trtexec, whoever signed it: other flags load libraries and write files (--plugins,
# --exportProfile).
ALLOWED = re.compile(
    r"--onnx=\{model\}|--saveEngine=\{engine\}|--memPoolSize=workspace:\d{1,6}|--fp16|--int8|--sparsity=enable"
    r"|--(warmUp|duration|iterations)=\d{1,6}"
)
NEEDED = {"--onnx={model}", "--saveEngine={engine}"}


class EnginePlan(NamedTuple):
    """As `edgekit/backends/onnx/engine_plan.py` writes it."""

    providers: tuple[str, ...]
    """As targets name them: `tensorrt`, `cuda`, `cpu`; the first that works is used."""
    fp16: bool
    int8: bool
    sparsity: bool
    workspace_mb: int
    trtexec: tuple[str, ...]
    least: tuple[int, ...]
    """The oldest TensorRT that takes `trtexec`."""
    below: tuple[int, ...]

    def takes(self, tensorrt: tuple[int, ...]) -> bool:
        """Whether the line is one for that TensorRT."""
        return self.least <= tensorrt < self.below


def read_plan(slot: Path) -> EnginePlan | None:
    """The plan of the slot, if it has one. Raises RunnerError (data) if it is none that we write."""
    path = slot / PLAN
    try:
        written = read_json(path, "data")
        return None if written is None else _plan(written)
    except (RunnerError, *SENSELESS) as error:
        raise RunnerError("data", f"'{path}' is no engine plan: {type(error).__name__}: {error}") from error


def _plan(written: dict[str, Any]) -> EnginePlan:
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
        least=_numbers(written["tensorrt"]["least"]),
        below=_numbers(written["tensorrt"]["below"]),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))

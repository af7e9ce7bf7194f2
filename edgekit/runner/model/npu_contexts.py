"""Context binaries of a slot: the model compiled ahead for the NPU of a named chip, beside the portable file.

SLOT/npu.json lists them. Each is an `.onnx` file whose nodes `EPContext` hold the binary.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..files.durable import SENSELESS, read_json
from ..files.integrity import is_plain
from ..files.onnx_graph import read_onnx_graph
from ..layout import CONTEXTS

COMPATIBILITY = "ep_compatibility_info.qnn"
"""Property in which onnxruntime-qnn 2.7 keeps what a context binary was made by: `v2:6:2.51.0:5.51.0:0:57:0:0`."""


class NpuContext(NamedTuple):
    """One context binary: its file, the chip, its architecture, and the SDK that made it."""

    file: Path
    soc: str
    arch: int
    sdk: str
    taken: int
    """Operators of the model that the binary holds, as the session that compiled it told; and those left, by kind."""
    left: dict[str, int]
    graphs: int


def read_contexts(slot: Path) -> tuple[NpuContext, ...]:
    """Read the list of a slot; empty if it has none. Raises RunnerError (data) for a file of another form."""
    path = slot / CONTEXTS
    try:
        written = read_json(path, "data")
        return () if written is None else tuple(_context(slot, each) for each in written["contexts"])
    except (RunnerError, *SENSELESS) as error:
        raise RunnerError(
            "data", f"'{path}' is no list of context binaries: {type(error).__name__}: {error}"
        ) from error


def check_context(context: NpuContext, soc_model: int, sdk: str | None) -> None:
    """Raise RunnerError (context) unless the binary is for that chip, by QNN's number, and of an SDK up to `sdk`.

    An NPU may run another chip's binary and answer nonsense, as the emulated one does.
    """
    try:
        stated = read_onnx_graph(context.file).metadata.get(COMPATIBILITY, "")
        _, _, made_by, _, _, model, *_ = stated.split(":")
        numbers = tuple(map(int, made_by.split(".")))
        chip = int(model)
    except (OSError, ValueError) as error:
        raise RunnerError("context", f"'{context.file.name}' is no context binary of QNN: {error}") from error
    if chip != soc_model:
        raise RunnerError(
            "context", f"'{context.file.name}' is a context binary for chip {chip} of QNN, this NPU is of {soc_model}"
        )
    if sdk and numbers > tuple(map(int, sdk.split("."))):
        raise RunnerError("context", f"'{context.file.name}' was made by QNN {made_by}, this device has QNN {sdk}")


def _context(slot: Path, written: dict[str, Any]) -> NpuContext:
    folder, _, name = str(written["file"]).rpartition("/")
    if not (is_plain(folder) and is_plain(name)):
        raise ValueError(f"'{written['file']}' is no file in a folder of the slot")
    return NpuContext(
        slot / folder / name,
        str(written["soc"]),
        int(written["arch"]),
        str(written["sdk"]),
        int(written["taken"]),
        {str(kind): int(count) for kind, count in written["left"]},
        int(written["graphs"]),
    )

"""Files of trained models in a folder, told by their content; nothing of them is run."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import ModelFileError
from edgekit.specs.model_files import check_pickle, kind_of
from edgekit.specs.model_source import ONNX, PROGRAM, SCRIPTS, STATE_DICTS
from edgekit.specs.onnx_inputs import DTYPES, read_header
from edgekit.specs.onnx_operators import edge_name
from edgekit.untrusted import torch_file
from edgekit.untrusted.npy import DAMAGED

PICKLES = (".pkl", ".pickle")
"""Endings of pickles, which are refused: by a name that nobody looked at they would be overlooked in silence."""
ENDINGS = tuple(dict.fromkeys((PROGRAM, ONNX, *SCRIPTS, *STATE_DICTS, *PICKLES)))
NUMBERS = ("float32", "float16", "int32", "int64", "uint8", "bool")


@dataclass(frozen=True)
class StatedInput:
    """Input that a model file states: its name, dtype, and sizes without the batch axis, None where one is free."""

    name: str
    dtype: str = "float32"
    sizes: tuple[int | None, ...] | None = None
    """None if the file states no shape, as TorchScript and state dicts do not."""

    @property
    def is_picture(self) -> bool:
        """True if it may be a picture: real numbers, [1 or 3, height, width]."""
        sizes = self.sizes or (3, None, None)
        return self.dtype == "float32" and len(sizes) == 3 and sizes[0] in (1, 3)


@dataclass(frozen=True)
class ModelFile:
    """File of a trained model, or of its weights alone."""

    path: Path
    kind: str
    """`onnx`, or a kind of `untrusted/torch_file`."""
    inputs: tuple[StatedInput, ...] = (StatedInput("x"),)

    @property
    def is_weights(self) -> bool:
        """True for a state dict: the network must come from Python."""
        return self.kind in (torch_file.STATE, torch_file.SAFETENSORS, torch_file.PICKLE)


def model_paths(folder: Path) -> list[Path]:
    """List the files in a folder whose names end as those of models do, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in ENDINGS)


def read_model_file(path: Path) -> ModelFile:
    """Read what a file of a model states.

    Raises SpecError if there is none, ModelFileError if it is damaged or of no known kind, UnsafePickle if reading it
    would run code, UnsupportedModelFile for ONNX that edgekit does not take.
    """
    stated = path.name
    if path.suffix.lower() == ONNX:
        header = read_header(path, stated)
        inputs = [
            StatedInput(
                edge_name(each.name),
                DTYPES.get(each.type_number, "float32"),
                tuple(size if isinstance(size, int) and size > 0 else None for size in each.sizes[1:]),
            )
            for each in header.inputs
        ]
        return ModelFile(path, "onnx", tuple(inputs))
    kind = kind_of(path, stated, "weights")
    if kind in (torch_file.STATE, torch_file.PICKLE):
        check_pickle(path, stated)
    if kind == torch_file.PROGRAM:
        return ModelFile(path, kind, _program_inputs(path))
    endings = (".safetensors",) if kind == torch_file.SAFETENSORS else STATE_DICTS
    if path.suffix.lower() not in endings:
        raise ModelFileError(
            f"'{stated}' is a file of kind '{kind}': its name says another",
            hint=f"rename it to {path.stem}{endings[-1]}",
        )
    return ModelFile(path, kind)


def _program_inputs(path: Path) -> tuple[StatedInput, ...]:
    """Inputs of a program of torch.export, as its description lists them. Raises ModelFileError if that is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = next(each for each in archive.infolist() if each.filename.endswith("models/model.json"))
            if member.file_size > torch_file.MAX_PICKLE:
                raise ValueError("its description is too large")
            graph = json.loads(archive.read(member))["graph_module"]
        names = [
            entry["user_input"]["arg"]["as_tensor"]["name"]
            for entry in graph["signature"]["input_specs"]
            if "user_input" in entry
        ]
        return tuple(_tensor(name, graph["graph"]["tensor_values"][name]) for name in names)
    except StopIteration:  # of a torch before 2.8
        return (StatedInput("x"),)
    except (*DAMAGED, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"'{path.name}' cannot be read: {error}", hint="copy or export it again") from error


def _tensor(name: str, value: dict[str, Any]) -> StatedInput:
    sizes = tuple(size.get("as_int") for size in value["sizes"][1:])
    # Numbers of torch's own schema of programs, torch/_export/serde/schema.py, ScalarType.
    dtype = {1: "uint8", 4: "int32", 5: "int64", 12: "bool"}.get(value["dtype"], "float32")
    return StatedInput(name, dtype, sizes)

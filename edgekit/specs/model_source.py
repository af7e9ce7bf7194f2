"""Source of a project's model: a factory, with weights or without, a model file or a folder (`[model]`)."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from pydantic import SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from edgekit.specs.factory import Factory
from edgekit.specs.spec import Spec

PROGRAM, ONNX = ".pt2", ".onnx"
SCRIPTS = (".pt", ".pth", ".ts", ".torchscript")
"""Endings of TorchScript archives; the first two are those of state dicts too, and the content decides."""
STATE_DICTS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
WAYS = ("factory", "file", "folder")
OPTIONAL = (*WAYS, "weights", "weights_key")


class ModelSource(Spec):
    """Exactly one of `factory`, `file` and `folder`; `weights` go with a factory."""

    factory: Factory | None = None
    """Function that returns the network, `model.py:net`."""
    file: str | None = None
    """Program of torch.export (`.pt2`), ONNX (`.onnx`) or TorchScript (`.pt`); relative to the project."""
    folder: str | None = None
    """Folder with `config.json` and `model.safetensors`, as transformers and timm write it; relative to the project."""
    weights: str | None = None
    """State dict that is loaded into the factory's network, strictly; relative to the project."""
    weights_key: str | None = None
    """Key of the state dict inside the file of weights, such as `ema`, where it holds several."""

    @field_validator("file")
    @classmethod
    def _model_file(cls, file: str | None) -> str | None:
        return file if file is None else _ending(file, (PROGRAM, ONNX, *SCRIPTS))

    @field_validator("weights")
    @classmethod
    def _state_dict(cls, weights: str | None) -> str | None:
        return weights if weights is None else _ending(weights, STATE_DICTS)

    @model_validator(mode="after")
    def _one_way(self) -> ModelSource:
        ways = [way for way in WAYS if getattr(self, way) is not None]
        if len(ways) != 1:
            raise ValueError(
                f"states {' and '.join(map(repr, ways)) or 'no network'}: exactly one of 'factory', 'file' and 'folder'"
            )
        if self.weights is not None and self.factory is None:
            raise ValueError("'weights' go with a 'factory' that makes the network: a file or folder has its own")
        if self.weights_key is not None and self.weights is None:
            raise ValueError("'weights_key' is a key of 'weights', which is not stated")
        return self

    @model_serializer(mode="wrap")
    def _only_what_is_stated(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # So that the cache keys of a project that states none of them do not change with the list of ways.
        return {key: value for key, value in serialize(self).items() if value is not None or key not in OPTIONAL}

    @property
    def source(self) -> str:
        """Source for messages, such as `factory 'model.py:net'`."""
        way = next(way for way in WAYS if getattr(self, way) is not None)
        return f"{way} '{getattr(self, way)}'"


def _ending(path: str, endings: tuple[str, ...]) -> str:
    if PurePosixPath(path).suffix.lower() not in endings:
        raise ValueError(f"'{path}' ends with none of {', '.join(endings)}")
    return path

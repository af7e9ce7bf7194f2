"""Draft of a project: what was found and chosen, and the files that state it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.scaffold import data_text
from edgekit.scaffold.model_file import ModelFile, StatedInput
from edgekit.scaffold.network_class import NetworkClass
from edgekit.scaffold.picture_folder import PictureFolder
from edgekit.scaffold.table_file import ArrayFile, CsvTable
from edgekit.specs.project import FILE
from edgekit.specs.writing import toml_key, toml_value

Data = PictureFolder | CsvTable | ArrayFile
MODEL_PY = '''"""The trained network: `network` returns it with its weights."""

from pathlib import Path

import torch

from {module} import {name}


def network() -> torch.nn.Module:
    """Make the network, load its weights, and switch it to evaluation."""
    net = {name}({arguments})
{load}    return net.eval()
'''
STATE = """    weights = Path(__file__).parent / {weights!r}
    net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
"""
SAFETENSORS = """    weights = Path(__file__).parent / {weights!r}
    net.load_state_dict(load_file(weights))
"""
ONE_SET = (
    "# One set was split in two: some samples of both may look alike, such as photos of one minute.",
    "calibration_overlap = { max = 0.05 }",
)


@dataclass(frozen=True)
class Draft:
    """Project before it is written."""

    root: Path
    model: ModelFile | None
    """File of the model or of its weights; None where the network loads them itself."""
    network: NetworkClass | None
    data: Data
    task: str
    inputs: tuple[StatedInput, ...]
    """Inputs of the model, with their shapes; one of pictures is `[channels, height, width]`."""
    preprocess: dict[str, Any] | None = None
    """Preprocessing of pictures; None where samples are the model's input."""
    plain_weights: bool = False
    """True where `load_state_dict` takes the file as it is; else `[model] weights` adapts it, and says what differs."""
    licence: str = "not stated"
    source: str = "not stated"
    names: dict[str, str] = field(default_factory=lambda: {"model": "model.py", "data": "data.py"})
    """Names of the Python files that are written."""

    @property
    def files(self) -> dict[str, str]:
        """Texts of the files by name, `edgekit.toml` last: a folder without it is no project."""
        files = {}
        if self._writes_model:
            files[self.names["model"]] = self._model_py()
        if self._writes_data:
            files[self.names["data"]] = self._data_py()
        return {**files, FILE: self._toml()}

    @property
    def classes(self) -> tuple[str, ...]:
        return self.data.classes

    @property
    def _writes_model(self) -> bool:
        return self.network is not None and not (self.network.loads and self.network.module.startswith("."))

    @property
    def _writes_data(self) -> bool:
        return not (isinstance(self.data, PictureFolder) and self.data.training)

    def _place(self, path: Path) -> str:
        """Path from the project's folder; absolute where the other lies outside."""
        whole = path.resolve()
        return whole.relative_to(self.root).as_posix() if whole.is_relative_to(self.root) else os.fspath(whole)

    def _model_py(self) -> str:
        network = self.network
        assert network is not None  # as it is written
        given = [f"{name}={len(self.classes)}" for name in network.arguments if self.classes]
        load = ""
        if self.model and self.plain_weights:
            form = SAFETENSORS if self.model.path.suffix.lower() == ".safetensors" else STATE
            load = form.format(weights=self._place(self.model.path))
        text = MODEL_PY.format(module=network.module, name=network.name, arguments=", ".join(given), load=load)
        if "load_file(" in load:
            text = text.replace("import torch\n", "import torch\nfrom safetensors.torch import load_file\n", 1)
        return text if load else text.replace("from pathlib import Path\n\n", "", 1)

    def _data_py(self) -> str:
        path = self._place(self.data.path)
        if isinstance(self.data, PictureFolder):
            return data_text.of_pictures(self.data, path, self._channels)
        if isinstance(self.data, CsvTable):
            return data_text.of_rows(self.data, path, self._channels)
        arrays = [name for name, _, _ in self.data.inputs]
        own = [each.name for each in self.inputs]
        names = dict(zip(own, own if set(own) == set(arrays) else arrays, strict=True))
        stored = {name: dtype for name, _, dtype in self.data.inputs}
        wanted = {each.name: "uint8" if self.preprocess else each.dtype for each in self.inputs}
        return data_text.of_arrays(
            self.data, path, names, {name: dtype for name, dtype in wanted.items() if stored[names[name]] != dtype}
        )

    @property
    def _channels(self) -> int:
        sizes = self.inputs[0].sizes or (3,)
        return 1 if sizes[0] == 1 else 3

    def _toml(self) -> str:
        lines = [
            "# Written by edgekit init. Every key: docs/models.md, docs/data.md, docs/preprocessing.md",
            "",
            "[model]",
        ]
        lines += self._model_lines()
        for each in self.inputs:
            lines += ["", f"[inputs.{toml_key(each.name)}]", f"shape = {list(each.sizes or ())}"]
            if self.preprocess:
                lines.append(f"preprocess = {toml_value(self.preprocess)}")
            elif each.dtype != "float32":
                lines.append(f"dtype = {toml_value(each.dtype)}")
        lines += ["", "[data]", *self._data_lines()]
        if self._writes_data:
            lines += ["", "[gates]", *ONE_SET]
        lines += ["", "[reference]", 'url = "eager"', ""]
        return "\n".join(lines)

    def _model_lines(self) -> list[str]:
        lines = []
        if self.network:
            stated = self.network.place if not self._writes_model else f"{self.names['model']}:network"
            lines.append(f"factory = {toml_value(stated)}")
            if self.model and not self.plain_weights:
                lines.append(f"weights = {toml_value(self._place(self.model.path))}")
        elif self.model:
            lines.append(f"file = {toml_value(self._place(self.model.path))}")
        lines.append(f"task = {toml_value(self.task)}")
        if self.classes and self.task == "classification":
            classes = toml_value(f"{self.names['data']}:CLASSES") if self._writes_data else toml_value(self.classes)
            lines.append(f"classes = {classes}")
        return lines

    def _data_lines(self) -> list[str]:
        terms = f"licence = {toml_value(self.licence)}, source = {toml_value(self.source)}"
        labelled = "" if self.classes or self.task == "regression" else "labelled = false, "
        lines = []
        for role in ("calibration", "evaluation"):
            if isinstance(self.data, PictureFolder) and self.data.training:
                part = self.data.training if role == "calibration" else self.data.evaluation
                place = f"path = {toml_value(self._place(self.data.path / part))}"
            else:
                loader = f"{self.names['data']}:{role}"
                place = f"loader = {toml_value(loader)}"
            lines.append(f"{role} = {{ {place}, {labelled}{terms} }}")
        return lines

"""Networks of transformers, timm and torchvision, from a local folder: no hub, and no code of the folder."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.errors import SpecError, UnsupportedModelFile, WeightsMismatch
from edgekit.frontend.weights import load_weights, quoted
from edgekit.ir.program import PassRecord
from edgekit.specs.factory import in_a_line
from edgekit.specs.inputs import Input
from edgekit.specs.pretrained_folder import WEIGHTS, PretrainedFolder, read_pretrained_folder

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


class Keywords(nn.Module):
    """Network of transformers that takes the project's inputs in order, and gives the tensors of its answer by name."""

    def __init__(self, network: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *values: Tensor) -> dict[str, Tensor]:
        answer = self.network(**dict(zip(self.names, values, strict=True)))
        return {name: value for name, value in answer.items() if isinstance(value, Tensor)}


def read_pretrained(
    folder: Path, stated: str, root: Path, inputs: Mapping[str, Input]
) -> tuple[nn.Module, tuple[PassRecord, ...]]:
    """Read the network in a folder, with a record of its weights.

    stated: path as the project has it. Raises what `read_pretrained_folder` and `load_weights` raise, SpecError if
    the project's inputs are not the network's, UnsupportedModelFile if the library has no such network.
    """
    described = read_pretrained_folder(folder, stated, root)
    os.environ.update(dict.fromkeys(OFFLINE, "1"))
    if described.library == "transformers":
        return _of_transformers(folder, stated, described, inputs)
    try:
        network = _architecture(described)
    except Exception as error:  # whatever the library raises for a name or an option that it does not know
        raise _refused(described, stated, error) from error
    return network, (load_weights(network, folder / WEIGHTS, f"{stated}/{WEIGHTS}"),)


def _architecture(described: PretrainedFolder) -> nn.Module:
    """Network of timm or torchvision with random weights."""
    classes = described.config.get("num_classes")
    options: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    options |= described.config.get("model_args") or {}
    if described.library == "torchvision":
        from torchvision.models import get_model

        network: nn.Module = get_model(described.architecture, weights=None, **options)
        return network
    import timm

    made: nn.Module = timm.create_model(described.architecture, pretrained=False, **options)
    return made


def _of_transformers(
    folder: Path, stated: str, described: PretrainedFolder, inputs: Mapping[str, Input]
) -> tuple[nn.Module, tuple[PassRecord, ...]]:
    import transformers

    started = time.perf_counter()
    transformers.utils.logging.disable_progress_bar()
    kind: Any = getattr(transformers, described.architecture, None)
    known = isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)
    if not known:
        raise UnsupportedModelFile(
            f"transformers {transformers.__version__} has no '{described.architecture}', which '{stated}' names",
            hint="install the version that config.json names as 'transformers_version'",
        )
    parameters = [name for name in inspect.signature(kind.forward).parameters if name not in ("self", "args", "kwargs")]
    unknown = [name for name in inputs if name not in parameters]
    if unknown:
        message = f"[inputs.{unknown[0]}]: '{described.architecture}' has no such input"
        raise SpecError(message, hint=f"it takes: {', '.join(parameters)}")
    try:
        network, loading = kind.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, output_loading_info=True, dtype=torch.float32
        )
    except Exception as error:  # of the configuration, the weights or the library
        raise _refused(described, stated, error) from error
    lacking = sorted(map(str, loading["missing_keys"])) + sorted(map(str, loading["mismatched_keys"]))
    if lacking:
        raise WeightsMismatch(
            f"'{stated}' lacks weights of '{described.architecture}': {quoted(lacking)}",
            hint="'architectures' in its config.json must name the class that was trained",
        )
    network.config.update({"use_cache": False})
    options = [("folder", stated), ("class", described.architecture)]
    unexpected = sorted(map(str, loading["unexpected_keys"]))
    if unexpected:
        options.append(("left out", quoted(unexpected)))
    record = PassRecord("load weights", tuple(options), time.perf_counter() - started, float("inf"))
    return Keywords(network.eval(), tuple(inputs)), (record,)


def _refused(described: PretrainedFolder, stated: str, error: Exception) -> UnsupportedModelFile:
    return UnsupportedModelFile(
        f"{described.library} cannot make '{described.architecture}' of '{stated}': {in_a_line(error)}",
        hint='try it alone, or return the network from a factory: factory = "model.py:net"',
    )

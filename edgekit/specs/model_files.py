"""Check of the files that `[model]` names, by their content and before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import ModelFileError, UnsafePickle
from edgekit.specs.file_access import reading, require_file
from edgekit.specs.hidden_package import check_names
from edgekit.specs.model_source import ONNX, ModelSource
from edgekit.specs.pretrained_folder import read_pretrained_folder
from edgekit.untrusted.torch_file import (
    PICKLE,
    PROGRAM,
    SAFETENSORS,
    SCRIPT,
    STATE,
    foreign_code,
    program_version,
    torch_file_kind,
)

EXPORT = (
    "where you trust it: python -c \"import torch; net = torch.load('{path}', weights_only=False); "
    "net = (net.get('ema') or net['model']) if isinstance(net, dict) else net; "
    "torch.save(net.float().state_dict(), 'weights.pt')\", then weights = 'weights.pt' and a factory"
)
AGAIN = "copy or download it again"
SHOWN = 3


def check_model_files(model: ModelSource, root: Path) -> None:
    """Raise if the project in `root` states a model that cannot be read.

    SpecError: there is no such file. ModelFileError: it is damaged, or of another kind than it must be. UnsafePickle:
    it holds code. UnsupportedModelFile, MissingExtra: a folder needs code of its own, or a library. HiddenPackage: a
    file of the project hides a package.
    """
    check_names(root)
    if model.weights is not None:
        _check_weights(root / model.weights, model.weights)
    if model.folder is not None:
        read_pretrained_folder(root / model.folder, model.folder, root)
    if model.file is not None and not model.file.lower().endswith(ONNX):  # its header was read for the inputs
        _check_torch_model(root / model.file, model.file)


def _check_weights(path: Path, stated: str) -> None:
    kind = kind_of(path, stated, "weights")
    if kind == SCRIPT:
        raise ModelFileError(
            f"weights '{stated}' is a TorchScript archive, not a state dict",
            hint=f"it holds its network: [model] file = '{stated}', and no factory",
        )
    if kind == PROGRAM:
        raise ModelFileError(
            f"weights '{stated}' is a program of torch.export, not a state dict",
            hint="it holds its network: name it .pt2, and state [model] file, and no factory",
        )
    if (kind == SAFETENSORS) is not (path.suffix.lower() == ".safetensors"):
        raise ModelFileError(
            f"weights '{stated}' is a file of kind '{kind}': its name says another",
            hint="give it the ending it should have",
        )
    if kind in (STATE, PICKLE):
        check_pickle(path, stated)


def _check_torch_model(path: Path, stated: str) -> None:
    kind = kind_of(path, stated, "file")
    if kind in (STATE, PICKLE, SAFETENSORS):
        if kind != SAFETENSORS:
            check_pickle(path, stated)
        raise ModelFileError(
            f"'{stated}' holds weights and no network",
            hint=f"factory = 'model.py:net' and weights = '{stated}' in [model]",
        )
    expected = PROGRAM if path.suffix.lower() == ".pt2" else SCRIPT
    if kind != expected:
        ending = ".pt2" if kind == PROGRAM else ".pt"
        raise ModelFileError(f"'{stated}' is a {kind}, not a {expected}", hint=f"give it the ending {ending}")
    if kind == PROGRAM:
        try:
            program_version(path)
        except (ValueError, OSError) as error:
            raise ModelFileError(f"'{stated}' cannot be read: {error}", hint="copy or export it again") from error


def kind_of(path: Path, stated: str, key: str) -> str:
    """Kind of a file of torch that `[model]` states by `key`. Raises SpecError, ModelFileError."""
    require_file(path, stated, key)
    with reading(stated, AGAIN):
        kind = torch_file_kind(path)
    if not kind:
        program = "torch.export.save(torch.export.export(network.eval(), example_inputs), FILE)"
        hint = program if key == "file" else "torch.save(network.state_dict(), FILE)"
        raise ModelFileError(f"'{stated}' was written neither by torch nor by safetensors", hint=hint)
    return kind


def check_pickle(path: Path, stated: str) -> None:
    """Raise UnsafePickle if unpickling the file would import code that is no tensor's, ModelFileError if damaged."""
    with reading(stated, AGAIN):
        names = foreign_code(path)
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise UnsafePickle(
            f"'{stated}' holds more than tensors: to read it is to run code, {', '.join(names[:SHOWN])}{more}; "
            "torch.load(…, weights_only=True) refuses it too",
            hint=EXPORT.format(path=stated),
        )

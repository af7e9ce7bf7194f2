"""Network of a project, read from the source that `[model]` states."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import torch
from torch import nn

from edgekit.errors import LoadError
from edgekit.frontend.program_file import read_program
from edgekit.frontend.torchscript import WAY_OUT, converted, read_script
from edgekit.frontend.weights import load_weights
from edgekit.ir.program import PassRecord
from edgekit.specs.factory import RAISED, import_hint, in_a_line, place, resolve
from edgekit.specs.model_source import ONNX, PROGRAM
from edgekit.specs.project import Project


def read_network(project: Project) -> tuple[nn.Module, tuple[PassRecord, ...]]:
    """Read the project's network, with its weights, and records of what was adapted on the way.

    Raises LoadError if a factory fails or returns no network, and what `load_weights`, `read_program` and `read_script`
    raise.
    """
    model = project.model
    if model.file is not None:
        return _read_file(project.root / model.file, model.file, project), ()
    if model.folder is not None:
        from edgekit.frontend.pretrained_networks import read_pretrained

        return read_pretrained(project.root / model.folder, model.folder, project.root, project.inputs)
    assert model.factory is not None  # as the project was checked
    network = _network(_made(model.factory, project), model.factory, project)
    if model.weights is None:
        return network, ()
    return network, (load_weights(network, project.root / model.weights, model.weights, model.weights_key),)


def _read_file(path: Path, stated: str, project: Project) -> nn.Module:
    if path.suffix.lower() == ONNX:
        from edgekit.frontend.onnx_import.model_file import read_onnx

        return read_onnx(path, stated, project.inputs, project.model.outputs)
    if path.suffix.lower() == PROGRAM:
        return read_program(path, stated, project.inputs)
    return read_script(path, stated, project.inputs)


def _network(made: object, factory: str, project: Project) -> nn.Module:
    """Network that the factory returned. Raises LoadError if it is none, or cannot be exported."""
    returned = f"factory '{factory}' returned"
    if isinstance(made, torch.jit.ScriptModule):
        return converted(made, project.inputs, factory)
    if isinstance(made, torch.jit.ScriptFunction):
        raise LoadError(f"{returned} a TorchScript function, which is no network", hint=WAY_OUT)
    if isinstance(made, Mapping):
        raise LoadError(
            f"{returned} {type(made).__name__}, not a torch.nn.Module",
            hint="of a state dict make the network first: network.load_state_dict(STATE), then return network",
        )
    if not isinstance(made, nn.Module):
        raise LoadError(
            f"{returned} {type(made).__name__}, not a torch.nn.Module",
            hint="[model] factory must name a function that takes nothing and returns the trained network",
        )
    scripted = [name for name, part in made.named_modules() if isinstance(part, torch.jit.ScriptModule)]
    if scripted:
        raise LoadError(f"module '{scripted[0]}' is TorchScript, which torch.export cannot trace", hint=WAY_OUT)
    return made


def _made(stated: str, project: Project) -> object:
    factory = resolve(stated, project.root)
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        return factory
    try:
        return factory()
    except RAISED as error:
        raise LoadError(
            f"factory '{stated}' failed{place(error, project.root)}: {in_a_line(error)}",
            hint=_hint(error, stated, project),
        ) from error


def _hint(error: BaseException, stated: str, project: Project) -> str:
    file, _, name = stated.partition(":")
    if isinstance(error, ImportError):
        return import_hint(error, project.root / file, project.root)
    module = ".".join(PurePosixPath(file).with_suffix("").parts)
    return f"try it alone: cd '{project.root}' && python -c 'from {module} import {name}; {name}()'"

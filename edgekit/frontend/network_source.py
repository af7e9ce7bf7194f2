"""Network of a project, read from the source that `[model]` states."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

import torch
from torch import nn

from edgekit.errors import LoadError
from edgekit.frontend.weights import load_weights
from edgekit.ir.program import PassRecord
from edgekit.specs.factory import RAISED, import_hint, in_a_line, place, resolve
from edgekit.specs.project import Project

PYTHON = "return the nn.Module as it was before torch.jit.script or torch.jit.trace, with its state dict loaded"


def read_network(project: Project) -> tuple[nn.Module, tuple[PassRecord, ...]]:
    """Read the project's network, with its weights, and records of what was adapted on the way.

    Raises LoadError if a factory fails or returns no network, and what `load_weights` raises.
    """
    model = project.model
    assert model.factory is not None
    network = _network(_made(model.factory, project), model.factory)
    if model.weights is None:
        return network, ()
    return network, (load_weights(network, project.root / model.weights, model.weights, model.weights_key),)


def _network(made: object, factory: str) -> nn.Module:
    """Network that the factory returned. Raises LoadError if it is none, or cannot be exported."""
    returned = f"factory '{factory}' returned"
    if isinstance(made, torch.jit.ScriptModule | torch.jit.ScriptFunction):
        raise LoadError(f"{returned} TorchScript, which torch.export cannot trace", hint=PYTHON)
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
        raise LoadError(f"module '{scripted[0]}' is TorchScript, which torch.export cannot trace", hint=PYTHON)
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

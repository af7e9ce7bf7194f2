"""Storage of programs (`.pt2`, signature, history) and models (weights, sizes, history) in a folder."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import RootModel, TypeAdapter

from edgekit.errors import LoadError
from edgekit.frontend.custom_operators import refusal
from edgekit.ir.program import PassRecord, Program
from edgekit.ir.signature import Signature
from edgekit.runner.model.entry_points import PREFILL
from edgekit.specs.project import Project

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from edgekit.frontend.load import Model

PROGRAM = "program.pt2"
HISTORY = "history.json"
WEIGHTS = "model.safetensors"
SHAPES = "shapes.json"
_SIGNATURE = TypeAdapter(Signature)


class _ArchiveFile(io.FileIO):
    """File for torch's zip writer, which ends the process if a write fails: the failure is raised at the end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "wb")
        self._failure: OSError | None = None

    def write(self, data: ReadableBuffer) -> int:
        content = memoryview(data).cast("B")
        written = 0
        while self._failure is None and written < len(content):
            try:
                written += super().write(content[written:])
            except OSError as error:
                self._failure = error
        return len(content)

    def __exit__(self, *raised: object) -> None:
        super().close()
        if self._failure:
            raise self._failure


class _History(RootModel[tuple[PassRecord, ...]], ser_json_inf_nan="strings"):
    """History as JSON; an infinite SQNR, of equal outputs, is written as a string."""


class _Shapes(RootModel[dict[str, dict[str, int | tuple[int, ...]]]]):
    """Sizes by module and attribute."""


def save_program(program: Program, folder: Path) -> None:
    """Write `program.pt2`, `signature.json` and `history.json` into `folder`."""
    import torch

    with _ArchiveFile(folder / PROGRAM) as file:
        torch.export.save(program.exported, file)
    (folder / "signature.json").write_bytes(_SIGNATURE.dump_json(program.signature))
    save_history(program.history, folder)
    for count, prefill in zip(program.signature.prefill, program.prefill, strict=True):
        entry = folder / PREFILL.format(count)
        entry.mkdir()
        save_program(prefill, entry)


def save_history(history: tuple[PassRecord, ...], folder: Path) -> None:
    """Write `history.json` only."""
    (folder / HISTORY).write_text(_History(history).model_dump_json())


def load_program(folder: Path) -> Program:
    """Load the program that `save_program` wrote, with its weights mapped.

    Raises UnsupportedOperator if it calls an operator unknown here.
    """

    from edgekit.frontend.mapped_program import load_mapped

    try:
        exported = load_mapped(folder / PROGRAM)
    except RuntimeError as error:
        unknown = refusal(folder / PROGRAM)
        if unknown is None:
            raise
        raise unknown from error
    signature = _SIGNATURE.validate_json((folder / "signature.json").read_bytes())
    prefill = tuple(load_program(folder / PREFILL.format(count)) for count in signature.prefill)
    return Program(exported, signature, load_history(folder), prefill)


def load_history(folder: Path) -> tuple[PassRecord, ...]:
    """Load the history only, without torch."""
    return _History.model_validate_json((folder / HISTORY).read_text()).root


def save_model(model: Model, folder: Path) -> None:
    """Write `model.safetensors`, `shapes.json` and `history.json` into `folder`: all that the factory lacks."""
    from safetensors.torch import save

    from edgekit.frontend.pruned_shapes import sizes

    tensors = {name: value.detach().clone().contiguous() for name, value in model.module.state_dict().items()}
    (folder / WEIGHTS).write_bytes(save(tensors))
    (folder / SHAPES).write_text(_Shapes.model_validate(sizes(model.module)).model_dump_json())
    (folder / HISTORY).write_text(_History(model.history).model_dump_json())


def load_model(project: Project, folder: Path) -> Model:
    """Load the model that `save_model` wrote: the factory's network, with the sizes and weights of the files.

    Raises LoadError if the factory now returns another network, and what `load` raises.
    """
    from safetensors.torch import load as read

    from edgekit.frontend.load import load
    from edgekit.frontend.pruned_shapes import refill, resize
    from edgekit.frontend.reparametrization import remove_reparametrizations

    model = load(project)
    tensors = read((folder / WEIGHTS).read_bytes())
    if set(tensors) != set(model.module.state_dict()):
        remove_reparametrizations(model.module)  # as pruning does
    try:
        resize(model.module, _Shapes.model_validate_json((folder / SHAPES).read_text()).root)
        refill(model.module, tensors)
    except (AttributeError, KeyError) as error:
        raise LoadError(
            f"{project.model.source} no longer makes the network that was pruned: {error}",
            hint="edgekit build --no-cache",
        ) from error
    return replace(model, module=model.module.eval(), history=load_history(folder))

"""Programs on disk: `.pt2` beside its signature and history."""

from __future__ import annotations

import io
from pathlib import Path

from pydantic import RootModel, TypeAdapter

from edgekit.frontend.foreign import refusal
from edgekit.ir.program import PassRecord, Program
from edgekit.ir.signature import Signature

PROGRAM = "program.pt2"
HISTORY = "history.json"
_SIGNATURE = TypeAdapter(Signature)


class _History(RootModel[tuple[PassRecord, ...]], ser_json_inf_nan="strings"):
    """JSON has no infinity: an SQNR between equal outputs is written as a string."""


def save_program(program: Program, folder: Path) -> None:
    """Write `program.pt2`, `signature.json` and `history.json` into `folder`."""
    import torch

    content = io.BytesIO()
    torch.export.save(program.exported, content)
    # Not by torch: where the disk is full, its zip writer ends the process.
    (folder / PROGRAM).write_bytes(content.getbuffer())
    (folder / "signature.json").write_bytes(_SIGNATURE.dump_json(program.signature))
    save_history(program.history, folder)


def save_history(history: tuple[PassRecord, ...], folder: Path) -> None:
    """Write `history.json` alone."""
    (folder / HISTORY).write_text(_History(history).model_dump_json())


def load_program(folder: Path) -> Program:
    """The program that `save_program` wrote. Raises UnsupportedOperator if it calls one that is not known here."""
    import torch
    import torch.ao.quantization.fx._decomposed  # registers the operators of a quantized program

    try:
        exported = torch.export.load(folder / PROGRAM)
    except RuntimeError as error:
        unknown = refusal(folder / PROGRAM)
        if unknown is None:
            raise
        raise unknown from error
    signature = _SIGNATURE.validate_json((folder / "signature.json").read_bytes())
    return Program(exported, signature, load_history(folder))


def load_history(folder: Path) -> tuple[PassRecord, ...]:
    """The history alone; loads no torch."""
    return _History.model_validate_json((folder / HISTORY).read_text()).root

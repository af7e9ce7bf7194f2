"""Programs on disk: `.pt2` beside its signature and history."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import TypeAdapter

from edgekit.ir.program import PassRecord, Program
from edgekit.ir.signature import Signature

_SIGNATURE = TypeAdapter(Signature)
_HISTORY = TypeAdapter(tuple[PassRecord, ...], config={"ser_json_inf_nan": "strings"})


def save_program(program: Program, folder: Path) -> None:
    """Write `program.pt2`, `signature.json` and `history.json` into `folder`."""
    torch.export.save(program.exported, folder / "program.pt2")
    (folder / "signature.json").write_bytes(_SIGNATURE.dump_json(program.signature))
    (folder / "history.json").write_bytes(_HISTORY.dump_json(program.history))


def load_program(folder: Path) -> Program:
    """The program that `save_program` wrote; history included."""
    return Program(torch.export.load(folder / "program.pt2"), *load_facts(folder))


def load_facts(folder: Path) -> tuple[Signature, tuple[PassRecord, ...]]:
    """The signature and history alone."""
    signature = _SIGNATURE.validate_json((folder / "signature.json").read_bytes())
    return signature, _HISTORY.validate_json((folder / "history.json").read_bytes())

"""Every command, gathered."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from edgekit.cli import build, catalog, deploy, device, diagnose, probe, reference, runtime, slots, verdict
from edgekit.errors import Crash


class Commands(TyperGroup):
    """Every command of edgekit's. None of ours raises these: what does, a project's code, decides no exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (EOFError, GeneratorExit, KeyboardInterrupt, SystemExit) as error:
            raise Crash.by(error) from error


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Takes a trained PyTorch model to edge devices: quantized, lowered, signed, flashed, and measured "
    "against the reference.",
)
for group in (build, deploy, slots, probe, device, runtime, verdict, diagnose, reference, catalog):
    group.register(app)

"""Every command, gathered."""

from __future__ import annotations

import typer

from edgekit.cli import build, catalog, deploy, device, diagnose, probe, reference, runtime, slots, verdict

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Takes a trained PyTorch model to edge devices: quantized, lowered, signed, flashed, and measured "
    "against the reference.",
)
for group in (build, deploy, slots, probe, device, runtime, verdict, diagnose, reference, catalog):
    group.register(app)

"""The terminal: the one room that prints or exits."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import NoReturn

import typer

from edgekit.cli import build, catalog, deploy, verdict
from edgekit.cli.output import print_error
from edgekit.errors import EdgekitError, Interrupted

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Takes a trained PyTorch model to edge devices: quantized, lowered, signed, flashed, and measured "
    "against the reference.",
)
for group in (build, deploy, verdict, catalog):
    group.register(app)


def main() -> NoReturn:
    """Run the command line; every error becomes a code, a sentence and a hint."""
    signal.signal(signal.SIGTERM, _stop)
    if not os.environ.get("EDGEKIT_DEBUG"):
        logging.disable(logging.WARNING)  # torch and torchao log what they miss and deprecate, at every start
        warnings.simplefilter("ignore")
    try:
        app()
    except EdgekitError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except SystemExit as exit_:
        if exit_.code != 128 + signal.SIGINT:  # how typer leaves on Ctrl-C
            raise
        stopped = Interrupted("stopped before the end", hint="run it again: finished stages are reused from the cache")
        print_error(stopped)
        sys.exit(stopped.exit_code)
    except Exception as error:  # noqa: BLE001  the last door: nobody is shown a traceback unasked
        if os.environ.get("EDGEKIT_DEBUG"):
            traceback.print_exc()
        print_error(EdgekitError(_unexpected(error), hint="EDGEKIT_DEBUG=1 shows where; please report it"))
        sys.exit(EdgekitError.exit_code)
    sys.exit(0)


def _stop(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _unexpected(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}: {error}"

"""Root of the command line: every command by name; the module of one is imported when it is called."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Sequence
from copy import copy
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from edgekit import __version__
from edgekit.cli import options
from edgekit.cli.argv import has_option
from edgekit.cli.guide import GUIDES, panel_of
from edgekit.errors import Crash, UsageError

READER_GONE = 128 + signal.SIGPIPE
"""Exit code of a command whose standard output nobody reads any more: that of other programs."""
HELP = {
    "init": "Write a project from a trained model and samples: edgekit.toml, model.py and data.py.",
    "build": "Build a signed bundle, verified on this host, and decide every gate that needs no device.",
    "run": "Build, flash, probe the device and the reference, and compare: the verdict commits, or takes it back.",
    "plan": "Say what a build would do, without doing it and without loading torch.",
    "flash": "Put a bundle on devices; each serves it once its self-test there has passed.",
    "status": "Show what devices serve, what is in both slots and whether it is whole, and whom they trust.",
    "history": "Every bundle that was flashed to devices, and what came of it, the latest last.",
    "commit": "Serve what is on trial from now on: what --no-commit left, and a person has looked at.",
    "rollback": "Drop what is on trial; without a trial, serve what was committed before, once it has passed its "
    "self-test.",
    "probe": "Measure what a device serves, a bundle, or a bare model file, on real samples. Nothing is installed by "
    "it.",
    "predict": "Say what a bundle, or a device, answers to pictures, beside the float network if its project is here.",
    "compare": "Compare two measurements of the same samples, pair by pair.",
    "report": "Show the reports in a folder, and in the folders in it.",
    "inspect": "Verify a bundle, and say what is in it.",
    "export": "Write the bare model of a trusted bundle, with labels, a README with programs, and golden vectors.",
    "atlas": "Write one page of all runs found: targets, backends, profiles, Pareto plots, failures, and how to do "
    "each again.",
    "evidence": "Write the paper trail of a bundle: model card, ML-BOM, signed provenance, and tables for three "
    "frameworks.",
    "verify-source": "Verify weights that come signed by OpenSSF Model Signing: every file, and no other. Nothing is "
    "fetched.",
    "monitor": "Say whether what devices serve still works: accuracy now against at commit, what shifted, and since "
    "when.",
    "diagnose": "Say where int8 loses, layer by layer, why, and the one thing to try next.",
    "ablate": "Take the steps of a profile out one at a time, and say what each buys and costs.",
    "explain": "Say what an error code means; without one, list all codes by family.",
    "doctor": "Say what this machine has and lacks, and what to type: versions, memory, disk, QEMU, adb, ssh, devices.",
    "cache": "What finished stages of builds and downloads take, and their removal.",
    "targets": "The hardware there is to build for.",
    "profiles": "The recipes of compression and gates.",
    "keys": "The keys that sign bundles, and those you trust.",
    "device": "Name devices, ask, trust and repair them; start, list, look into and end emulated ones.",
    "runtime": "The runtimes that devices are given.",
    "reference": "The cloud-serving reference: start one on this machine.",
}
"""First paragraph of each command's help: to show it imports no command. The command X is in `edgekit.cli.X`,
with `_` for `-`."""


class Commands(TyperGroup):
    """Commands of edgekit. A project's code may raise what would end a command: it decides no exit code."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, text in HELP.items():
            self.add_command(TyperCommand(name, help=text, rich_help_panel=panel_of(name)))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Replace the line of help by the command itself, whose module is imported."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else None, rest

    def main(self, *args: Any, **options: Any) -> Any:
        try:
            return super().main(*args, **options)
        except SystemExit as error:
            if _of_broken_pipe(error):
                sys.exit(READER_GONE)
            _tell_as_json(error.__context__)
            raise

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            if not _nobody_reads():
                raise Crash.by(error) from error  # of another process: click would exit as if a gate had failed
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left of the results would be tried again at the exit
            raise typer.Exit(READER_GONE) from error
        except (EOFError, GeneratorExit, KeyboardInterrupt, SystemExit) as error:
            if _of_broken_pipe(error):
                raise
            raise Crash.by(error) from error


def _tell_as_json(cause: BaseException | None) -> None:
    """Print what was typed wrongly, which typer has told on stderr, as the document that `--json` promises."""
    format_message = getattr(cause, "format_message", None)
    if format_message is None or not has_option(sys.argv[1:], "--json"):
        return
    from edgekit.cli.output import print_json_error

    context = getattr(cause, "ctx", None)
    hint = f"{context.command_path if context else 'edgekit'} --help"
    print_json_error(UsageError(format_message(), hint=hint))


def _of_broken_pipe(error: BaseException) -> bool:
    """True if rich exits as nobody reads standard output any more: `edgekit build --help | head -3`."""
    return isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError)


def _nobody_reads() -> bool:
    """True if standard output is a pipe whose reader has ended."""
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def load(name: str) -> Any:
    """Import the module of a command; return the command with its options."""
    group = typer.Typer()
    import_module(f"edgekit.cli.{name.replace('-', '_')}").register(group)
    command = get_group(group).commands[name]
    if name in GUIDES:
        command.epilog = GUIDES[name].epilog
    _add_logging(command, [option for option in get_group(app).params if option.name in options.LOGGING])
    return command


def _add_logging(command: Any, shared: Sequence[Any]) -> None:
    """Give a command, and the commands below it, the options of logging.

    The callbacks of these options do all the work, so that no function of a command takes them.
    """
    command.params += [_hidden_from_function(option) for option in shared]
    for below in getattr(command, "commands", {}).values():
        _add_logging(below, shared)


def _hidden_from_function(option: Any) -> Any:
    """Copy an option, which calls its callback and passes its value to no function."""
    own = copy(option)
    own.expose_value = False
    return own


def _show_version(is_set: bool) -> None:
    if is_set:
        from edgekit.cli.output import say

        say(f"edgekit {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Takes a trained PyTorch model to edge devices: quantized, lowered, signed, flashed, and measured "
    "against the reference.",
    epilog="Example: edgekit build --example digits --target raspberry-pi\n\nRead on: docs/README.md",
)


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Say which edgekit this is.")
    ] = False,
    verbose: options.Verbose = False,
    log: options.Log = None,
) -> None:
    pass

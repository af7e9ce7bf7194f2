"""Every command by name; the module of one is imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from edgekit import __version__
from edgekit.errors import Crash

HELP = {
    "edgekit.cli.build": {
        "build": "Build a signed bundle, verified on this host, and decide every gate that needs no device.",
        "run": "Build, flash, probe the device and the reference, and compare: the verdict commits, or takes it back.",
        "plan": "Say what a build would do, without doing it and without loading torch.",
    },
    "edgekit.cli.flash": {
        "flash": "Put a bundle on devices; each serves it once its self-test there has passed.",
    },
    "edgekit.cli.slots": {
        "status": "What a device serves, what is in both slots and whether it is whole, and whom it trusts.",
        "history": "Every bundle that was flashed to a device, and what came of it, the latest last.",
    },
    "edgekit.cli.rollback": {
        "rollback": "Drop what is on trial; without a trial, serve what was committed before, once it has passed its "
        "self-test.",
    },
    "edgekit.cli.probe": {
        "probe": "Measure what a device serves, a bundle, or a bare model file, on real samples. Nothing is installed "
        "by it.",
    },
    "edgekit.cli.verdict": {
        "compare": "Compare two measurements of the same samples, pair by pair.",
        "report": "Show the reports in a folder, and in the folders in it.",
        "inspect": "Verify a bundle, and say what is in it.",
    },
    "edgekit.cli.diagnose": {
        "diagnose": "Say where int8 loses, layer by layer, why, and the one thing to try next.",
    },
    "edgekit.cli.catalog": {
        "explain": "Say what an error code means.",
        "targets": "The hardware there is to build for.",
        "profiles": "The recipes of compression and gates.",
        "keys": "The keys that sign bundles, and those you trust.",
    },
    "edgekit.cli.device": {
        "device": "Name devices, ask, trust and repair them; start, list, look into and end emulated ones.",
    },
    "edgekit.cli.runtime": {
        "runtime": "The runtimes that devices are given.",
    },
    "edgekit.cli.reference": {
        "reference": "The cloud-serving reference: start one on this machine.",
    },
}
"""By module, the commands that it registers and the first paragraph of their help: to show it imports none of them."""
MODULES = {name: module for module, commands in HELP.items() for name in commands}


class Commands(TyperGroup):
    """Every command of edgekit's. None of ours raises these: what does, a project's code, decides no exit code."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for commands in HELP.values():
            for name, text in commands.items():
                self.add_command(TyperCommand(name, help=text))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """What to call, and with what: here a line of help becomes the command."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else None, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (EOFError, GeneratorExit, KeyboardInterrupt, SystemExit) as error:
            raise Crash.by(error) from error


def load(name: str) -> Any:
    """The command of that name, with its options; its module is imported."""
    group = typer.Typer()
    import_module(MODULES[name]).register(group)
    return get_group(group).commands[name]


def _show_version(asked: bool) -> None:
    if asked:
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
)


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Say which edgekit this is.")
    ] = False,
) -> None:
    pass

"""Command line: the one package that prints or exits."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import NoReturn

from edgekit.cli import heartbeat
from edgekit.cli.argv import has_option, option_value
from edgekit.cli.logs import silence_others
from edgekit.cli.memory import limit_bytes
from edgekit.cli.stdout import Stdout
from edgekit.cli.stop import Stop
from edgekit.cli.supervisor import COMMANDS, Leave, command_in, supervise
from edgekit.errors import Crash, EdgekitError, Interrupted, StorageError


def main() -> NoReturn:
    """Run the command line, under a supervisor where a project's code is run."""
    name = command_in(sys.argv[1:])
    if name in COMMANDS:
        sys.exit(_supervised(name))
    execute()


def execute(leave: Leave = os._exit) -> NoReturn:
    """Run the command line in this process; every error becomes a code, a sentence and a hint on stderr, and stdout
    stays empty, or holds the same as JSON with `--json`. `leave` ends a process that was interrupted.
    """
    stop = Stop()
    stop.install()
    Stdout.has_document = False
    if not os.environ.get("EDGEKIT_DEBUG"):
        silence_others()
        warnings.simplefilter("ignore")
    try:
        with _life_signs():
            # Here, where a signal is already ours: what the commands import takes a third of a second, or a minute on
            # a machine that is busy.
            from edgekit.cli.app import app

            app(prog_name="edgekit")
    except BaseException as error:
        # A signal may surface as anything: typer exits on it, and imports that it cuts short fail in their own words.
        if stop.came and getattr(error, "code", None) != 0:
            _leave_interrupted(leave)
        if isinstance(error, SystemExit):
            raise
        sys.exit(_fail(error))
    sys.exit(0)


def _life_signs() -> contextlib.AbstractContextManager[object]:
    """Lines of a command that may take minutes, where stderr is no terminal; none of a server, which runs for days."""
    name = command_in(sys.argv[1:])
    return heartbeat.of_command(name) if name in COMMANDS - {"reference"} else contextlib.nullcontext()


def _supervised(name: str) -> int:
    """Run a command in a process of its own; return its exit code. Print what ended it, if it could not itself."""
    try:
        return supervise(name, execute, limit_bytes())
    except EdgekitError as error:
        from edgekit.cli.output import restore_terminal

        restore_terminal()
        return _fail(error)


def _fail(error: BaseException) -> int:
    """Print what went wrong; return the exit code for it."""
    from edgekit.cli.output import print_error, print_json_error

    has_stdout = not (isinstance(error, OSError) and error.errno == errno.ENOSPC)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # where results go: what we write says so itself
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left of them would be tried again at the exit
        error = StorageError("standard output cannot be written: its disk is full", hint="df -h")
    if not isinstance(error, Exception):
        error = Crash.by(error)
    if not isinstance(error, EdgekitError):  # the last door: nobody is shown a traceback unasked
        if os.environ.get("EDGEKIT_DEBUG"):
            traceback.print_exception(error)
        error = EdgekitError(_unexpected(error), hint="EDGEKIT_DEBUG=1 shows where; please report it")
    print_error(error)
    if has_stdout and has_option(sys.argv[1:], "--json") and not Stdout.has_document:
        print_json_error(error)
    if command_in(sys.argv[1:]) in ("build", "run", "report"):
        _tell_service(error)
    return error.exit_code


def _tell_service(error: EdgekitError) -> None:
    """Tell a service of the error, with the line in the project's files: `--ci github`, `--report FILE.sarif`."""
    from edgekit.cli.continuous_integration import announce_error

    typed = {name: option_value(sys.argv[1:], name) for name in ("--ci", "--report", "--project")}
    report, project = (Path(typed[name] or "") if typed[name] else None for name in ("--report", "--project"))
    announce_error(error, typed["--ci"], report, project)


def _leave_interrupted(leave: Leave) -> NoReturn:
    _fail(Interrupted("stopped before the end", hint="run it again: stages that the cache has are reused"))
    sys.stderr.flush()
    # At once: a thread that is still compiling would be waited for, and has nothing to clean up but its cache entry,
    # which the next start does.
    leave(Interrupted.exit_code)


def _unexpected(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}: {error}"

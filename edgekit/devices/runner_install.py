"""Installation of the runner on a device, once for each edgekit: one zip that Python runs, with bytecode."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import re
import tempfile
import zipfile
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath

from edgekit.cache import storage_errors
from edgekit.devices.protocol import Done, Info
from edgekit.devices.runner_client import QUICK_S, Runner
from edgekit.devices.transport import Transport
from edgekit.errors import CommandFailed
from edgekit.runner.verbs.compile_runner import compile_runner

SOURCE = Path(__file__).parents[1] / "runner"
# Prints the program's own digest, and the one written when it was compiled; macOS has the second command.
PROGRAM_SUMS = '{ sha256sum || shasum -a 256; } <"$1.pyz" && cat "$1.sum"'
SUMS = f'cd "$0" && {PROGRAM_SUMS}'
MAGIC = "import _frozen_importlib_external as own; print(own.MAGIC_NUMBER.hex())"
"""Prints the number that tells bytecode of one Python from another's; the module is in the interpreter itself."""
START = b"import sys\nfrom runner.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"


def put_runner(transport: Transport, interpreter: tuple[str, ...]) -> tuple[Runner, Info]:
    """Install the runner, and ask it to describe the device. Raises as `install_runner` does."""
    runner = install_runner(transport, interpreter)
    return runner, runner.ask(Info, "info", timeout=QUICK_S)


def install_runner(
    transport: Transport, interpreter: tuple[str, ...], is_there: bool = False, bytecode: str | None = None
) -> Runner:
    """Install the runner unless it is there and whole, with bytecode for that Python.

    If this process has a Python of the same bytecode, it compiles for the device, where that takes seconds; else the
    device does. interpreter: command line of a Python on the device. is_there: a survey has just found it whole.
    bytecode: number of that Python's, in hex; None asks the device, which takes an emulated one half a second.
    Raises Unreachable, StorageError, or CommandFailed if that Python does not run it.
    """
    runner = Runner(transport, interpreter, transport.root / "runner" / f"{program_name()}.pyz")
    if not (is_there or _is_installed(runner) or (_has_our_bytecode(runner, bytecode) and _push_compiled(runner))):
        source = runner.program.with_name(f"{runner.program.stem}.source.pyz")
        _push_bytes(transport, _packed(), source)
        replace(runner, program=source).ask(Done, "compile", source, runner.program, timeout=QUICK_S)
    return runner


def _has_our_bytecode(runner: Runner, theirs: str | None) -> bool:
    if theirs is None:
        theirs = runner.transport.run([*runner.interpreter, "-c", MAGIC], timeout=QUICK_S).stdout.strip()
    return theirs == importlib.util.MAGIC_NUMBER.hex()


def _push_compiled(runner: Runner) -> bool:
    """Push the program, then its digest; False if something is in their place that only the device removes."""
    program, digest = _compiled(_packed())
    try:
        _push_bytes(runner.transport, program, runner.program)
        _push_bytes(runner.transport, digest, runner.program.with_suffix(".sum"))
    except CommandFailed:
        return False
    return True


def _push_bytes(transport: Transport, content: bytes, remote: PurePosixPath) -> None:
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / remote.name
        with storage_errors(local.parent):
            local.write_bytes(content)
        transport.push(local, remote)


def program_name() -> str:
    """Name of this edgekit's runner: the start of the SHA-256 of its content."""
    return hashlib.sha256(_packed()).hexdigest()[:16]


def _is_installed(runner: Runner) -> bool:
    argv = ["sh", "-c", SUMS, str(runner.program.parent), runner.program.stem]
    return is_whole(runner.transport.run(argv, timeout=QUICK_S).stdout)


def is_whole(sums: str) -> bool:
    """Tell from the output of PROGRAM_SUMS whether the program has the digest that is written beside it."""
    lines = sums.splitlines()
    return len(lines) == 2 and re.fullmatch(r"[0-9a-f]{64}", lines[1]) is not None and lines[0].startswith(lines[1])


@cache
def _packed() -> bytes:
    """Pack the runner's folder as one zip that Python runs, the same bytes every time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), START)
        for path in sorted(SOURCE.rglob("*.py")):
            name = path.relative_to(SOURCE).as_posix()
            archive.writestr(zipfile.ZipInfo(f"runner/{name}"), path.read_bytes())
    return file.getvalue()


@lru_cache(maxsize=4)
def _compiled(sources: bytes) -> tuple[bytes, bytes]:
    """The program that a device would make of the sources, a zip, and the file with its digest."""
    with tempfile.TemporaryDirectory() as name:
        source, program = Path(name) / "source.pyz", Path(name) / "program.pyz"
        with storage_errors(source.parent):
            source.write_bytes(sources)
            compile_runner(source, program)
            return program.read_bytes(), program.with_suffix(".sum").read_bytes()

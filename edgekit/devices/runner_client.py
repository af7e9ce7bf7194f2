"""Client of the runner on a device: installs it there once, calls its verbs, and turns its errors into ours."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import re
import signal
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, assert_never, get_args

from pydantic import ValidationError

from edgekit.cache import storage_errors
from edgekit.devices.protocol import Done, Info
from edgekit.devices.provider_hints import provider_hint
from edgekit.devices.transport import Completed, Transport
from edgekit.errors import (
    AcceleratorHung,
    AcceleratorLibraryMissing,
    AcceleratorMemory,
    AcceleratorMissing,
    AcceleratorNotFinite,
    AcceleratorPackageMissing,
    AdapterMissing,
    CommandFailed,
    ContextMismatch,
    DeviceBusy,
    DriverMissing,
    EdgekitError,
    Expired,
    Incompatible,
    NumberFormatRefused,
    OperatorsRefused,
    SignatureError,
    SlotDamaged,
    StateGarbled,
    StorageError,
    TrustLost,
    UntrustedKey,
    VersionTooOld,
)
from edgekit.runner.errors import ErrorKind
from edgekit.runner.model.accelerator import QNN_HTP
from edgekit.runner.verbs.compile_runner import compile_runner
from edgekit.specs.spec import Spec
from edgekit.untrusted import json_text
from edgekit.untrusted.sanitize import MAX_WORDS, last_lines, line

A = TypeVar("A", bound=Spec)

QUICK_S = 60.0
"""Time limit of verbs that load no model."""
ERROR_KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)
SOURCE = Path(__file__).parents[1] / "runner"
MEMORY = "did it run out of memory? end other programs on the device, or build a smaller model"
HEXAGON_FORMATS = "build it for a target of that chip: edgekit build --target snapdragon-8-gen-3 --backend onnx"
DRIVER = "install the driver of its GPU; --accelerator-option vulkan=swiftshader runs on one in software"
NPU_HINTS: Mapping[str, str] = {
    "library": "pip install --force-reinstall onnxruntime-qnn==2.7.0; --accelerator cpu runs without it",
    "driver": "docs/accelerators.md has the chips; --accelerator cpu runs without it",
    "adapter": "docs/accelerators.md has the chips; --accelerator cpu runs without it",
    "nan": "keep what overflows float16 in integers, or --accelerator cpu",
}
"""Hints where an NPU of Qualcomm's was asked for and the usual one is about GPUs."""
# Prints the program's own digest, and the one written when it was compiled; macOS has the second command.
PROGRAM_SUMS = '{ sha256sum || shasum -a 256; } <"$1.pyz" && cat "$1.sum"'
SUMS = f'cd "$0" && {PROGRAM_SUMS}'
MAGIC = "import _frozen_importlib_external as own; print(own.MAGIC_NUMBER.hex())"
"""Prints the number that tells bytecode of one Python from another's; the module is in the interpreter itself."""
START = b"import sys\nfrom runner.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"


@dataclass(frozen=True)
class Runner:
    """Runner that is installed on the device which `transport` reaches."""

    transport: Transport
    interpreter: tuple[str, ...]
    """Command line that starts the Python which runs it."""
    program: PurePosixPath

    def ask(
        self,
        answer: type[A],
        *argv: object,
        timeout: float,
        failure: type[EdgekitError] = CommandFailed,
        silence: type[EdgekitError] | None = None,
    ) -> A:
        """Call a verb of the runner, and parse its answer.

        answer: type of the answer. argv: the verb and its arguments. timeout: seconds. Raises DeviceBusy,
        StorageError or a kind of BundleError where that is the reason, else `failure`; `silence`, if given, where the
        runner ended without an answer.
        """
        completed = self._run(argv, timeout)
        document = _document(completed)
        if document is None:
            killed = completed.returncode == -signal.SIGKILL
            hint = MEMORY if killed else f"edgekit device ping {self.transport.url} says what runs there"
            raise (silence or failure)(f"{self.transport.url}: the runner {_ending(completed)}", hint=hint)
        if "error" in document:
            raise refusal(self.transport.url, document, failure, argv)
        try:
            return answer.model_validate(document)
        except ValidationError as error:
            where = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
            problem = f"the runner's answer makes no sense at '{line(where, 100)}'"
            raise failure(f"{self.transport.url}: {problem}") from error

    def remove(self, folder: PurePosixPath) -> None:
        """Remove a folder of edgekit's from the device, if it is there."""
        self.transport.run(["rm", "-rf", str(folder)], timeout=QUICK_S)

    def _run(self, argv: tuple[object, ...], timeout: float) -> Completed:
        # A `HiddenWord` must stay one: `str()` would make a plain word of it, which the log shows.
        words = (word if isinstance(word, str) else str(word) for word in argv)
        return self.transport.run([*self.interpreter, str(self.program), *words], timeout=timeout)


def put_runner(transport: Transport, interpreter: tuple[str, ...]) -> tuple[Runner, Info]:
    """Install the runner, and ask it to describe the device. Raises as `install_runner` does."""
    runner = install_runner(transport, interpreter)
    return runner, runner.ask(Info, "info", timeout=QUICK_S)


def install_runner(transport: Transport, interpreter: tuple[str, ...], is_there: bool = False) -> Runner:
    """Install the runner unless it is there and whole, with bytecode for that Python.

    If this process has a Python of the same bytecode, it compiles for the device, where that takes seconds; else the
    device does. interpreter: command line of a Python on the device. is_there: a survey has just found it whole.
    Raises Unreachable, StorageError, or CommandFailed if that Python does not run it.
    """
    runner = Runner(transport, interpreter, transport.root / "runner" / f"{program_name()}.pyz")
    if not (is_there or _is_installed(runner) or (_has_our_bytecode(runner) and _push_compiled(runner))):
        source = runner.program.with_name(f"{runner.program.stem}.source.pyz")
        _push_bytes(transport, _packed(), source)
        replace(runner, program=source).ask(Done, "compile", source, runner.program, timeout=QUICK_S)
    return runner


def _has_our_bytecode(runner: Runner) -> bool:
    completed = runner.transport.run([*runner.interpreter, "-c", MAGIC], timeout=QUICK_S)
    return completed.stdout.strip() == importlib.util.MAGIC_NUMBER.hex()


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


def _document(completed: Completed) -> dict[str, Any] | None:
    """Parse the JSON object in the last line; None if there is none."""
    try:
        document = json_text.loads(completed.stdout.rstrip().rpartition("\n")[2])
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _ending(completed: Completed) -> str:
    """Describe the end of a runner that gave no answer."""
    last = last_lines(completed.stderr, 3, 300)
    stderr = f": {' | '.join(last)}" if last else ""
    if completed.returncode < 0:
        return f"was ended by signal {-completed.returncode}{stderr}"
    return f"gave no answer, exit {completed.returncode}{stderr}"


def refusal(
    url: str, document: Mapping[str, Any], failure: type[EdgekitError], argv: tuple[object, ...]
) -> EdgekitError:
    """Error for the host of an answer with `error` and `kind`; `failure` where no other type fits."""
    message = f"{url}: {line(str(document['error']), MAX_WORDS)}"
    kind = document.get("kind")
    # A device may say anything: a kind that the runner does not have says no more than the message.
    if kind not in ERROR_KINDS:
        return failure(message)
    error = _refusal(kind, url, message, failure, argv)
    hint = NPU_HINTS.get(kind) if QNN_HTP in argv else provider_hint(kind, argv)
    if hint:
        error.hint = hint
    return error


def _refusal(
    kind: ErrorKind, url: str, message: str, failure: type[EdgekitError], argv: tuple[object, ...]
) -> EdgekitError:
    match kind:
        case "busy":
            return DeviceBusy(message, hint="wait until the other one has ended, then try again")
        case "leased":
            return DeviceBusy(message, hint="wait until that has ended, then try again")
        case "signature":
            return SignatureError(message, hint="copy the bundle again from where it was built")
        case "trust":
            return UntrustedKey(message, hint=f"edgekit status --device {url} says whose bundles it takes")
        case "damaged":
            return SlotDamaged(message, hint=f"edgekit flash BUNDLE --device {url} sends it again")
        case "unpinned":
            return TrustLost(message, hint=f"edgekit device trust {url} --key NAME pins one again")
        case "garbled":
            return StateGarbled(message, hint=f"edgekit device repair {url}")
        case "refused":
            return Incompatible(message, hint="build for a target of that kind: edgekit targets")
        case "version":
            return VersionTooOld(message, hint="build it anew with a higher 'version' in edgekit.toml")
        case "expired":
            return Expired(message, hint="build it anew with a later 'expires' in edgekit.toml, or without")
        case "storage":
            return StorageError(message, hint="make room on the device, then try again")
        case "closed":
            return StorageError(message, hint="on the device: ls -ld FOLDER; the account that logs in must own it")
        case "runtime":
            return Incompatible(message, hint=f"edgekit flash BUNDLE --device {url} --runtime auto brings one along")
        case "memory":
            return failure(message, hint=MEMORY)
        case "state":
            return failure(message, hint=f"edgekit status --device {url}")
        case "usage":
            command = "device trust" if argv[:2] == ("slots", "trust") else "probe"
            return failure(message, hint=f"edgekit {command} --help")
        case "data" | "load" | "run":
            return failure(message, hint="edgekit inspect BUNDLE says what it takes and needs")
        case "accelerator":
            return AcceleratorMissing(message, hint="edgekit probe FILE --accelerator cpu")
        case "library":
            return AcceleratorLibraryMissing(message, hint=f"edgekit probe FILE --device {url} --runtime auto")
        case "driver":
            return DriverMissing(message, hint=DRIVER)
        case "adapter":
            return AdapterMissing(message, hint=DRIVER)
        case "vram":
            return AcceleratorMemory(message, hint="--accelerator cpu, or build a smaller model")
        case "operators":
            return OperatorsRefused(message, hint="--accelerator cpu, or let the CPU run the rest: leave out cpu=false")
        case "hung":
            return AcceleratorHung(message, hint="is its driver current? --accelerator cpu runs without it")
        case "nan":
            return AcceleratorNotFinite(message, hint="--accelerator-option enforce_f32=true, or --accelerator cpu")
        case "package":
            return AcceleratorPackageMissing(message, hint="pip install 'edgekit[npu]', under Qualcomm's licence")
        case "context":
            return ContextMismatch(message, hint="--accelerator-option context=false; or build it anew")
        case "formats":
            return NumberFormatRefused(message, hint=HEXAGON_FORMATS)
        case "counter" | "system":
            return failure(message)
        case _:
            assert_never(kind)

"""Client of the runner on a device: calls its verbs, and turns its errors into ours."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, TypeVar, assert_never, get_args

from pydantic import ValidationError

from edgekit.devices.provider_hints import provider_hint
from edgekit.devices.transport import Completed, Transport
from edgekit.errors import (
    AcceleratorCrashed,
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
from edgekit.errors.extras import extra_hint
from edgekit.ir.record_fault import first_fault
from edgekit.runner.errors import ErrorKind
from edgekit.runner.machine.timed_child import FAULTS
from edgekit.runner.model.accelerator import CPU, QNN_HTP
from edgekit.specs.spec import Spec
from edgekit.untrusted import json_text
from edgekit.untrusted.sanitize import MAX_WORDS, last_lines, line

A = TypeVar("A", bound=Spec)

QUICK_S = 60.0
"""Time limit of verbs that load no model."""
ERROR_KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)
MEMORY = "did it run out of memory? end other programs on the device, or build a smaller model"
HEXAGON_FORMATS = "build it for a target of that chip: edgekit build --target snapdragon-8-gen-3 --backend onnx"
DRIVER = "install the driver of its GPU; --accelerator-option vulkan=swiftshader runs on one in software"
OLD_DRIVER = "is its driver current? --accelerator cpu runs without it"
CRASHES = frozenset(status for fault in FAULTS for status in (-fault, 128 + fault))
"""Exit statuses of a runner that crashed: here, and as a shell on a device tells them."""
NPU_HINTS: Mapping[str, str] = {
    "library": "pip install --force-reinstall onnxruntime-qnn==2.7.0; --accelerator cpu runs without it",
    "driver": "docs/accelerators.md has the chips; --accelerator cpu runs without it",
    "adapter": "docs/accelerators.md has the chips; --accelerator cpu runs without it",
    "nan": "keep what overflows float16 in integers, or --accelerator cpu",
}
"""Hints where an NPU of Qualcomm's was asked for and the usual one is about GPUs."""


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
        StorageError or a kind of BundleError where that is the reason, AcceleratorCrashed where one was asked for and
        the runner crashed, else `failure`; `silence`, if given, where the runner ended without an answer.
        """
        completed = self._run(argv, timeout)
        document = _document(completed)
        if document is None:
            if completed.returncode in CRASHES and _is_accelerated(argv):
                raise AcceleratorCrashed(f"{self.transport.url}: the runner {_ending(completed)}", hint=OLD_DRIVER)
            killed = completed.returncode == -signal.SIGKILL
            hint = MEMORY if killed else f"edgekit device ping {self.transport.url} says what runs there"
            raise (silence or failure)(f"{self.transport.url}: the runner {_ending(completed)}", hint=hint)
        if "error" in document:
            raise refusal(self.transport.url, document, failure, argv)
        try:
            return answer.model_validate(document)
        except ValidationError as error:
            problem = f"the runner's answer makes no sense at '{line(first_fault(error).place, 100)}'"
            raise failure(f"{self.transport.url}: {problem}") from error

    def remove(self, folder: PurePosixPath) -> None:
        """Remove a folder of edgekit's from the device, if it is there."""
        self.transport.run(["rm", "-rf", str(folder)], timeout=QUICK_S)

    def _run(self, argv: tuple[object, ...], timeout: float) -> Completed:
        # A `HiddenWord` must stay one: `str()` would make a plain word of it, which the log shows.
        words = (word if isinstance(word, str) else str(word) for word in argv)
        return self.transport.run([*self.interpreter, str(self.program), *words], timeout=timeout)


def _document(completed: Completed) -> dict[str, Any] | None:
    """Parse the JSON object in the last line; None if there is none."""
    try:
        document = json_text.loads(completed.stdout.rstrip().rpartition("\n")[2])
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _is_accelerated(argv: tuple[object, ...]) -> bool:
    """Tell whether a call of the runner names an accelerator."""
    named = dict(pairwise(argv)).get("--accelerator", CPU)
    return named != CPU


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
            return AcceleratorHung(message, hint=OLD_DRIVER)
        case "crashed":
            return AcceleratorCrashed(message, hint=OLD_DRIVER)
        case "nan":
            return AcceleratorNotFinite(message, hint="--accelerator-option enforce_f32=true, or --accelerator cpu")
        case "package":
            return AcceleratorPackageMissing(message, hint=f"{extra_hint('npu')}, under Qualcomm's licence")
        case "context":
            return ContextMismatch(message, hint="--accelerator-option context=false; or build it anew")
        case "formats":
            return NumberFormatRefused(message, hint=HEXAGON_FORMATS)
        case "counter" | "system":
            return failure(message)
        case _:
            assert_never(kind)

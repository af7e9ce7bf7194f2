"""Runtime of ONNX models on an execution provider of onnxruntime that the request names, with the CPU behind it.

A provider is compiled into a build of onnxruntime (OpenVINO, DirectML, CoreML), or it is a library of its own that a
package brings and onnxruntime registers (WebGPU). Options: https://onnxruntime.ai/docs/execution-providers/.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ErrorKind, RunnerError
from ..machine.hang_watch import HangWatch
from ..machine.runtime_versions import version_of
from ..model.accelerator import Accelerator, AcceleratorFacts
from .litert_gpu_log import StderrCopy
from .onnx_assignment import RECORD, assignment
from .onnx_session import session_options

if TYPE_CHECKING:
    from ..model.io_signature import IoSignature
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Array, Call
    from .trace import Trace

LOAD_S, INFERENCE_S = 100.0, 60.0
"""Time limits in seconds of loading a model, which may compile kernels, and of one inference."""
OPTION = "option."
"""Beginning of the names of those options of a request that are the provider's own."""
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
"""Colours in onnxruntime's words."""
SHOWN = 8
"""Most kinds of operators that an error names."""
FAILURES: tuple[tuple[str, ErrorKind], ...] = (
    ("Failed to get a WebGPU adapter", "adapter"),
    ("out of memory", "vram"),
    ("maxBufferSize", "vram"),
    ("maxStorageBufferBindingSize", "vram"),
)
"""Parts of providers' messages, and the kind of error that they are."""


class Provider(NamedTuple):
    """Execution provider: its name, the package that has it, and its options."""

    name: str
    """Name by which onnxruntime knows it: `OpenVINOExecutionProvider`."""
    package: str
    """Distribution that has it: `onnxruntime-openvino`."""
    module: str = ""
    """Module whose `get_library_path()` tells the library to register; empty if it is part of onnxruntime."""
    options: tuple[tuple[str, str], ...] = ()
    cpu: tuple[str, ...] = ()
    """Options `NAME=VALUE` by which it computes on the CPU: its times are then none of an accelerator's."""


def provider_of(request: Accelerator) -> Provider | None:
    """Provider that a request names by its options; None if it names none."""
    name = request.option("provider", "")
    if not name:
        return None
    options = tuple((key[len(OPTION) :], value) for key, value in request.options if key.startswith(OPTION))
    stand_ins = tuple(filter(None, request.option("on_cpu", "").split(",")))
    return Provider(name, request.option("package", "onnxruntime"), request.option("module", ""), options, stand_ins)


class OnnxProvider:
    """onnxruntime on one execution provider.

    Options of the request: `packages`, a folder with a build of onnxruntime to use in place of the installed one;
    `cpu`: `false` refuses a model of which the CPU would run a part; `time_limit`, seconds for loading and for one
    inference; and those of `provider_of`.
    """

    provider: str | None = None
    accelerator: AcceleratorFacts | None = None

    def __init__(self, provider: Provider, packages: str = "") -> None:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        self._provider = provider
        if packages:
            if not (Path(packages) / "onnxruntime").is_dir():
                raise RunnerError("package", f"there is no onnxruntime in the folder '{packages}'")
            sys.path.insert(0, packages)
        try:
            self._runtime = import_module("onnxruntime")
            self._library = str(import_module(provider.module).get_library_path()) if provider.module else ""
        except ImportError as error:
            raise RunnerError("package", f"'{provider.package}' is not installed: {error}") from error

    @property
    def label(self) -> str:
        """Name and version of the build of onnxruntime that runs the model."""
        own = "onnxruntime" if self._provider.module else self._provider.package
        return f"{own} {self._runtime.__version__}"

    def load(self, manifest: RunnerManifest, threads: int) -> Call:
        """Load the model. Raises RunnerError: package, library, adapter, vram, operators, hung, load."""
        if manifest.prefill:
            raise RunnerError("accelerator", "a decoder with several entry points runs on the CPU only")
        request = manifest.accelerator or Accelerator(self._provider.name)
        limit_s = float(request.option("time_limit", "0"))
        watch = HangWatch()
        with watch.within(limit_s or LOAD_S, f"loading '{manifest.model.name}'"):
            session = self._session(manifest, threads, request)
        facts = self.accelerator = self._facts(session, request)
        self.provider = request.kind
        check_share(facts, manifest.model.name, alone=request.option("cpu", "true") == "false")
        names = [tensor.name for tensor in manifest.inputs]
        outputs = [tensor.name for tensor in manifest.outputs]

        def call(inputs: Sequence[Array]) -> list[Array]:
            feed = {name: inputs[i] for i, name in enumerate(names)}
            try:
                with watch.within(limit_s or INFERENCE_S, "an inference"):
                    answers: list[Array] = session.run(outputs, feed)
            except Exception as error:
                raise failure("run", f"'{request.kind}' fails as it runs '{manifest.model.name}'", error) from error
            return answers

        return call

    def trace(self, manifest: RunnerManifest, threads: int, scratch: Path) -> Trace:
        from .trace import Untraced

        return Untraced(self.load(manifest, threads), "providers tell no times of operators: the whole is all there is")

    def edges(self, model: Path) -> IoSignature:
        from ..model.io_signature import of_onnx

        return of_onnx(self._runtime.InferenceSession(str(model), providers=["CPUExecutionProvider"]))

    def _session(self, manifest: RunnerManifest, threads: int, request: Accelerator) -> Any:
        runtime, provider = self._runtime, self._provider
        options = session_options(runtime, manifest, threads)
        options.log_severity_level = 3
        options.add_session_config_entry(RECORD, "1")
        providers = None
        if provider.module:
            options.add_provider_for_devices(self._devices(request.kind)[:1], dict(provider.options))
        elif provider.name in runtime.get_available_providers():
            providers = [(provider.name, dict(provider.options))]
        else:
            has = ", ".join(runtime.get_available_providers())
            raise RunnerError("library", f"this onnxruntime has no {provider.name}, it has {has}")
        copy = StderrCopy()
        try:
            with copy.copied():
                # Else it falls back to the CPU for the whole model, with a line on standard error.
                session = runtime.InferenceSession(str(manifest.model), options, providers=providers, enable_fallback=0)
        except Exception as error:
            raise failure("load", f"'{request.kind}' does not load '{manifest.model.name}'", error) from error
        if provider.name not in session.get_providers():
            errors = [line for line in ESCAPES.sub("", copy.text).splitlines() if "[E:" in line] or [copy.text]
            raise RunnerError("adapter", f"{provider.name} was asked for and runs nothing: {errors[-1][-200:].strip()}")
        return session

    def _devices(self, kind: str) -> list[Any]:
        """Devices that the registered library offers. Raises RunnerError: library, adapter."""
        name = self._provider.name
        if not any(device.ep_name == name for device in self._runtime.get_ep_devices()):
            try:
                self._runtime.register_execution_provider_library(kind, self._library)
            except Exception as error:
                raise RunnerError("library", f"'{Path(self._library).name}' cannot be loaded: {error}") from error
        devices = [device for device in self._runtime.get_ep_devices() if device.ep_name == name]
        if not devices:
            raise RunnerError("adapter", f"{name} was loaded and offers no device")
        return devices

    def _facts(self, session: Any, request: Accelerator) -> AcceleratorFacts:
        """Facts of a loaded model, as the session tells them."""
        provider = self._provider
        on_provider, left, graphs = assignment(session, provider.name)
        on_cpu = [f"{name}={value}" for name, value in provider.options if f"{name}={value}" in provider.cpu]
        return AcceleratorFacts(
            kind=request.kind,
            device=", ".join((provider.name, *(f"{name} {value}" for name, value in provider.options))),
            driver=f"{provider.package} {version_of(provider.package)}",
            software=bool(on_cpu),
            precision=None,
            operators=on_provider + sum(left.values()),
            taken=on_provider,
            left=tuple(sorted(left.items(), key=lambda pair: (-pair[1], pair[0]))),
            note=f"{graphs} graph{'' if graphs == 1 else 's'} of {provider.name}",
        )


def check_share(facts: AcceleratorFacts, name: str, alone: bool) -> None:
    """Raise RunnerError (operators) if the accelerator takes nothing, or less than all where it has to run `alone`."""
    if facts.taken and not (facts.left and alone):
        return
    named = ", ".join(f"{count} {kind}" for kind, count in facts.left[:SHOWN])
    which = "none of the operators" if not facts.taken else "not all operators"
    raise RunnerError("operators", f"'{facts.kind}' takes {which} of '{name}', it leaves {named}")


def failure(kind: ErrorKind, event: str, error: Exception) -> RunnerError:
    """Error with the provider's own words; of another kind than `kind` where those tell."""
    words = " ".join(str(error).split())
    known = next((known for part, known in FAILURES if part in words), kind)
    return RunnerError(known, f"{event}: {words[-400:]}")

"""Runtime of ONNX models on Qualcomm's Hexagon NPU (HTP): onnxruntime with its plug-in `onnxruntime-qnn`.

Options: https://github.com/onnxruntime/onnxruntime-qnn/blob/main/docs/execution_providers/QNN-ExecutionProvider.md.
On x86 `libQnnHtp.so` emulates the NPU: its answers count, its times say nothing of any chip.
"""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunnerError
from ..files.onnx_graph import GraphOutline, read_onnx_graph
from ..machine.hang_watch import HangWatch
from ..machine.runtime_versions import version_of
from ..model.accelerator import QNN_HTP, Accelerator, AcceleratorFacts
from ..model.hexagon_formats import above_rank_limit, inputs_of_two_formats, precision_of, warnings
from ..model.hexagon_socs import EMULATED, SOCS, soc_of_device
from ..model.npu_contexts import NpuContext, check_context, read_contexts
from .onnx_assignment import RECORD, assignment
from .onnx_session import session_options
from .qnn_errors import SHOWN, qnn_error
from .qnn_library import BACKEND, DISTRIBUTION, NAME, htp_devices, qnn_folder, sdk_version

if TYPE_CHECKING:
    from ..model.io_signature import IoSignature
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Array, Call
    from .trace import Trace

LOAD_S, INFERENCE_S = 100.0, 60.0
"""Time limits in seconds of loading a model and of one inference: an emulated NPU takes a thousand times as long."""
FREE = ("QuantizeLinear", "DequantizeLinear")
"""Operators that are no hand-over of work: those between the CPU's numbers and the NPU's."""
NAMED = 4
"""Operators above the rank limit that a note names."""


class QnnHtp:
    """onnxruntime on the NPU, with the CPU behind it for what the NPU does not take.

    Options of the request: `soc`, the chip whose NPU is emulated (on a device its own is used); `cpu`: `false` refuses
    a model of which the CPU would run a part; `context`: `false` passes over the context binaries of a bundle;
    `time_limit`: seconds for loading and for one inference.
    """

    provider: str | None = None
    accelerator: AcceleratorFacts | None = None

    def __init__(self, distribution: str) -> None:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        self._folder = qnn_folder()
        self._runtime = import_module("onnxruntime")

    def load(self, manifest: RunnerManifest, threads: int) -> Call:
        """Load the model. Raises RunnerError: driver, library, context, formats, operators, hung, load."""
        if manifest.prefill:
            raise RunnerError("accelerator", "a decoder with several entry points runs on the CPU only")
        request = manifest.accelerator or Accelerator(QNN_HTP)
        emulated = platform.machine() in ("x86_64", "AMD64")
        soc = request.option("soc", EMULATED) if emulated else soc_of_device()
        graph = read_onnx_graph(manifest.model)
        context = self._context(manifest.model.parent, soc) if request.option("context", "true") == "true" else None
        file = context.file if context else manifest.model
        watch, limit_s = HangWatch(), float(request.option("time_limit", "0"))
        with watch.within(limit_s or LOAD_S, f"loading '{file.name}' on HTP"):
            session = self._session(manifest, file, threads, soc, graph)
        self.accelerator = self._facts(session, graph, soc, emulated, context)
        self.provider = NAME if self.accelerator.taken else "cpu"
        self._check_share(request, manifest.model.name, graph)
        return self._call(session, manifest, watch, limit_s or INFERENCE_S)

    def trace(self, manifest: RunnerManifest, threads: int, scratch: Path) -> Trace:
        from .trace import Untraced

        return Untraced(
            self.load(manifest, threads), "QNN does not tell the times of operators: the whole is all there is"
        )

    def edges(self, model: Path) -> IoSignature:
        from ..model.io_signature import of_onnx

        return of_onnx(self._runtime.InferenceSession(str(model), providers=["CPUExecutionProvider"]))

    def _context(self, slot: Path, soc: str | None) -> NpuContext | None:
        """Context binary of the slot for this chip, checked; None if it has none."""
        for context in read_contexts(slot):
            if context.soc == soc:
                check_context(context, SOCS[soc].soc_model, sdk_version(self._folder))
                return context
        return None

    def _session(self, manifest: RunnerManifest, file: Path, threads: int, soc: str | None, graph: GraphOutline) -> Any:
        runtime = self._runtime
        options = session_options(runtime, manifest, threads)
        options.log_severity_level = 4
        options.add_session_config_entry(RECORD, "1")
        options.add_provider_for_devices(htp_devices(runtime, self._folder), backend_options(self._folder, soc, graph))
        try:
            # Else it falls back to the CPU for the whole model, with a line on standard error.
            return runtime.InferenceSession(str(file), options, enable_fallback=0)
        except Exception as error:
            arch = SOCS[soc].arch if soc else None
            raise qnn_error(error, manifest.model.name, graph, arch) from error

    def _facts(
        self, session: Any, graph: GraphOutline, soc: str | None, emulated: bool, context: NpuContext | None
    ) -> AcceleratorFacts:
        on_htp, left, graphs = assignment(session, NAME)
        if context and on_htp:
            # One node stands for each graph that was compiled ahead.
            on_htp, left, graphs = context.taken, Counter(context.left), context.graphs
        chip = f" v{SOCS[soc].arch} ({soc})" if soc else ""
        notes = [f"{graphs} QNN graph{'' if graphs == 1 else 's'}"]
        notes += [f"compiled ahead by QNN {context.sdk}"] if context else []
        high = above_rank_limit(graph, left)
        if high:
            more = f" and {len(high) - NAMED} more" if len(high) > NAMED else ""
            notes.append(f"too many axes for HTP: {'; '.join(high[:NAMED])}{more}")
        return AcceleratorFacts(
            kind=QNN_HTP,
            device=f"Hexagon{chip}{', emulated' if emulated else ''}",
            driver=f"{DISTRIBUTION} {version_of(DISTRIBUTION)}",
            software=emulated,
            precision=precision_of(graph),
            operators=on_htp + sum(left.values()),
            taken=on_htp,
            left=tuple(sorted(left.items(), key=lambda pair: (-pair[1], pair[0]))),
            cached=context is not None,
            note="; ".join((*warnings(graph), *notes)),
        )

    def _check_share(self, request: Accelerator, name: str, graph: GraphOutline) -> None:
        """Raise RunnerError (operators) if the NPU takes nothing, or less than all where the request wants all."""
        facts = self.accelerator
        assert facts is not None
        rest = {kind: count for kind, count in facts.left if kind not in FREE}
        if facts.taken and not (rest and request.option("cpu", "true") == "false"):
            return
        named = ", ".join(f"{count} {kind}" for kind, count in list(rest.items())[:8])
        high = "; ".join(above_rank_limit(graph, rest)[:NAMED])
        which = "none of the operators" if not facts.taken else "not all operators"
        raise RunnerError(
            "operators",
            f"HTP takes {which} of '{name}', it leaves {named}{f' (too many axes: {high})' if high else ''}",
        )

    def _call(self, session: Any, manifest: RunnerManifest, watch: HangWatch, limit_s: float) -> Call:
        names = [tensor.name for tensor in manifest.inputs]
        outputs = [tensor.name for tensor in manifest.outputs]

        def call(inputs: Sequence[Array]) -> list[Array]:
            feed = {name: inputs[i] for i, name in enumerate(names)}
            try:
                with watch.within(limit_s, "an inference on HTP"):
                    results: list[Array] = session.run(outputs, feed)
            except Exception as error:
                words = " ".join(str(error).split())[-SHOWN:]
                raise RunnerError("run", f"HTP fails as it runs '{manifest.model.name}': {words}") from error
            return results

        return call


def backend_options(folder: Path, soc: str | None, graph: GraphOutline) -> dict[str, str]:
    """Options of the provider for a chip and a model; without a chip, the driver finds out.

    QNN leaves the rounding of inputs to the CPU. A graph that is given an input and its rounded values too loads and
    then fails ("Invalid or NULL QNN tensor", onnxruntime-qnn 2.7.0), so that such a model has the NPU round.
    """
    options = {"backend_path": str(folder / BACKEND)}
    if inputs_of_two_formats(graph):
        options["offload_graph_io_quantization"] = "0"
    if soc:
        options |= {"soc_model": str(SOCS[soc].soc_model), "htp_arch": str(SOCS[soc].arch)}
    return options

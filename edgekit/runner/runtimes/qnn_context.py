"""Compiler of context binaries: a model made ready for one NPU ahead of time, by the emulated one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import RunnerError
from ..files.onnx_graph import read_onnx_graph
from ..machine.hang_watch import HangWatch
from ..model.hexagon_socs import SOCS
from ..model.npu_contexts import COMPATIBILITY
from .onnx_assignment import RECORD, assignment
from .qnn_errors import qnn_error
from .qnn_htp import LOAD_S, backend_options
from .qnn_library import NAME, htp_devices, qnn_folder


def compile_context(model: Path, out: Path, soc: str, options: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Compile the model for the NPU of a chip into `out/<soc>.onnx`, and return its entry of `npu.json`.

    options: session config entries. Raises RunnerError as `QnnHtp.load` does.
    """
    folder, graph = qnn_folder(), read_onnx_graph(model)
    runtime = import_module("onnxruntime")
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{soc}.onnx"
    file.unlink(missing_ok=True)
    settings = runtime.SessionOptions()
    settings.log_severity_level = 4
    entries = (
        (RECORD, "1"),
        ("ep.context_enable", "1"),
        ("ep.context_file_path", str(file)),
        ("ep.context_embed_mode", "1"),
        *options,
    )
    for key, value in entries:
        settings.add_session_config_entry(key, value)
    settings.add_provider_for_devices(htp_devices(runtime, folder), backend_options(folder, soc, graph))

    try:
        with HangWatch().within(LOAD_S, f"compiling '{model.name}' for HTP"):
            session = runtime.InferenceSession(str(model), settings, enable_fallback=0)
    except Exception as error:
        raise qnn_error(error, model.name, graph, SOCS[soc].arch) from error
    on_htp, left, graphs = assignment(session, NAME)
    if not on_htp or not file.is_file():
        named = ", ".join(f"{count} {kind}" for kind, count in left.items())
        raise RunnerError("operators", f"HTP takes none of the operators of '{model.name}': {named}")
    made_by = read_onnx_graph(file).metadata.get(COMPATIBILITY, "").split(":")
    return {
        "file": f"{out.name}/{file.name}",
        "soc": soc,
        "arch": SOCS[soc].arch,
        "sdk": made_by[2] if len(made_by) > 2 else "",
        "taken": on_htp,
        "left": sorted(left.items()),
        "graphs": graphs,
    }

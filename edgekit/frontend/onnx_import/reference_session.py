"""Session of ONNX Runtime that an imported network is compared with."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from edgekit.errors import UnsupportedModelFile
from edgekit.specs.factory import in_a_line
from edgekit.untrusted.onnx_header import MAX_BYTES


def reference_session(path: Path, stated: str, model: Any, changed: bool) -> Any:
    """Session of the file, or of the ModelProto where that was changed since it was read.

    Raises UnsupportedModelFile if ONNX Runtime refuses it.
    """
    if not changed:
        return _session(str(path), stated)
    if model.ByteSize() < MAX_BYTES:
        return _session(model.SerializeToString(), stated)
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, f"{folder}/net.onnx", save_as_external_data=True, location="weights")
        return _session(f"{folder}/net.onnx", stated)


def _session(source: str | bytes, stated: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        return onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])
    except Exception as error:  # of onnxruntime, which has no common base for what it raises
        raise UnsupportedModelFile(
            f"'{stated}' is refused by ONNX Runtime, with which edgekit compares it: {in_a_line(error)}",
            hint="export it with an opset and operators that ONNX Runtime has",
        ) from error

"""The three runtimes called in a bare loop, as one would without edgekit: file → a function that is one inference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[Any], Any]


def onnx(path: Path, sample: Any) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda array: session.run(None, {name: array})


def tflite(path: Path, sample: Any) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    given = interpreter.get_output_details()[0]["index"]

    def call(array: Any) -> Any:
        interpreter.set_tensor(index, array)
        interpreter.invoke()
        return interpreter.get_tensor(given)

    return call


def pte(path: Path, sample: Any) -> Call:
    import torch
    from executorch.runtime import Runtime

    torch.set_num_threads(1)
    method = Runtime.get().load_program(path).load_method("forward")
    assert method is not None
    return lambda array: np.asarray(method.execute([torch.from_numpy(array)])[0])


RUNTIMES: dict[str, Callable[[Path, Any], Call]] = {"onnx": onnx, "tflite": tflite, "pte": pte}

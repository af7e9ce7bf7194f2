"""GELU between integers: the file without the int8 kernel answers as with it, in one fragment."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edgekit.backends.tflite.float_activations import with_float_activations
from edgekit.backends.tflite.interpreter import artifact
from edgekit.ir.measurement import Array
from edgekit.specs.target import RuntimeSpec

RUNTIME = RuntimeSpec(backend="tflite", delegates=("xnnpack",))


def gelu(kind: int) -> bytes:
    """File of one GELU over [1, 256], of int8 with scales 0.0471 and 0.0413, or of float32."""
    edges = []
    for scale, zero_point in ((0.0471, 10), (0.0413, -110)):
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = [1, 256], kind, 0
        if kind == schema.TensorType.INT8:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
        edges.append(tensor)
    code, operator, graph = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = schema.BuiltinOperator.GELU, 127, 2
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph.tensors, graph.operators, graph.inputs, graph.outputs = edges, [operator], [0], [1]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def answers(content: bytes) -> Array:
    """Answers of the file for every int8."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.arange(-128, 128, dtype=np.int8)[None])
    interpreter.invoke()
    result: Array = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return result


def test_a_gelu_between_integers_is_delegated_and_answers_as_the_int8_kernel(tmp_path: Path) -> None:
    fused = gelu(schema.TensorType.INT8)
    apart = with_float_activations(fused)
    (tmp_path / "model.tflite").write_bytes(apart)
    facts = artifact(tmp_path / "model.tflite", RUNTIME)
    assert [operator.name for operator in facts.placement.operators] == ["DEQUANTIZE", "GELU", "QUANTIZE"]
    assert facts.fragments is not None
    assert (facts.fragments.delegates, facts.fragments.kernels) == (1, 0)
    expected = answers(fused)
    assert len(np.unique(expected)) > 100
    np.testing.assert_array_equal(answers(apart), expected)


@pytest.mark.parametrize("kind", [schema.TensorType.FLOAT32, schema.TensorType.INT16])
def test_other_files_keep_their_bytes(kind: int) -> None:
    content = gelu(kind)
    assert with_float_activations(content) is content

"""Example in Kotlin, for Android: one inference on buffers of the model's own sizes, which hold zeros."""

from __future__ import annotations

from edgekit.export.code_words import byte_count, identifier, numbers, text
from edgekit.export.contract import Contract, ContractInput

DEPENDENCIES = {
    "onnx": "com.microsoft.onnxruntime:onnxruntime-android",
    "tflite": "com.google.ai.edge.litert:litert",
    "pte": "org.pytorch:executorch-android",
}
"""Libraries that the examples need, by format."""
IMPORTED = {"onnx": "ai.onnxruntime", "tflite": "org.tensorflow.lite", "pte": "org.pytorch.executorch"}
"""Packages that the examples import, by format."""
ONNX_TYPES = {"float32": "FLOAT", "float64": "DOUBLE"}
BLOBS = {"uint8": "fromBlobUnsigned(ByteArray", "int8": "fromBlob(ByteArray", "float32": "fromBlob(FloatArray"}
BLOBS |= {"int32": "fromBlob(IntArray", "int64": "fromBlob(LongArray", "float64": "fromBlob(DoubleArray"}
READERS = {
    "uint8": "UnsignedByte",
    "int8": "Byte",
    "float32": "Float",
    "int32": "Int",
    "int64": "Long",
    "float64": "Double",
}


def kotlin_example(contract: Contract) -> str:
    """Lines of the example. Requires a contract without `entries`."""
    lines = {"onnx": _onnx, "tflite": _tflite, "pte": _pte}[contract.format](contract)
    packages = (IMPORTED[contract.format], "java.io", *(() if contract.format == "pte" else ("java.nio",)))
    return "\n".join([*(f"import {package}.*" for package in packages), "", *lines])


def _onnx(contract: Contract) -> list[str]:
    lines = [
        "val environment = OrtEnvironment.getEnvironment()",
        f"val session = environment.createSession(File(context.filesDir, {_text(contract.files[0])}).path)",
    ]
    for each in contract.inputs:
        kind = ONNX_TYPES.get(each.dtype, each.dtype.upper())
        shape = f"longArrayOf({numbers(each.shape)})"
        made = f"OnnxTensor.createTensor(environment, {_buffer(each)}, {shape}, OnnxJavaType.{kind})"
        lines.append(f"val {identifier(each.name)} = {made}")
    inputs = ", ".join(f"{_text(each.name)} to {identifier(each.name)}" for each in contract.inputs)
    lines.append(f"val answers = session.run(mapOf({inputs}))")
    for output in contract.outputs:
        read = f"(answers[{_text(output.name)}].get() as OnnxTensor).byteBuffer"
        lines.append(f"val {_answer(output.name)} = {read}  // {output.dtype}[{numbers(output.shape)}]")
    return lines


def _tflite(contract: Contract) -> list[str]:
    lines = [f"val model = Interpreter(File(context.filesDir, {_text(contract.files[0])}))"]
    lines += [f"val {identifier(each.name)} = {_buffer(each)}" for each in contract.inputs]
    for each in contract.outputs:
        size = byte_count(each.dtype, each.shape)
        made = f"ByteBuffer.allocateDirect({size}).order(ByteOrder.nativeOrder())"
        lines.append(f"val {_answer(each.name)} = {made}  // {each.dtype}[{numbers(each.shape)}]")
    inputs = ", ".join(identifier(each.name) for each in contract.inputs)
    outputs = ", ".join(f"{number} to {_answer(each.name)}" for number, each in enumerate(contract.outputs))
    return [*lines, f"model.runForMultipleInputsOutputs(arrayOf({inputs}), mapOf({outputs}))"]


def _pte(contract: Contract) -> list[str]:
    lines = [f"val model = Module.load(File(context.filesDir, {_text(contract.files[0])}).path)"]
    for each in contract.inputs:
        blob = f"{BLOBS.get(each.dtype, BLOBS['float32'])}({_elements(each.shape)})"
        lines.append(f"val {identifier(each.name)} = Tensor.{blob}, longArrayOf({numbers(each.shape)}))")
    inputs = ", ".join(f"EValue.from({identifier(each.name)})" for each in contract.inputs)
    lines.append(f"val answers = model.forward({inputs})")
    for number, output in enumerate(contract.outputs):
        reader = READERS.get(output.dtype, "Float")
        array = f"answers[{number}].toTensor().dataAs{reader}Array"
        lines.append(f"val {_answer(output.name)} = {array}  // {output.dtype}[{numbers(output.shape)}]")
    return lines


def _answer(name: str) -> str:
    return f"{identifier(name)}Answer"


def _elements(shape: tuple[int, ...]) -> str:
    return " * ".join(map(str, shape)) or "1"


def _buffer(each: ContractInput) -> str:
    return f"ByteBuffer.allocateDirect({byte_count(each.dtype, each.shape)}).order(ByteOrder.nativeOrder())"


def _text(words: str) -> str:
    return text(words).replace("$", "\\$")

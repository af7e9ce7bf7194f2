"""Example in C++: one inference on vectors of the model's own sizes."""

from __future__ import annotations

from math import prod

from edgekit.export.code_words import identifier, numbers, text
from edgekit.export.contract import Contract, ContractInput, ContractOutput

HEADERS = {
    "onnx": ("onnxruntime_cxx_api.h",),
    "tflite": ("tensorflow/lite/interpreter.h", "tensorflow/lite/kernels/register.h", "tensorflow/lite/model.h"),
    "pte": ("executorch/extension/module/module.h", "executorch/extension/tensor/tensor.h"),
}
"""Headers that the examples include, by format."""
STANDARD = ("algorithm", "cstdint", "memory", "vector")
TYPES = {"float32": "float", "float64": "double"}
SCALARS = {"float32": "Float", "float64": "Double", "uint8": "Byte", "int8": "Char", "int16": "Short"}
SCALARS |= {"int32": "Int", "int64": "Long"}
"""Names of types in ExecuTorch."""


def cpp_example(contract: Contract) -> str:
    """Lines of the example. Requires a contract without `entries`."""
    includes = [f"#include <{header}>" for header in (*HEADERS[contract.format], *STANDARD)]
    lines = {"onnx": _onnx, "tflite": _tflite, "pte": _pte}[contract.format](contract)
    return "\n".join([*includes, "", *lines])


def _onnx(contract: Contract) -> list[str]:
    entries = [f"options.AddConfigEntry({text(key)}, {text(value)});" for key, value in contract.options or ()]
    lines = [
        "Ort::Env environment;",
        "Ort::SessionOptions options;",
        *entries,
        f"Ort::Session session(environment, {text(contract.files[0])}, options);",
        "auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);",
        *map(_vector, contract.inputs),
        "std::vector<Ort::Value> inputs;",
    ]
    for each in contract.inputs:
        name = identifier(each.name)
        lines.append(f"int64_t {name}_shape[] = {{{numbers(each.shape)}}};")
        made = f"Ort::Value::CreateTensor(memory, {name}.data(), {name}.size(), {name}_shape, {len(each.shape)})"
        lines.append(f"inputs.push_back({made});")
    lines.append(f"const char* input_names[] = {{{', '.join(text(each.name) for each in contract.inputs)}}};")
    lines.append(f"const char* output_names[] = {{{', '.join(text(each.name) for each in contract.outputs)}}};")
    counts = f"inputs.data(), {len(contract.inputs)}, output_names, {len(contract.outputs)}"
    lines.append(f"auto answers = session.Run(Ort::RunOptions{{}}, input_names, {counts});")
    return [*lines, *(_read(each, f"answers[{i}].GetTensorData<{_type(each)}>()") for i, each in _numbered(contract))]


def _tflite(contract: Contract) -> list[str]:
    lines = [
        f"auto model = tflite::FlatBufferModel::BuildFromFile({text(contract.files[0])});",
        "tflite::ops::builtin::BuiltinOpResolver resolver;",
        "std::unique_ptr<tflite::Interpreter> interpreter;",
        "tflite::InterpreterBuilder(*model, resolver)(&interpreter);",
        "interpreter->AllocateTensors();",
        *map(_vector, contract.inputs),
    ]
    for number, each in enumerate(contract.inputs):
        name = identifier(each.name)
        place = f"interpreter->typed_input_tensor<{_type(each)}>({number})"
        lines.append(f"std::copy({name}.begin(), {name}.end(), {place});")
    lines.append("interpreter->Invoke();")
    reads = (_read(each, f"interpreter->typed_output_tensor<{_type(each)}>({i})") for i, each in _numbered(contract))
    return [*lines, *reads]


def _pte(contract: Contract) -> list[str]:
    lines = [
        f"executorch::extension::Module model({text(contract.files[0])});",
        *map(_vector, contract.inputs),
    ]
    for each in contract.inputs:
        name, kind = identifier(each.name), SCALARS.get(each.dtype, each.dtype)
        shape = f"{{{numbers(each.shape)}}}, executorch::aten::ScalarType::{kind}"
        lines.append(f"auto {name}_tensor = executorch::extension::from_blob({name}.data(), {shape});")
    tensors = ", ".join(f"{identifier(each.name)}_tensor" for each in contract.inputs)
    lines.append(f"std::vector<executorch::runtime::EValue> inputs{{{tensors}}};")
    lines.append("const auto answers = model.forward(inputs);")
    reads = (
        _read(each, f"answers->at({i}).toTensor().const_data_ptr<{_type(each)}>()") for i, each in _numbered(contract)
    )
    return [*lines, *reads]


def _numbered(contract: Contract) -> list[tuple[int, ContractOutput]]:
    return list(enumerate(contract.outputs))


def _vector(each: ContractInput) -> str:
    return f"std::vector<{_type(each)}> {identifier(each.name)}({prod(each.shape)});  // {_stated(each)}"


def _read(each: ContractOutput, expression: str) -> str:
    return f"const {_type(each)}* {identifier(each.name)}_answer = {expression};  // {_stated(each)}"


def _stated(each: ContractInput | ContractOutput) -> str:
    return f"{each.dtype}[{numbers(each.shape)}]"


def _type(each: ContractInput | ContractOutput) -> str:
    return TYPES.get(each.dtype, f"{each.dtype}_t")

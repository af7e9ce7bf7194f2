"""README of an exported model: inputs, preprocessing, outputs, programs that run it, golden vectors, origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgekit.export.code_words import text
from edgekit.export.contract import KEY, Contract, ContractInput, ContractOutput
from edgekit.export.cpp_example import TYPES, cpp_example
from edgekit.export.kotlin_example import BLOBS, DEPENDENCIES, kotlin_example
from edgekit.export.preprocessing_words import preprocessing_words
from edgekit.export.python_example import PACKAGES, Lengths, python_example
from edgekit.export.tflite_metadata import CONTRACT, LABELS
from edgekit.untrusted.markdown import cell, code
from edgekit.untrusted.sanitize import MAX_WORDS, line

VALUES = {
    "logits": "logits: any real numbers, the greatest for the likeliest class. {} makes probabilities of them",
    "probabilities": "probabilities, between 0 and 1: no {} is needed",
    "answers": "what the task '{}' takes for its answer",
}
"""Words for the meaning of an output."""
NATIVE = {*TYPES, "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"}
"""Types that C++ has."""


def readme(contract: Contract, lengths: Lengths, steps: int | None, files: Mapping[str, str]) -> str:
    """Text in Markdown. files: Markdown for each file of the folder. lengths, steps: as `python_example` takes them."""
    parts = (
        _head(contract, files),
        _inputs(contract),
        _outputs(contract),
        _programs(contract, lengths, steps),
        _golden(contract),
        _origin(contract),
    )
    return "\n".join(each for part in parts for each in part) + "\n"


def _name(words: str) -> str:
    return code(line(words, MAX_WORDS))


def _head(contract: Contract, files: Mapping[str, str]) -> Iterator[str]:
    lineage = contract.lineage
    yield f"# {cell(contract.name)}"
    yield ""
    yield f"Version {contract.version}. Task: {cell(contract.task)}. Precision: {lineage.precision}."
    yield f"Built for {cell(lineage.target)}; format {contract.format}."
    yield ""
    yield "| file | is |"
    yield "|---|---|"
    yield from (f"| {_name(path)} | {words} |" for path, words in files.items())


def _inputs(contract: Contract) -> Iterator[str]:
    yield from ("", "## Input")
    for each in contract.inputs:
        yield from ("", f"{_name(each.name)}: {each.dtype} {list(each.shape)}.", "")
        words = preprocessing_words(each) or ("It goes in as it is in `golden/inputs`.",)
        yield from (words if any(word.startswith("1.") for word in words) else (f"- {word}" for word in words))
        if each.function:
            yield from ("", "```python", *(line(row) for row in each.function.strip().split("\n")), "```")


def _outputs(contract: Contract) -> Iterator[str]:
    yield from ("", "## Output", "")
    for each in contract.outputs:
        yield f"- {_name(each.name)}: {each.dtype} {list(each.shape)}; {_meaning(contract, each)}."
    if contract.labels:
        names = ", ".join(map(cell, contract.labels[:20]))
        more = f", … {len(contract.labels)} in all" if len(contract.labels) > 20 else ""
        yield from ("", f"Classes, in order (`{LABELS}`, a line each): {names}{more}.")


def _meaning(contract: Contract, each: ContractOutput) -> str:
    if each.next:
        return f"state, the input {_name(each.next)} of the next step"
    one = "sigmoid" if contract.task == "multi-label" else "softmax"
    words = VALUES[each.values or "answers"].format(cell(contract.task) if each.values == "answers" else one)
    if each.quantization:
        words += f"; real = {each.quantization.scale!r} * (stored - {each.quantization.zero_point})"
    return words


def _programs(contract: Contract, lengths: Lengths, steps: int | None) -> Iterator[str]:
    yield from ("", "## Run it", "")
    if contract.entries:
        yield f"The model has several entry points: {', '.join(contract.entries)}. Each sample is for one of them:"
        yield "docs/state.md and docs/signatures.md of edgekit say how; `edgekit probe` runs it as it is."
        return
    yield f"In this folder, with `{PACKAGES[contract.format]}` installed, on the first golden sample:"
    yield from ("", "```python", python_example(contract, lengths, steps), "```", "")
    step = " One step; the caller carries the state." if steps is not None else ""
    if _kotlin_has(contract):
        yield f"Android, with the library `{DEPENDENCIES[contract.format]}` and the file in `filesDir`.{step}"
        yield from ("", "```kotlin", kotlin_example(contract), "```", "")
    if {each.dtype for each in contract.inputs} | {each.dtype for each in contract.outputs} <= NATIVE:
        yield f"C++.{step}"
        yield from ("", "```cpp", cpp_example(contract), "```")


def _kotlin_has(contract: Contract) -> bool:
    edges: tuple[ContractInput | ContractOutput, ...] = (*contract.inputs, *contract.outputs)
    return contract.format != "pte" or all(each.dtype in BLOBS for each in edges)


def _golden(contract: Contract) -> Iterator[str]:
    yield from ("", "## Golden vectors", "")
    yield f"`golden/inputs` has {contract.golden_samples} samples as the model takes them, without the batch axis, and"
    yield "`golden/outputs` what it answered where it was built. Another processor may round otherwise: an output is"
    yield f"right where no real value differs by more than {contract.tolerance!r} times (max - min) of its golden file."


def _origin(contract: Contract) -> Iterator[str]:
    lineage = contract.lineage
    yield from ("", "## Where it comes from", "")
    yield f"- bundle: `{lineage.bundle_digest}`, signed by {', '.join(lineage.signers)}"
    yield f"- made by: edgekit {cell(lineage.edgekit)}, profile {cell(lineage.profile)}, backend {lineage.backend}"
    yield from (f"- pass: {cell(each)}" for each in lineage.passes)
    yield from (f"- data: {data.role}, {cell(data.source)}; licence: {cell(data.licence)}" for data in lineage.data)
    yield from (f"- {_name(path)} in the bundle: SHA-256 `{sha256}`" for path, sha256 in lineage.model_sha256.items())
    yield ""
    yield f"All of this is in the model file, as JSON under `{KEY}`, and in `{CONTRACT}` beside it. To read it:"
    yield from ("", "```python", _reader(contract), "```")


def _reader(contract: Contract) -> str:
    name = text(contract.files[0])
    if contract.format == "onnx":
        session = f"onnxruntime.InferenceSession({name})"
        return f'import onnxruntime\ncontract = {session}.get_modelmeta().custom_metadata_map["{KEY}"]'
    if contract.format == "tflite":
        return f'import zipfile\ncontract = zipfile.ZipFile({name}).read("{CONTRACT}").decode()'
    return (
        "from executorch.exir._serialize._program import deserialize_pte_binary\n"
        f'named = deserialize_pte_binary(open({name}, "rb").read()).named_data\n'
        f'contract = bytes(named.buffers[named.pte_data["{KEY}"].buffer_index]).decode()'
    )

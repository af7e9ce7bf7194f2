"""Example in Python that runs an exported model on its first golden sample, and leaves `answers`, arrays by name."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.export.code_words import numbers, text
from edgekit.export.contract import Contract, ContractInput
from edgekit.export.tflite_metadata import LABELS

Lengths = Mapping[tuple[str, int], int]
"""Lengths of a sample, by input and axis."""
PACKAGES = {"onnx": "onnxruntime", "tflite": "ai-edge-litert", "pte": "executorch torch"}
"""Packages that the examples need, by format."""


def python_example(contract: Contract, lengths: Lengths, steps: int | None) -> str:
    """Lines of the example. Requires a contract without `entries`.

    lengths: lengths of the first golden sample, where they are free. steps: number of its steps, if there is state.
    """
    load = {"onnx": _onnx, "tflite": _tflite, "pte": _pte}[contract.format](contract)
    sampled = [each for each in contract.inputs if not each.state]
    if steps is None:
        values = ", ".join(f"{text(each.name)}: {_golden(each, lengths)}" for each in sampled)
        return "\n".join([*load, f"answers = run({{{values}}})", *_shown(contract)])
    states = ", ".join(f"{text(each.name)}: {_initial(each)}" for each in contract.inputs if each.state)
    values = ", ".join(f"{text(each.name)}: {_golden(each, lengths, 'step')}" for each in sampled)
    carried = ", ".join(f"{text(each.next)}: answers[{text(each.name)}]" for each in contract.outputs if each.next)
    loop = [
        f"state = {{{states}}}",
        f"for step in range({steps}):",
        f"    answers = run({{**state, {values}}})",
        f"    state = {{{carried}}}",
    ]
    return "\n".join([*load, *loop, *_shown(contract)])


def _onnx(contract: Contract) -> list[str]:
    options = ["options = onnxruntime.SessionOptions()"] if contract.options else []
    options += [f"options.add_session_config_entry({text(k)}, {text(v)})" for k, v in contract.options or ()]
    given = f"{text(contract.files[0])}, options" if options else text(contract.files[0])
    names = _names(contract)
    return [
        "import numpy, onnxruntime",
        *options,
        f"session = onnxruntime.InferenceSession({given})",
        f"run = lambda inputs: dict(zip({names}, session.run({names}, inputs)))",
    ]


def _tflite(contract: Contract) -> list[str]:
    return [
        "import numpy",
        "from ai_edge_litert.interpreter import Interpreter",
        f"signature = Interpreter({text(contract.files[0])}).get_signature_runner()",
        "run = lambda inputs: signature(**inputs)",
    ]


def _pte(contract: Contract) -> list[str]:
    order = ", ".join(f"torch.from_numpy(inputs[{text(each.name)}])" for each in contract.inputs)
    return [
        "import numpy, torch",
        "from executorch.runtime import Runtime",
        f'method = Runtime.get().load_program({text(contract.files[0])}).load_method("forward")',
        f"run = lambda inputs: dict(zip({_names(contract)}, (each.numpy() for each in method.execute([{order}]))))",
    ]


def _names(contract: Contract) -> str:
    return f"[{', '.join(text(each.name) for each in contract.outputs)}]"


def _golden(each: ContractInput, lengths: Lengths, step: str | None = None) -> str:
    """Expression for the first golden sample of an input, cut to its length where that is free."""
    first = ["0:1", step] if step else ["0:1"]
    free = {axis: length for (name, axis), length in lengths.items() if name == each.name}
    cuts = [f":{free[axis]}" if axis in free else ":" for axis in range(1, len(each.shape))] if free else []
    return f"numpy.load({text(f'golden/inputs/{each.name}.npy')})[{', '.join([*first, *cuts])}]"


def _initial(each: ContractInput) -> str:
    if each.initial:
        return f"numpy.load({text(each.initial)})"
    return f"numpy.zeros(({numbers(each.shape)},), {text(each.dtype)})"


def _shown(contract: Contract) -> list[str]:
    reported = [each for each in contract.outputs if not each.next]
    scored = next((each for each in reported if each.values in ("logits", "probabilities")), None)
    if scored and contract.labels and contract.task == "classification":
        best = f"answers[{text(scored.name)}].argmax()"
        return [f'print(open("{LABELS}", encoding="utf-8").read().split("\\n")[{best}])']
    return [f"print(answers[{text(reported[0].name)}])"] if reported else []

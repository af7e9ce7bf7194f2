"""The vendors' int8 recipes by hand, and edgekit's files beside them, as slots that the runner loads.

`python -m scripts.benchmark.recipes PROJECT BACKEND EDGES SAMPLES OUT [TARGET …]` writes one folder a file into OUT,
each with `manifest.json` and `inputs/`, and `reference.npy`, what eager torch makes of them. EDGES is `float` (every
file takes what the network takes, float32 NCHW, and preprocesses nothing) or `pixels` (every file takes uint8 NHWC
and preprocesses).
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CALIBRATION = 500
REFERENCE = "reference.npy"


@dataclass(frozen=True)
class Case:
    """A captured network, and what it is calibrated and checked with: tuples of one tensor with batch 1."""

    program: Any
    calibration: list[tuple[Any, ...]]
    checks: list[tuple[Any, ...]]


def main(root: Path, backend: str, edges: str, count: int, out: Path, targets: Sequence[str]) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    case = _case(root, edges == "pixels", count)
    _save_samples(case, out)
    for target in targets:
        _edgekit(case, backend, target, out)
    for name, content in VENDORS[backend](case, out):
        _slot(out / name, backend, content, case, ())


def _case(root: Path, pixels: bool, count: int) -> Case:
    import torch

    from edgekit.frontend.capture import capture
    from edgekit.frontend.load import load
    from edgekit.frontend.preprocess import Deployed
    from edgekit.specs.factory import resolve
    from edgekit.specs.project import Project

    stated = Project.read(root)
    name, spec = next(iter(stated.inputs.items()))
    front = Deployed(torch.nn.Identity(), stated.inputs)
    project = stated if pixels else stated.model_copy(update={"inputs": {name: _plain(spec)}})

    def samples(role: str, limit: int) -> list[tuple[Any, ...]]:
        data = resolve(getattr(stated.data, role).loader, stated.root)()
        picks = range(0, len(data), max(1, len(data) // limit))[:limit]
        raw = [torch.from_numpy(np.array(data[i][0]))[None] for i in picks]
        return [(image,) if pixels else (front(image).contiguous(),) for image in raw]

    with torch.no_grad():
        return Case(capture(load(project)), samples("calibration", CALIBRATION), samples("evaluation", count))


def _plain(spec: Any) -> Any:
    return spec.model_copy(update={"preprocess": None})


def _save_samples(case: Case, out: Path) -> None:
    import torch

    module = case.program.exported.module()
    with torch.no_grad():
        answers = torch.cat([module(*sample) for sample in case.checks]).numpy()
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / REFERENCE, answers)


def _edgekit(case: Case, backend: str, target_name: str, out: Path) -> None:
    from edgekit import plugins
    from edgekit.passes.quantization.quantize import quantize
    from edgekit.specs.catalog import Catalog
    from edgekit.specs.compression import Quantize

    target = Catalog.default().target(target_name)
    runtime, made = target.select_runtime(backend), plugins.load("backends", backend)()
    # As the int8 profiles of the families have it.
    recipe = Quantize(correct_bias=True)
    quantized = quantize(
        case.program, recipe, lambda quantize: made.quantization(quantize, runtime), case.calibration, case.checks[:4]
    )
    programs = {"float32": case.program, "int8": quantized}
    for precision, program in programs.items():
        folder = out / f"edgekit {precision} {target_name}"
        folder.mkdir(parents=True)
        artifact = made.lower(program, target, runtime, folder)
        _slot(folder, backend, artifact.files[0].read_bytes(), case, artifact.options)
        placed = artifact.placement.operators
        (folder / "placement.txt").write_text("\n".join(map(str, placed)))


def _slot(folder: Path, backend: str, content: bytes, case: Case, options: tuple[tuple[str, str], ...]) -> None:
    """A folder that the runner takes for a flashed bundle, and the samples as the file takes them in `inputs/`."""
    import torch

    format = {"executorch": "pte", "onnx": "onnx", "tflite": "tflite"}[backend]
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    (folder / f"model.{format}").write_bytes(content)
    signature = case.program.signature
    edge_in, edge_out = (
        {"name": spec.name, "dtype": spec.dtype, "shape": spec.shape, "affine": None}
        for spec in (signature.inputs[0], signature.outputs[0])
    )
    samples = torch.cat([sample[0] for sample in case.checks]).numpy()
    if backend == "tflite":
        samples = _integer_edges(content, edge_in, edge_out, samples)
    np.save(folder / "inputs" / f"{signature.inputs[0].name}.npy", samples)
    manifest = {
        "format": format,
        "model": [f"model.{format}"],
        "options": options,
        "signature": {"inputs": [edge_in], "outputs": [edge_out]},
        "golden": {"tolerance": 1.0},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _integer_edges(content: bytes, edge_in: dict[str, Any], edge_out: dict[str, Any], samples: Any) -> Any:
    """Some vendors' files take and give int8: what their edges are goes into the signature, the samples as int8."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    for edge, details in ((edge_in, interpreter.get_input_details()), (edge_out, interpreter.get_output_details())):
        scale, zero_point = details[0]["quantization"]
        if details[0]["dtype"] is np.int8:
            edge.update(dtype="int8", affine={"scale": float(scale), "zero_point": int(zero_point)})
    if edge_in["affine"] is None:
        return samples
    steps = np.round(samples / edge_in["affine"]["scale"]) + edge_in["affine"]["zero_point"]
    return np.clip(steps, -128, 127).astype(np.int8)


def _pt2e(case: Case, quantizer: Any, fold: bool) -> Any:
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    prepared = prepare_pt2e(case.program.exported.module(), quantizer)
    with torch.no_grad():
        for sample in case.calibration:
            prepared(*sample)
    return convert_pt2e(prepared, fold_quantize=fold)


def _executorch(case: Case, _: Path) -> Iterator[tuple[str, bytes]]:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.exir import to_edge_transform_and_lower

    def lowered(exported: Any) -> bytes:
        return bytes(to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()]).to_executorch().buffer)

    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    yield "vendor float32", lowered(case.program.exported)
    yield "vendor XNNPACK PT2E", lowered(torch.export.export(_pt2e(case, quantizer, True), case.calibration[0]))


def _onnx(case: Case, out: Path) -> Iterator[tuple[str, bytes]]:
    import torch
    from onnxruntime import quantization as ort
    from onnxruntime.quantization.shape_inference import quant_pre_process

    spec, result = case.program.signature.inputs[0], case.program.signature.outputs[0]
    plain, ready, quantized = (out / f"vendor-{step}.onnx" for step in ("float", "ready", "int8"))
    exported = torch.onnx.export(
        case.program.exported,
        case.calibration[0],
        dynamo=True,
        verbose=False,
        input_names=[spec.name],
        output_names=[result.name],
    )
    assert exported is not None
    exported.save(str(plain))
    yield "vendor float32", plain.read_bytes()
    quant_pre_process(str(plain), str(ready))

    class Reader(ort.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self.rest = iter(case.calibration)

        def get_next(self) -> dict[str, Any] | None:
            sample = next(self.rest, None)
            return None if sample is None else {spec.name: sample[0].numpy()}

    for name, kind in (("int8", ort.QuantType.QInt8), ("uint8", ort.QuantType.QUInt8)):
        ort.quantize_static(
            str(ready),
            str(quantized),
            Reader(),
            quant_format=ort.QuantFormat.QDQ,
            per_channel=True,
            activation_type=kind,
            weight_type=ort.QuantType.QInt8,
            calibrate_method=ort.CalibrationMethod.MinMax,
        )
        yield f"vendor ORT min-max {name}", quantized.read_bytes()


def _tflite(case: Case, out: Path) -> Iterator[tuple[str, bytes]]:
    import litert_torch
    from ai_edge_quantizer import quantizer, recipe
    from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
    from litert_torch.quantize.quant_config import QuantConfig

    example = case.calibration[0]
    plain = out / "vendor-float.tflite"
    litert_torch.convert(case.program.exported.module(), example).export(str(plain))
    yield "vendor float32", plain.read_bytes()
    vendor = PT2EQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    converted = _pt2e(case, vendor, False)
    yield (
        "vendor LiteRT PT2E",
        litert_torch.convert(converted, example, quant_config=QuantConfig(pt2e_quantizer=vendor)).model_content(),
    )
    made = quantizer.Quantizer(str(plain), recipe.static_wi8_ai8())
    samples = {"serving_default": [{"args_0": sample[0].numpy()} for sample in case.calibration]}
    yield "vendor ai-edge-quantizer", bytes(made.quantize(made.calibrate(samples)).quantized_model)


VENDORS = {"executorch": _executorch, "onnx": _onnx, "tflite": _tflite}

if __name__ == "__main__":
    project, kind, shape, number, folder, *boards = sys.argv[1:]
    main(Path(project), kind, shape, int(number), Path(folder), boards)

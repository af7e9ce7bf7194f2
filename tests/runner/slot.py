"""Slots made by hand: one small model in three formats, its golden vectors, and a manifest as plain JSON."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgekit.bundle.signing import SigningKey, write_signature
from edgekit.ir.measurement import Array

KEY = SigningKey.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
MEANT = {
    "target": "some-board",
    "family": "boards",
    "arch": "aarch64",
    "version": 0,
    "floor": 0,
    "format": "onnx",
    "versions": {},
}
FORMATS = ("pte", "onnx", "tflite")
SCALE, ZERO_POINT = 0.25, -3
SIGNATURE: dict[str, Any] = {
    "inputs": [
        {"name": "image", "dtype": "uint8", "shape": [1, 4, 4, 3], "affine": None},
        {"name": "bias", "dtype": "float32", "shape": [1, 5], "affine": None},
    ],
    "outputs": [
        {"name": "scores", "dtype": "float32", "shape": [1, 5], "affine": None},
        {"name": "steps", "dtype": "int8", "shape": [1, 5], "affine": {"scale": SCALE, "zero_point": ZERO_POINT}},
    ],
}
WEIGHTS = (np.random.default_rng(1).standard_normal((48, 5)) / 100).astype(np.float32)

NETWORK = """
import sys
import numpy as np, torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.from_numpy(np.load("weights.npy")))

    def forward(self, image, bias):
        scores = image.float().reshape(1, 48) @ self.weights + bias
        return scores, torch.clamp(torch.floor(scores), -128, 127).to(torch.int8)

torch.set_num_threads(1)
examples = (torch.zeros(1, 4, 4, 3, dtype=torch.uint8), torch.zeros(1, 5))
net = Net().eval()
"""
LOWER = {
    "pte": """
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
program = to_edge_transform_and_lower(torch.export.export(net, examples), partitioner=[XnnpackPartitioner()])
open("model.pte", "wb").write(program.to_executorch().buffer)
""",
    "tflite": """
import litert_torch
litert_torch.convert(net, examples).export("model.tflite")
""",
}


def inputs(count: int, seed: int = 0) -> dict[str, Array]:
    """uint8 pixels and float32 offsets."""
    random = np.random.default_rng(seed)
    return {
        "image": random.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8),
        "bias": random.standard_normal((count, 5)).astype(np.float32),
    }


def expected(given: dict[str, Array]) -> dict[str, Array]:
    """Outputs of the model as it stores them."""
    scores = given["image"].reshape(-1, 48).astype(np.float32) @ WEIGHTS + given["bias"]
    return {"scores": scores, "steps": np.clip(np.floor(scores), -128, 127).astype(np.int8)}


shared: Path | None = None
"""Folder where the processes of one session share the models' files, if there are several."""


@cache
def model(format: str) -> bytes:
    """The model's file. Made once a session, in a process of its own: 6 to 15 s of CPU."""
    if format == "onnx":
        return _onnx()
    if not shared:
        return _lowered(format)
    shared.mkdir(exist_ok=True)
    with (shared / f"{format}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = shared / f"model.{format}"
        if not file.exists():
            part = file.with_suffix(".part")
            part.write_bytes(_lowered(format))
            part.rename(file)
        return file.read_bytes()


def _lowered(format: str) -> bytes:
    """The model's file as its converter makes it."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "weights.npy", WEIGHTS)
        script = NETWORK + LOWER[format]
        subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, capture_output=True, timeout=200)
        return (Path(folder) / f"model.{format}").read_bytes()


def write_slot(folder: Path, format: str = "onnx", weights: bytes | None = None, **changes: Any) -> Path:
    """A slot in `folder`: whole, with `changes` to its manifest."""
    given = inputs(4, seed=7)
    _save(folder / "golden" / "inputs", given)
    _save(folder / "golden" / "outputs", expected(given))
    (folder / f"model.{format}").write_bytes(model(format) if weights is None else weights)
    manifest = {
        "schema": 1,
        "format": format,
        "model": [f"model.{format}"],
        "options": [],
        "signature": SIGNATURE,
        "golden": {"count": 4, "tolerance": 0.05},
        **changes,
    }
    return list_files(folder, manifest)


def list_files(folder: Path, manifest: dict[str, Any]) -> Path:
    """Write the manifest over the files as they are now, and sign it."""
    for name in ("manifest.json", "manifest.sig"):
        (folder / name).unlink(missing_ok=True)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [
        {
            "path": path.relative_to(folder).as_posix(),
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in paths
    ]
    raw = json.dumps({**MEANT, **manifest, "files": files}).encode()
    (folder / "manifest.json").write_bytes(raw)
    (folder / "manifest.sig").write_bytes(write_signature(KEY, raw))
    return folder


def _save(folder: Path, arrays: dict[str, Array]) -> None:
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def _onnx() -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, value: Any, dtype: Any) -> Any:
        return numpy_helper.from_array(np.asarray(value, dtype), name)

    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["float", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["scores"]),
        helper.make_node("Floor", ["scores"], ["floor"]),
        helper.make_node("Clip", ["floor", "low", "high"], ["clipped"]),
        helper.make_node("Cast", ["clipped"], ["steps"], to=TensorProto.INT8),
    ]
    graph = helper.make_graph(
        nodes,
        "model",
        [
            helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 4, 4, 3]),
            helper.make_tensor_value_info("bias", TensorProto.FLOAT, [1, 5]),
        ],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 5]),
            helper.make_tensor_value_info("steps", TensorProto.INT8, [1, 5]),
        ],
        [
            constant("flat", [1, 48], np.int64),
            constant("weights", WEIGHTS, np.float32),
            constant("low", -128, np.float32),
            constant("high", 127, np.float32),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return content

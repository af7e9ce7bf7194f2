"""Readers of data sets, pictures, arrays, and models that are no bundle."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import PIL.Image

from edgekit.datasets.pictures import FORMATS, read_picture
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.measure import user_inputs
from edgekit.measure.device.model_file import open_model_file
from edgekit.samples import load_samples
from edgekit.specs.project import Project
from edgekit.untrusted import npy
from edgekit.untrusted.onnx_header import read_onnx_header
from edgekit.untrusted.torch_file import foreign_code
from scripts.fuzzing.readers.reader import Reader, Readers, valued

SIGNATURE = Signature((TensorSpec("image", "uint8", (1, 2)),), ())
PIXELS = np.arange(6 * 6 * 3, dtype=np.uint8).reshape(6, 6, 3)
ONNX = (
    b'\x08\n:=\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x01gZ\x14\n\x01x\x12\x0f\n\r\x08\x01\x12'
    b"\t\n\x03\x12\x01n\n\x02\x08\x04b\x14\n\x01y\x12\x0f\n\r\x08\x01\x12\t\n\x03\x12\x01n\n\x02\x08\x04B\x04\n\x00\x10\x12"
)
"""A model of one operator, in the fields of onnx.proto."""
PROJECT = """
[model]
factory = "model.py:net"
classes = ["a", "b"]
[inputs.image]
shape = [3, 6, 6]
preprocess = {{ from = "uint8 NHWC" }}
[data]
calibration = {{ path = "{name}", licence = "none", source = "nowhere" }}
evaluation = {{ path = "{name}", licence = "none", source = "nowhere" }}
"""


def readers(folder: Path) -> Readers:
    array, arrays = io.BytesIO(), io.BytesIO()
    np.save(array, np.ones((3, 2), np.float32))
    np.savez_compressed(arrays, image=np.ones((3, 2), np.uint8), labels=np.zeros(3, np.int64))
    columns = io.BytesIO()
    np.savez(columns, image=np.stack([PIXELS] * 4), labels=np.arange(4) % 2)
    models = {
        f"model in {format}": Reader(_described, name=f"model.{format}", one_in=50)
        for format in ("onnx", "tflite", "pte")
    }
    return {
        "array": Reader(valued(npy.read_npy), (array.getvalue(),)),
        "arrays": Reader(lambda path: user_inputs.read_inputs(path, SIGNATURE), (arrays.getvalue(),)),
        "picture": Reader(lambda path: read_picture(path, (6, 6, 3), "it"), tuple(map(_picture, FORMATS))),
        "data set in .npz": Reader(_samples, (columns.getvalue(),), "data.npz"),
        "data set in Parquet": Reader(
            _samples, (_parquet(PIXELS.ravel().tolist()), _parquet(_picture("PNG"))), "data.parquet"
        ),
        "header of ONNX": Reader(valued(read_onnx_header), (ONNX,)),
        "pickle of weights": Reader(valued(foreign_code), (pickle.dumps({"w": OrderedDict(a=[1.5, b"x"])}, 2),)),
        **models,
    }


def _picture(format: str) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(file, format)
    return file.getvalue()


def _parquet(cell: object) -> bytes:
    import pyarrow
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"image": [cell] * 4, "label": [0, 1, 0, 1]}), file)
    return file.getvalue()


def _samples(path: Path) -> object:
    (path.parent / "edgekit.toml").write_text(PROJECT.format(name=path.name))
    project = Project.read(path.parent)
    return load_samples(project, "calibration"), load_samples(project, "evaluation", 2)


def _described(path: Path) -> object:
    with open_model_file(path) as bare:
        return bare.signature

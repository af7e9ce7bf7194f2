"""Bundles of small models in every format, and what an exported folder says and does."""

from __future__ import annotations

import contextlib
import io
import os
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.manifest import ManifestContent, schema_of
from edgekit.bundle.manifest_records import Golden
from edgekit.ir.measurement import Array
from edgekit.ir.signature import Affine, Signature, TensorSpec
from scripts.fuzzing.readers.bundles import DESCRIPTION
from tests.runner import slot

Packed = Callable[..., Bundle]
LABELS = ("Käse", "Brot 🥖", 'a "quoted"', "\u202eright to left", "two\nlines")
"""Names of classes that each want care in some form."""
EDGES = Signature(
    inputs=(TensorSpec("image", "uint8", (1, 4, 4, 3)), TensorSpec("bias", "float32", (1, 5))),
    outputs=(
        TensorSpec("scores", "float32", (1, 5)),
        TensorSpec("steps", "int8", (1, 5), Affine(slot.SCALE, slot.ZERO_POINT)),
    ),
)


def named_model(format: str) -> bytes:
    """The model of `tests.runner.slot`, with the names that a build gives a .tflite."""
    content = slot.model(format)
    if format != "tflite":
        return content
    from edgekit.backends.tflite.flatbuffer_names import with_names

    return bytes(with_names(content, EDGES))


@pytest.fixture
def packed(tmp_path: Path) -> Packed:
    """Pack a model; by default that of `tests.runner.slot`. `golden`: arrays by path below `golden/`."""

    def call(
        format: str = "onnx",
        content: bytes | None = None,
        signature: Signature = EDGES,
        golden: Mapping[str, Array] | None = None,
        **changes: Any,
    ) -> Bundle:
        if golden is None:
            given = slot.inputs(4, seed=7)
            answers = slot.expected(given)
            golden = {f"inputs/{name}": array for name, array in given.items()}
            golden |= {f"outputs/{name}": array for name, array in answers.items()}
        files = {f"golden/{path}.npy": npy(array) for path, array in golden.items()}
        files[f"model.{format}"] = named_model(format) if content is None else content
        count = len(next(iter(golden.values())))
        description = DESCRIPTION.model_copy(
            update={
                "schema_version": schema_of(signature),
                "format": format,
                "backend": {"pte": "executorch"}.get(format, format),
                "model": (f"model.{format}",),
                "options": (),
                "classes": LABELS,
                "signature": signature,
                "golden": Golden(count=count, tolerance=0.05),
                **changes,
            }
        )
        content_of = ManifestContent.model_validate(description.model_dump(by_alias=True))
        return pack(content_of, files, slot.KEY, tmp_path / f"{format}.edgekit")

    return call


def npy(array: Array) -> bytes:
    """Array as a `.npy` file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def blocks(folder: Path, language: str) -> list[str]:
    """Programs of a README in one language."""
    return re.findall(rf"```{language}\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)


def run_python(folder: Path) -> dict[str, Any]:
    """Variables that the programs in Python of a README leave, run in its folder, and what they print as `printed`."""
    scope: dict[str, Any] = {}
    before, printed = Path.cwd(), io.StringIO()
    os.chdir(folder)
    try:
        # A program is run as a user runs it, without the tests' rule that warnings of packages are errors.
        with contextlib.redirect_stdout(printed), warnings.catch_warnings(action="ignore"):
            for code in blocks(folder, "python"):
                exec(code, scope)
    finally:
        os.chdir(before)
    return scope | {"printed": printed.getvalue()}

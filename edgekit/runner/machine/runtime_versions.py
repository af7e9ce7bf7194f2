"""Runtimes that are installed on this device, and their versions."""

from __future__ import annotations

import re
import sys
from pathlib import Path

NATIVE = Path(sys.prefix) / "lib" / "libedgekit_executorch.so"
"""Library of a runtime pack that runs ExecuTorch programs without torch."""
# By format, in order of preference: the distributions that run it, and what else each needs.
DISTRIBUTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "pte": {"executorch": () if NATIVE.is_file() else ("torch",)},
    "onnx": {"onnxruntime": ()},
    "tflite": {"ai-edge-litert": (), "tflite-runtime": ()},
}
ONNX_GPU, TENSORRT = "onnxruntime-gpu", "tensorrt"
"""Distributions that only the maker of a board with an NVIDIA GPU brings: NVIDIA's onnxruntime, TensorRT's module."""


def installed() -> dict[str, str | None]:
    """Name and version of the runtime that would run each format here; None where there is none."""
    return {format: label_of(format) for format in DISTRIBUTIONS}


def label_of(format: str) -> str | None:
    """Name and version of the first distribution installed here that runs `format`; None if there is none."""
    theirs = DISTRIBUTIONS[format]
    if format == "onnx":
        theirs = {ONNX_GPU: (), **theirs, TENSORRT: ()}
    for distribution, needs in theirs.items():
        versions = [version_of(name) for name in (distribution, *needs)]
        if all(versions):
            return f"{distribution} {versions[0]}"
    return None


def version_of(distribution: str) -> str | None:
    """Version of a distribution that this Python has; None if it has none.

    Read off the name of its `.dist-info` folder: to read the metadata in there takes as long as a small model.
    """
    # PEP 427 and PEP 503: runs of - _ . are one and the same, and no version has a dash.
    plain = re.sub("[-_.]+", "_", distribution)
    for folder in filter(None, sys.path):
        versions = [path.name for path in Path(folder).glob(f"{plain}-*.dist-info")]
        if versions:
            return versions[0][len(plain) + 1 : -len(".dist-info")]
    return _version_by_metadata(distribution)


def public_version(version: str | None) -> str:
    """Drop the local label of a version (PEP 440): 2.13.0 of 2.13.0+cpu. Empty for None."""
    return (version or "").partition("+")[0]


def _version_by_metadata(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None

"""Stand-ins for NVIDIA's programs: what they print and write is theirs in form, and nothing is computed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

TRTEXEC = """#!{python}
import json, os, pathlib, subprocess, sys, time
print("&&&& RUNNING TensorRT.trtexec [TensorRT v{version}] # trtexec", flush=True)
if sys.argv[1:] == ["--help"]:
    print("=== Help ===")
    sys.exit(0)
with open("{log}", "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
given = dict(argument.partition("=")[::2] for argument in sys.argv[1:])
assert pathlib.Path(given["--onnx"]).is_file()
{body}
pathlib.Path(given["--saveEngine"]).write_bytes(b"engine of {version}")
print("&&&& PASSED TensorRT.trtexec", flush=True)
"""
SMI = """#!{python}
print("{gpu}")
"""
PLAN: dict[str, Any] = {
    "schema": 1,
    "providers": ["tensorrt", "cuda", "cpu"],
    "fp16": False,
    "int8": True,
    "sparsity": True,
    "workspace_mb": 1024,
    "inputs": [],
    "tensorrt": {"least": "8.5", "below": "11"},
    "trtexec": ["--onnx={model}", "--saveEngine={engine}", "--memPoolSize=workspace:1024", "--int8"],
}


def put_trtexec(folder: Path, version: str = "8601", body: str = "") -> Path:
    """A `trtexec` in `folder`, which comes to be on PATH; the log of its builds, a JSON array of arguments a line."""
    log = folder / "trtexec.log"
    _program(folder / "trtexec", TRTEXEC.format(python=sys.executable, version=version, log=log, body=body))
    return log


def put_gpu(folder: Path, gpu: str = "Orin") -> None:
    """An `nvidia-smi` that knows one GPU."""
    _program(folder / "nvidia-smi", SMI.format(python=sys.executable, gpu=gpu))


def gpu_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new folder on PATH, with a GPU and no TensorRT in it."""
    folder.mkdir()
    put_gpu(folder)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def builds(log: Path) -> list[list[str]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def _program(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)

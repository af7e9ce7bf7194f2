"""Build the TensorRT engine of a slot's model on the device, once; without TensorRT, report why there is none."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunnerError
from ..files.durable import sync, sync_one
from ..machine.command import command_output
from ..machine.runtime_versions import ONNX_GPU, installed
from ..machine.sysfs import text
from ..model.engine_store import BUILT, ENGINE, folder_for, parts_of, sweep
from ..model.manifest import read_manifest
from ..runtimes import trtexec
from ..runtimes.base import load
from ..runtimes.select_runtime import open_runtime

if TYPE_CHECKING:
    from ..model.engine_plan import EnginePlan
    from ..model.engine_store import Parts
    from ..model.manifest import RunnerManifest

PARTIAL = ".partial"


def engine(slot: Path, limit_s: float) -> dict[str, Any]:
    """Build the engine of the slot's model unless it is there, and remove those that no slot needs.

    limit_s: time limit of trtexec in seconds. Answers `engine`, its folder or null; `built`, true if it was built just
    now; `seconds`; `tensorrt` and `gpu` of this device; `why` there is no engine. Raises RunnerError (data) if the
    slot's manifest or plan cannot be read.
    """
    started = time.monotonic()
    manifest = read_manifest(slot)
    here, why = _find_gpu_and_tensorrt(manifest.plan)
    folder, built = None, False
    if why is None:
        sweep(slot, here)
        folder = folder_for(slot, here)
        if not (folder / BUILT).is_file():
            why = _build(manifest, slot, folder, here, limit_s)
            built = why is None
    return {
        "engine": str(folder) if folder and why is None else None,
        "built": built,
        "seconds": time.monotonic() - started,
        "tensorrt": here.get("tensorrt"),
        "gpu": here.get("gpu"),
        "why": why,
    }


def gpu() -> str | None:
    """Name of the GPU: on a Jetson the board's, else that of the first GPU by nvidia-smi; None without one."""
    tree = Path("/proc/device-tree")
    if "nvidia,tegra" in (text(tree / "compatible") or ""):
        return (text(tree / "model") or "Jetson").strip("\0 \n")
    return command_output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader", lines=1).strip() or None


def _find_gpu_and_tensorrt(plan: EnginePlan | None) -> tuple[Parts, str | None]:
    """Find GPU and TensorRT of this device, and the reason why they build no engine, or None."""
    if plan is None:
        return {}, "the bundle has no engine plan"
    name = gpu()
    if name is None:
        return {}, "there is no NVIDIA GPU"
    if _has_gpu_build():
        return {"gpu": name, "tensorrt": str(installed()["onnx"])}, None
    program = trtexec.find()
    if program is None:
        return {"gpu": name}, f"there is no TensorRT: neither {ONNX_GPU} nor trtexec"
    version = trtexec.version(program)
    if version is None:
        return {"gpu": name}, f"'{program}' does not say which TensorRT it is of"
    here = {"gpu": name, "tensorrt": ".".join(map(str, version))}
    return here, None if plan.takes(version) else f"the bundle's plan is not for TensorRT {here['tensorrt']}"


def _has_gpu_build() -> bool:
    """Tell whether NVIDIA's onnxruntime is here: it builds engines of its own, of parts of a model too."""
    return (installed()["onnx"] or "").startswith(ONNX_GPU)


def _build(manifest: RunnerManifest, slot: Path, folder: Path, here: Parts, limit_s: float) -> str | None:
    """Build the engine beside `folder`, then move it there. Returns the reason of a failure, or None."""
    partial = folder.with_name(folder.name + PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        why = _by_onnxruntime(manifest, partial) if _has_gpu_build() else _by_trtexec(manifest, partial, limit_s)
        if why:
            return why
        (partial / BUILT).write_text(json.dumps({**parts_of(slot), **here}, sort_keys=True), "utf-8")
        sync(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
        sync_one(folder.parent)
        return None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _by_trtexec(manifest: RunnerManifest, folder: Path, limit_s: float) -> str | None:
    program, plan = trtexec.find(), manifest.plan
    assert program is not None
    assert plan is not None
    paths = {"{model}": str(manifest.model), "{engine}": str(folder / ENGINE)}
    line = [argument.partition("=") for argument in plan.trtexec]
    argv = [f"{name}{sign}{paths.get(value, value)}" for name, sign, value in line]
    code, output = trtexec.run([program, *argv], limit_s)
    if code < 0:
        return f"trtexec was ended by signal {-code}, its limit is {limit_s:g} s"
    # It has been seen to give up with exit 0: the file is the proof.
    if code or not (folder / ENGINE).is_file() or not (folder / ENGINE).stat().st_size:
        return f"trtexec built no engine, exit {code}: {_last_lines(output)}"
    return None


def _by_onnxruntime(manifest: RunnerManifest, folder: Path) -> str | None:
    _, runtime = open_runtime(manifest.format)
    try:
        load(runtime, manifest._replace(engine=folder), 1)
    except RunnerError as error:
        return str(error)
    return None if runtime.provider == "tensorrt" else f"{ONNX_GPU} cannot use TensorRT here"


def _last_lines(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "it said nothing"

"""Readers that run on a device, of what lies there and what comes to it; and of what a board and its shell say."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

from edgekit.bundle.archive import pack
from edgekit.bundle.signing import write_signature
from edgekit.devices.survey import survey
from edgekit.devices.transport import Completed
from edgekit.ir.measurement import Array
from edgekit.runner.errors import RunnerError
from edgekit.runner.files import onnx_files
from edgekit.runner.layout import MANIFEST, SIGNATURE
from edgekit.runner.machine import android, jetson, linux, raspberry_pi
from edgekit.runner.model import engine_store, io_signature
from edgekit.runner.model.engine_plan import read_plan
from edgekit.runner.model.manifest import ModelTensor, read_manifest
from edgekit.runner.model.tensors import read_columns
from edgekit.runner.runtimes import trace, trtexec
from edgekit.runner.runtimes.executorch_trace import ExecuTorchTrace
from edgekit.runner.runtimes.onnx_trace import OnnxTrace
from edgekit.runner.slots import unpack
from edgekit.runner.slots.lifecycle import begin_trial, commit, status
from edgekit.runner.slots.repair import repair
from edgekit.runner.slots.stage import stage
from edgekit.runner.slots.trust import Trust
from edgekit.runner.slots.verify import allowed
from scripts.fuzzing.corpus import Corpus
from scripts.fuzzing.readers.bundles import DESCRIPTION, FILES
from scripts.fuzzing.readers.keys import KEY
from scripts.fuzzing.readers.reader import Reader, Readers, on_device, text_of, valued

PLAN = {
    "providers": ["tensorrt", "cuda", "cpu"],
    "fp16": True,
    "int8": True,
    "sparsity": False,
    "workspace_mb": 1024,
    "trtexec": ["--onnx={model}", "--saveEngine={engine}", "--memPoolSize=workspace:1024", "--fp16", "--int8"],
    "tensorrt": {"least": "8.6", "below": "11.0"},
}
IMAGE = ModelTensor("file", "uint8", (1, 2, 2, 3), None, 0)
SAID = (
    b"machine aarch64\nFilesystem 1024-blocks Used Available Capacity Mounted on\n/dev/root 9 1 8 11% /\n"
    b'memory 4000000 kB\nslot {"files":[{"path":"model.onnx","sha256":"00"}]}\nslot \n'
)
TEXTS = (
    b"throttled=0x50005\n",
    b"temp=42.8'C\n",
    b"NV Power Mode: MAXN\n0\n",
    b"RAM 1/2MB cpu@46.41C CV0@-256C\n",
    b"Thermal Status: 1\nCurrent temperatures from HAL:\n\tTemperature{mValue=42.0, mType=0, mName=cpu, mStatus=0}\n",
    b"  level: 80\n  scale: 100\n  status: 3\n",
    b"&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # x\n",
    b"MemAvailable:   1000 kB\n",
    b"0.20 0.18 0.12 1/80 11206\n",
)


def readers(folder: Path) -> Readers:
    root = _device(folder)
    raw = (root / "a" / MANIFEST).read_bytes()
    plan, built = json.dumps(PLAN).encode(), json.dumps({"model": "0", "plan": "1", "gpu": "x"}).encode()
    return {
        **{
            name: Reader(on_device(partial(_asked, root, place)), ((root / place).read_bytes(),))
            for name, place in (
                ("state of a device", "state.json"),
                ("trust of a device", "trust.json"),
                ("manifest in a slot", f"a/{MANIFEST}"),
                ("signature in a slot", f"a/{SIGNATURE}"),
            )
        },
        "lease of a device": Reader(on_device(partial(_asked, root, "lease.json")), (LEASE,)),
        "manifest that comes": Reader(on_device(_listing), (raw,)),
        "manifest that is run": Reader(on_device(lambda path: read_manifest(path.parent)), (raw,), MANIFEST),
        "engine plan": Reader(on_device(lambda path: read_plan(path.parent)), (plan,), "engine.json"),
        "engine that was built": Reader(on_device(partial(_engine, root)), (built,)),
        "archive of a flash": Reader(on_device(_unpacked), (_tar(),)),
        "samples on a device": Reader(
            on_device(lambda path: read_columns(path.parent, [IMAGE])), (FILES["golden/inputs/image.npy"],), "file.npy"
        ),
        "trace of ExecuTorch": Reader(on_device(_traced_program)),
        "trace of onnxruntime": Reader(on_device(_traced_session)),
        "program of ExecuTorch": Reader(on_device(io_signature.of_pte)),
        "tensors of ONNX": Reader(valued(lambda path: onnx_files.external_files(memoryview(path.read_bytes())))),
        "words of a board": Reader(_words, TEXTS),
        "words of a shell": Reader(lambda path: survey(Shell(text_of(path))), (SAID,)),  # type: ignore[arg-type]
    }


LEASE = json.dumps(
    {"token": "t", "who": "somebody", "ttl_s": 60.0, "ends": {"boot": "", "until": 1.0, "wall": "1970-01-01T00:00:01Z"}}
).encode()


class Shell:
    """A device whose shell says one thing, whatever it is asked."""

    root = PurePosixPath("/opt/edgekit")

    def __init__(self, text: str) -> None:
        self._said = text

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        return Completed(tuple(argv), self._said, "", 0)


def _device(folder: Path) -> Path:
    """The root of a device that serves a bundle."""
    root, staging = folder / "board", folder / "board" / "staging" / "bundle"
    bundle = pack(DESCRIPTION, FILES, KEY, folder / "board.edgekit")
    bundle.extract(staging)
    stage(root, staging, bundle.digest, offered=[KEY.public.raw], stand_in=True)
    begin_trial(root, bundle.digest)
    commit(root, bundle.digest)
    return root


def _asked(root: Path, place: str, path: Path) -> object:
    """A device on which a file was changed: it says what it holds, and is repaired if it can be."""
    changed = path.with_name("device")
    shutil.rmtree(changed, ignore_errors=True)
    shutil.copytree(root, changed, symlinks=True)
    (changed / place).write_bytes(path.read_bytes())
    text = _status(changed)
    repair(changed)
    return text, _status(changed)


def _status(root: Path) -> str:
    try:
        return json.dumps(status(root), allow_nan=False)
    except RunnerError as error:
        raise AssertionError("a device does not say what it holds") from error


def _listing(path: Path) -> object:
    """The manifest that a trusted key signed, whatever it says, as it comes to a device."""
    raw = path.read_bytes()
    staging = path.with_name("incoming")
    staging.mkdir(exist_ok=True)
    (staging / MANIFEST).write_bytes(raw)
    (staging / SIGNATURE).write_bytes(write_signature(KEY, raw))
    return allowed(staging, hashlib.sha256(raw).hexdigest(), Trust(), [KEY.public.raw], stand_in=True)


def _engine(root: Path, path: Path) -> object:
    place = root / "engines" / "key" / "built.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(path.read_bytes())
    return engine_store.engine_of(root / "a")


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def _unpacked(path: Path) -> None:
    staging = path.with_name("unpacked")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    files = {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in FILES.items()}
    unpack.unpack(path, staging, SimpleNamespace(files=files))  # type: ignore[arg-type]


def _traced_program(path: Path) -> object:
    program = path.with_name("program.pte")
    program.write_bytes(Corpus().files("program of ExecuTorch")["honest.pte"])
    return trace.read(ExecuTorchTrace(_unused, partial(_copy, path), program, path.parent))


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _traced_session(path: Path) -> object:
    session = SimpleNamespace(end_profiling=lambda: str(path))
    return trace.read(OnnxTrace(_unused, session))


def _unused(inputs: Sequence[Array]) -> list[Array]:
    raise AssertionError("a trace is read without its model")


def _words(path: Path) -> object:
    text = text_of(path)
    heat = android.temperatures(text), android.throttled(text), android.battery(text), android.screen_on(text)
    modes = jetson.named_mode(text, text), jetson.queried_mode(text), jetson.temperatures(text)
    return (
        heat,
        modes,
        raspberry_pi.flags(text),
        raspberry_pi.temperature_c(text),
        trtexec.parsed_version(text),
        (
            linux.load_1m(text),
            linux.available_bytes(text),
        ),
    )

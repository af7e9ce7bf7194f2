"""A device that lies: answers of the runner, and files that it leaves, changed from honest ones."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any, ClassVar

import numpy as np

from edgekit.bundle.archive import Bundle
from edgekit.bundle.manifest import Manifest, ManifestContent
from edgekit.bundle.manifest_records import BundleFile
from edgekit.cli.measurement_table import as_json, as_rows
from edgekit.devices.flash import Installation, commit, flash, manifest_of, serving, status, trust
from edgekit.devices.local import Local
from edgekit.devices.process import KEPT_BYTES
from edgekit.devices.repair import repair
from edgekit.devices.runner_client import Runner
from edgekit.devices.runner_install import SUMS
from edgekit.devices.transport import Completed
from edgekit.ir.measurement import Array, Measurement
from edgekit.measure.device.installed_bundle import Installed
from edgekit.measure.device.operators import chrome_trace, operators
from edgekit.pipeline.probe import Probed
from edgekit.samples import Samples
from edgekit.specs.profile import Probe
from scripts.fuzzing.mutation import bytes_changed, changed
from scripts.fuzzing.outcome import Folder, Tally
from scripts.fuzzing.readers.bundles import DESCRIPTION

COUNT, TIMED = 3, 20
LIMIT_S = 20.0
SAMPLES = Samples({"image": np.zeros((COUNT, 2, 2), np.uint8)}, np.zeros(COUNT, np.int64))
SPEC = {"dtype": "float32", "affine": None}
MANIFEST = {
    "signature": {
        "inputs": [{"name": "image", "dtype": "uint8", "shape": [1, 2, 2], "affine": None}],
        "outputs": [{"name": "scores", "shape": [1, 5], **SPEC}, {"name": "boxes", "shape": [1, 2, 4], **SPEC}],
    }
}
INFO = {
    "machine": "aarch64",
    "system": "Linux 6.12",
    "cpu": "Cortex-A76",
    "cores": 4,
    "ram_bytes": 8 << 30,
    "python": "3.11.2",
    "runtimes": {"onnx": "onnxruntime 1.31.1", "tflite": None, "pte": None},
}
LOADED = {
    "load_ns": 10**7,
    "first_ns": 10**6,
    "peak_rss_bytes": 10**8,
    "empty_rss_bytes": 10**7,
    "model_sha256": "0" * 64,
    "runtime": "onnxruntime 1.31.1",
    "provider": None,
    "planned_provider": None,
    "threads": 1,
    "count": COUNT,
    "info": INFO,
}
CONDITIONS = {
    "clock_mhz": {"policy0": 2400.0},
    "limit_mhz": {"policy0": 2400.0},
    "governor": {"policy0": "performance"},
    "temperature_c": {"cpu": 50.0},
    "throttled": [],
    "throttle_events": 0,
    "load_1m": 0.1,
}
LATENCY = {
    **LOADED,
    "count": TIMED,
    "warm_up_count": 8,
    "warm_up_ns": 10**7,
    "steady": True,
    "before": CONDITIONS,
    "after": CONDITIONS,
    "watched": [],
    "cooled": None,
    "around": {"before_ns": 1000, "after_ns": 1000},
    "energy": {"joules": 1.0, "seconds": 2.0, "method": "rails", "uncertainty": 0.1, "idle_watts": 1.0},
}
TRACED_ONE = {"kind": "Conv", "name": "conv", "delegate": "xnnpack"}
TRACED = {**LOADED, "count": TIMED, "format": "onnx", "note": "", "operators": [TRACED_ONE, TRACED_ONE]}
TRUSTED = {"keys": [{"id": "ab", "public_hex": "00"}], "revoked": [], "threshold": 1, "target": None, "floor": 0}
SLOT = {
    "path": "/opt/edgekit/slots/a",
    "state": "committed",
    "digest": "0" * 64,
    "whole": True,
    "version": 1,
    "signers": ["ab"],
    "until_s": None,
}
EVENT = {
    "digest": "0" * 64,
    "name": "digits",
    "when": "2026-01-01",
    "verdict": "committed",
    "version": 1,
    "signers": [],
    "detail": None,
}
STATUS = {"current": "a", "slots": {"a": SLOT, "b": SLOT}, "history": [EVENT], "trust": TRUSTED, "lease": None}
FILE = {"path": "model.onnx", "sha256": "0" * 64, "bytes": 2}
NAMES = ("../escape", "../../beside/file", "/beside/file", "a/b", "", "x" * 300)
DONE = {"changed": True}
MOVED = {"slot": "/slots/b", "state": "staged", "digest": "0" * 64, "current": "a", "changed": True, "pinned": ["ab"]}
BEGUN: dict[str, Any] = {
    "slot": None,
    "state": None,
    "missing": [],
    "digest": "0" * 64,
    "current": "a",
    "changed": True,
}
TESTED = {
    "passed": True,
    "outputs": {"scores": {"worst": 0.0, "allowed": 1.0}},
    "provider": None,
    "planned_provider": None,
}
REPAIRED = {"changed": True, "current": "a", "assumed": ["slot 'a' is served"]}
SUMMED = f"{'0' * 64}  runner.pyz\n{'0' * 64}\n".encode()
SURVEYED = f"machine aarch64\nmemory 4000000 kB\nslot {json.dumps({'files': [FILE]})}\nslot \n".encode()
SURVEYED += f"pack {'0' * 16}\nprogram\n".encode() + SUMMED
VERSIONS = [[3, 11], {"numpy": "2.0.0", "onnxruntime": "1.31.1"}]


class Liar(Local):
    """This machine's folder as a device whose Python says what `random` has it say."""

    random: ClassVar[Random] = Random(0)
    lies: ClassVar[float] = 0.7

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if argv[0] == "rm":
            shutil.rmtree(argv[-1], ignore_errors=True)
        if argv[0] in ("rm", "test", "mkdir"):
            return Completed(tuple(argv), "", "", 0)
        answer = self._shell(argv[2]) if argv[0] == "sh" else self._said(list(argv[2:]))
        code = self.random.choice((0, 0, 0, 1, -9, 255))
        stderr = bytes_changed(b"Traceback\n  line\nValueError: x\n", self.random) if code else b""
        stdout, words = (text.decode("utf-8", "replace") for text in (answer[-KEPT_BYTES:], stderr))
        return Completed(tuple(argv), stdout + "\n", words, code)

    def _shell(self, script: str) -> bytes:
        """Answer of a shell there: the sums of the runner's program, or the survey of the device."""
        answer = SUMMED if script == SUMS else SURVEYED
        return bytes_changed(answer, self.random) if self.random.random() < self.lies / 2 else answer

    def _said(self, argv: list[str]) -> bytes:
        verb = " ".join(argv[:2] if argv[:1] == ["slots"] else argv[:1])
        out = Path(argv[argv.index("--out") + 1]) if "--out" in argv else Path(self.root / "out")
        answer = self._answer(verb, out)
        return changed(answer, self.random) if self.random.random() < self.lies else json.dumps(answer).encode()

    def _answer(self, verb: str, out: Path) -> Any:
        match verb:
            case "accuracy":
                return {**LOADED, "outputs": self._outputs(out), "answered_ns": 10**6}
            case "latency":
                self._leave(out / "latency_ns.npy", np.full(TIMED, 10**6, np.int64))
                return LATENCY
            case "operators":
                self._leave(out / "whole_ns.npy", np.full(TIMED, 10**6, np.int64))
                self._leave(out / "operator_ns.npy", np.full((TIMED, 2), 10**5, np.int64))
                return TRACED
            case "slots status":
                return STATUS
            case "slots trust":
                return TRUSTED
            case "info":
                return INFO
            case "slots begin":
                return BEGUN
            case "slots install":
                return {**BEGUN, **MOVED, "selftest": TESTED}
            case "slots commit" | "slots rollback":
                return MOVED
            case "slots repair":
                return REPAIRED
            case "slots abort" | "compile":
                return DONE
            case "selftest":
                return TESTED
        return VERSIONS

    def _outputs(self, out: Path) -> dict[str, str]:
        shapes = {"scores": (COUNT, 5), "boxes": (COUNT, 2, 4)}
        names = {name: name for name in shapes}
        if self.random.random() < 0.2:
            names["scores"] = self.random.choice(NAMES)
        return {
            answer: self._leave(out / f"{name}.npy", np.ones(shapes[name], np.float32))
            for name, answer in names.items()
        }

    def _leave(self, path: Path, array: Array) -> str:
        """The file, or another in its place; its digest."""
        file = io.BytesIO()
        np.save(file, array)
        content = file.getvalue()
        match self.random.randrange(12) if self.random.random() < self.lies else -1:
            case 0:
                content = bytes_changed(content, self.random)
            case 1:
                content = content[: content.index(b"(")] + b"(3, 400000000000), }".ljust(60) + b"\n" + content[-60:]
            case 2:
                content = saved(np.full(array.shape, self.random.choice((np.nan, np.inf, -1e38)), np.float32))
            case 3:
                content = saved(array.astype(self.random.choice(("f8", "i4", "c16", ">f4", "S4"))))
            case 4:
                content = saved(array[..., None] if self.random.random() < 0.5 else array[:1])
            case 5:
                content = saved(-array)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if self.random.random() < 0.02:
            with path.open("r+b") as opened:
                opened.truncate(1 << 40)  # a hole: the disk has nothing of it
        return hashlib.sha256(content).hexdigest() if self.random.random() < 0.95 else "0" * 64


class Cargo(Bundle):
    """A bundle of two files, each of which reads as an empty object; nothing of it was signed."""

    @property
    def digest(self) -> str:
        return "0" * 64

    def read(self, name: str) -> bytes:
        return b"{}"


def _cargo() -> Cargo:
    content = {
        "target": "board",
        "family": "boards",
        "versions": {"onnxruntime": "1.31.1"},
        "files": (BundleFile(**FILE), BundleFile(path="golden/x.npy", sha256="1" * 64, bytes=2)),
    }
    described = {name: getattr(DESCRIPTION, name) for name in ManifestContent.model_fields}
    return Cargo(Path("cargo"), Manifest.model_construct(**described | content), "", (), {}, {})


def _shown(measured: Measurement) -> None:
    """Show a measurement like `edgekit probe`."""
    as_rows(Probed(measured, None))
    json.dumps(as_json(Probed(measured, None)), allow_nan=False)


def saved(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def devices(count: int, seed: int, folder: Folder) -> Tally:
    """So many answers of a hostile device to what edgekit asks of one."""
    tally = Tally(LIMIT_S)
    root = folder.theirs / "device"
    for i in range(count):
        random = Random(f"device {seed} {i}")
        Liar.random, Liar.lies = random, 0.0 if i == 0 else 0.7
        shutil.rmtree(root, ignore_errors=True)
        slot = root / "slots" / "a"
        slot.mkdir(parents=True)
        written = json.dumps(MANIFEST).encode()
        honest = random.random() < 0.9 or i == 0
        (slot / "manifest.json").write_bytes(written if honest else changed(MANIFEST, random))
        device = Liar(f"local://{root}")
        runner = Runner(device, ("python",), PurePosixPath(root / "runner.pyz"))
        digest = hashlib.sha256((slot / "manifest.json").read_bytes()).hexdigest()
        installation = Installation(runner, PurePosixPath(slot), digest, committed=True)
        tally.note(f"device {i}", _question(i, device, installation, random), folder)
    return tally


def _question(i: int, device: Liar, installation: Installation, random: Random) -> Callable[[], object]:
    probe = Probe(min_count=TIMED, min_duration_s=0, processes=random.choice((1, 2)))
    questions: list[Callable[[], object]] = [
        lambda: Installed(installation).measure(SAMPLES, None),
        lambda: _shown(Installed(installation).measure(SAMPLES, probe)),
        lambda: chrome_trace(operators(installation, SAMPLES, count=TIMED)),
        lambda: status(device),
        lambda: trust(device, threshold=1),
        lambda: repair(device),
        lambda: manifest_of(serving(device)),
        lambda: commit(flash(_cargo(), device, "system")),
    ]
    return questions[0] if i == 0 else random.choice(questions)

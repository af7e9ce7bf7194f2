"""A device's folder that serves small models, and the server of it, as a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bundle.signing import write_signature
from edgekit.ir.measurement import Array
from edgekit.runner.slots import lifecycle, state
from edgekit.runner.slots import stage as stage_step
from tests.runner import slot
from tests.runner.conftest import Bare

WAIT_S = 100.0


def commit(
    root: Path,
    scale: float = 1.0,
    weights: bytes | None = None,
    before: Callable[[str], None] | None = None,
    python: list[str] | None = None,
    bins: bytes | None = None,
    **changes: Any,
) -> str:
    """Commit the small model with its weights times `scale`; its digest. `before` is told it before it is served.

    python: command line by which its state says that it is served; that of this process by default.
    bins: content of its `monitor.json`; without one for None.
    """
    made = root.parent / "made"
    made.mkdir(parents=True)
    if bins:
        (made / "monitor.json").write_bytes(bins)
    scaled = slot.model("onnx").replace(slot.WEIGHTS.tobytes(), (slot.WEIGHTS * np.float32(scale)).tobytes())
    slot.write_slot(made, weights=scaled if weights is None else weights, **{"name": "small", **changes})
    raw = (made / "manifest.json").read_bytes()
    (made / "manifest.sig").write_bytes(write_signature(slot.KEY, raw))
    digest = hashlib.sha256(raw).hexdigest()
    staging = root / "staging" / digest
    staging.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made, staging)
    offered = [slot.KEY.public.raw]
    stage_step.prepare(root, digest, offered=offered, stand_in=True)
    stage_step.stage(root, staging, digest, offered=offered, stand_in=True)
    if before:
        before(digest)
    lifecycle.begin_trial(root, digest)
    if python:
        entries = state.read(root)
        slot_name = next(name for name, entry in entries["slots"].items() if entry["digest"] == digest)
        state.write(root, state.changed(entries, slot_name, python=python))
    lifecycle.commit(root)
    return digest


def answer_of(given: dict[str, Array], scale: float = 1.0) -> Array:
    """Scores of the small model with its weights times `scale`."""
    flat = given["image"].reshape(-1, 48).astype(np.float32)
    scores: Array = flat @ (slot.WEIGHTS * np.float32(scale)) + given["bias"]
    return scores


@dataclass
class Reply:
    status: int
    document: dict[str, Any]
    tensors: dict[str, Array]


@dataclass
class RunningServer:
    process: subprocess.Popen[str]
    root: Path
    path: Path
    log: Path

    @property
    def port(self) -> int:
        addresses = json.loads((self.root / "serve.json").read_text())["addresses"]
        return int(addresses[0].rpartition(":")[2])

    def connect(self, timeout: float = WAIT_S) -> http.client.HTTPConnection:
        """A connection over its Unix socket."""
        connection = http.client.HTTPConnection("device", timeout=timeout)
        connection.sock = self.raw(timeout)
        return connection

    def raw(self, timeout: float = WAIT_S) -> socket.socket:
        opened = socket.socket(socket.AF_UNIX)
        try:
            # Without a time limit yet: with one, the system refuses where others wait to be accepted.
            opened.connect(str(self.path))
        except OSError:
            opened.close()
            raise
        opened.settimeout(timeout)
        return opened

    def get(self, path: str) -> Reply:
        with contextlib.closing(self.connect()) as connection:
            return asked(connection, "GET", path)

    def wait_ready(self, ready: bool = True) -> None:
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(OSError):
                if (self.get("/v2/health/ready").status == 200) is ready:
                    return
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children]

    def version(self) -> str | None:
        """Version of the model that answers now; None if none does."""
        reply = self.get("/v2/models/small")
        return reply.document["versions"][0] if reply.status == 200 else None

    def wait_version(self, digest: str) -> None:
        until = time.monotonic() + WAIT_S
        while self.version() != digest[:12]:
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)


@contextlib.contextmanager
def serving(bare: Bare, root: Path, *argv: object) -> Iterator[RunningServer]:
    """A server of that root, on loopback and on a Unix socket beside it; ended in order."""
    path, log = root.parent / "s", root.parent / "log"
    command = [*bare.python, "-m", "runner", "serve", root, "--address", "127.0.0.1:0", "--socket", path, *argv]
    environment = {**os.environ, "PYTHONPATH": str(bare.folder)}
    with log.open("w") as out:
        process = subprocess.Popen(
            list(map(str, command)), cwd=bare.folder, env=environment, stdout=out, stderr=out, text=True
        )
    try:
        yield RunningServer(process, root, path, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(WAIT_S) == 0, log.read_text()
        finally:
            process.kill()
    assert not path.exists()
    assert not (root / "serve.json").exists()


def request(given: dict[str, Array], id: str | None = None) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request whose tensors are bytes."""
    names = {"uint8": "UINT8", "float32": "FP32"}
    stated = [
        {
            "name": name,
            "shape": list(array.shape),
            "datatype": names[array.dtype.name],
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, array in given.items()
    ]
    document = {"inputs": stated, "parameters": {"binary_data_output": True}, **({"id": id} if id else {})}
    head = json.dumps(document).encode()
    body = head + b"".join(array.tobytes() for array in given.values())
    return body, {"Inference-Header-Content-Length": str(len(head))}


def infer(connection: http.client.HTTPConnection, given: dict[str, Array], id: str | None = None) -> Reply:
    body, headers = request(given, id)
    return asked(connection, "POST", "/v2/models/small/infer", body, headers)


def asked(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    raw = response.read()
    length = int(response.headers.get("Inference-Header-Content-Length", len(raw)))
    document, behind = json.loads(raw[:length]), raw[length:]
    tensors = {}
    for output in document.get("outputs", ()) if length < len(raw) else ():
        size = output["parameters"]["binary_data_size"]
        assert output["datatype"] == "FP32"
        tensors[output["name"]] = np.frombuffer(behind[:size], "<f4").reshape(output["shape"])
        behind = behind[size:]
    return Reply(response.status, document, tensors)

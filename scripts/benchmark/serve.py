"""Latency and requests a second of a device's server, beside the bare runtime, Triton and MLServer on the same file.

One client, which sends the same bytes to each and reads the answer's, asks all of them in turn, many times over: a
machine that is busy for a while is so for all of them. Each server has one process with the model, of one thread.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from edgekit import user_paths
from edgekit.api.bundles import open_bundle
from edgekit.cache import Cache
from edgekit.ir.measurement import Array
from edgekit.runner.model.manifest import read_manifest
from edgekit.runner.model.sequences import read_steps
from edgekit.runner.model.tensors import row
from edgekit.runner.runtimes.model import LoadedModel
from edgekit.runner.serve.tensor_metadata import ServedSignature
from edgekit.servers.serve import ServerPorts, serving

SERVERS = {"mlserver": False, "triton": True}
"""Each with whether it takes binary tensors."""
LIMIT_S = 60.0
LENGTH = "Inference-Header-Content-Length"
Ask = Callable[[], None]


class RawClient:
    """A connection that sends one request again and again. Raises RuntimeError for an answer that is no 200."""

    def __init__(self, opened: socket.socket, request: bytes) -> None:
        self._socket, self._request = opened, request
        opened.settimeout(LIMIT_S)

    @classmethod
    def tcp(cls, url: str, request: bytes) -> RawClient:
        parts = urlsplit(url)
        opened = socket.create_connection((parts.hostname or "", parts.port or 80), LIMIT_S)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(opened, request)

    @classmethod
    def unix(cls, path: str, request: bytes) -> RawClient:
        opened = socket.socket(socket.AF_UNIX)
        opened.connect(path)
        return cls(opened, request)

    def __call__(self) -> None:
        self._socket.sendall(self._request)
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._receive()
        head = answer[:end].lower()
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(answer[:300])
        left = int(head.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0]) - (len(answer) - end - 4)
        while left > 0:
            left -= len(self._receive())

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        received = self._socket.recv(1 << 16)
        if not received:
            raise RuntimeError("the server closed the connection")
        return received


def request(model: str, arrays: dict[str, Array], binary: bool) -> bytes:
    """An inference request with its numbers in JSON, or behind it (Triton's extension for binary data), as HTTP."""
    names = {"float32": "FP32", "uint8": "UINT8"}
    stated: list[dict[str, object]] = []
    for name, values in arrays.items():
        numbers = {"parameters": {"binary_data_size": values.nbytes}} if binary else {"data": values.ravel().tolist()}
        stated.append({"name": name, "datatype": names[values.dtype.name], "shape": list(values.shape), **numbers})
    document = {"inputs": stated, "parameters": {"binary_data_output": True}} if binary else {"inputs": stated}
    head = json.dumps(document).encode()
    body = head + (b"".join(values.tobytes() for values in arrays.values()) if binary else b"")
    kind = f"application/octet-stream\r\n{LENGTH}: {len(head)}" if binary else "application/json"
    first = f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
    return f"{first}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextlib.contextmanager
def own_server(folder: Path, bundle: Path) -> Iterator[tuple[str, str, Path]]:
    """Our server of a bundle on this machine as a device: its address, its socket, and the slot."""
    device = f"local://{folder}/root"
    _edgekit("flash", str(bundle), "--device", device)
    started = _edgekit("device", "serve", device, "--address", "127.0.0.1:0", "--workers", "1", "--json")
    try:
        address, path = json.loads(started)["addresses"]
        yield address, path.removeprefix("unix:"), (folder / "root" / "current").resolve()
    finally:
        _edgekit("device", "serve", device, "--stop")


def timed(ways: dict[str, Ask], rounds: int, count: int) -> dict[str, list[int]]:
    """Latencies in ns of each way: in each round, `count` of every one in turn."""
    latencies: dict[str, list[int]] = {name: [] for name in ways}
    for k in range(rounds + 1):
        for name, ask in ways.items():
            for _ in range(count):
                began = time.perf_counter_ns()
                ask()
                # The first round warms up.
                if k:
                    latencies[name].append(time.perf_counter_ns() - began)
    return latencies


def throughput(connect: Callable[[], RawClient], clients: int, seconds: float) -> float:
    """Requests a second of so many clients at once."""
    done = [0] * clients
    until = time.monotonic() + seconds

    def ask(k: int) -> None:
        with contextlib.closing(connect()) as client:
            while time.monotonic() < until:
                client()
                done[k] += 1

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - began)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench serve", description=__doc__)
    parser.add_argument("--project", default="--example=digits", metavar="FOLDER")
    parser.add_argument("--profile", default="float32")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--count", type=int, default=50, help="requests to each in a round")
    parser.add_argument("--clients", type=int, default=4, help="at once, for requests a second")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each, three times over")
    parser.add_argument("--servers", nargs="*", default=list(SERVERS), choices=list(SERVERS), help="to compare with")
    args = parser.parse_args(argv)
    project = [args.project] if args.project.startswith("--") else ["--project", args.project]
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        target = ("--target", "host", "--backend", "onnx", "--profile", args.profile)
        _edgekit("build", *project, *target, "--out", scratch)
        [path] = folder.glob("*.edgekit")
        bundle = open_bundle(path)
        address, unix, slot = stack.enter_context(own_server(folder, path))
        name, manifest = bundle.manifest.name, read_manifest(slot)
        golden, _ = read_steps(slot / "golden" / "inputs", manifest)
        inputs = ServedSignature.of(manifest).inputs
        arrays = {each.tensor.name: np.asarray(values) for each, values in zip(inputs, row(golden, 0), strict=True)}
        binary, numbers = (request(name, arrays, each) for each in (True, False))
        model = LoadedModel.load(manifest, 1, list(arrays.values()))
        connects: dict[str, Callable[[], RawClient]] = {
            "edgekit, socket": partial(RawClient.unix, unix, binary),
            "edgekit, HTTP": partial(RawClient.tcp, address, binary),
            "edgekit, HTTP, JSON": partial(RawClient.tcp, address, numbers),
        }
        for server in args.servers:
            downloads = Cache(user_paths.downloads())
            live = stack.enter_context(serving(bundle, server, ServerPorts.free(), downloads, print))
            kind, sent = ("HTTP", binary) if SERVERS[server] else ("HTTP, JSON", numbers)
            connects[f"{server}, {kind}"] = partial(RawClient.tcp, live.url, sent)
        clients = {name: stack.enter_context(contextlib.closing(connect())) for name, connect in connects.items()}
        ways: dict[str, Ask] = {"bare runtime": lambda: void(model.call(list(arrays.values()))), **clients}
        latencies = timed(ways, args.rounds, args.count)
        rates: dict[str, list[float]] = {name: [] for name in connects}
        for _ in range(3):
            for name, connect in connects.items():
                rates[name].append(throughput(connect, args.clients, args.seconds))
        bare = statistics.median(latencies["bare runtime"])
        print(f"{'':22}{'p50 µs':>9}{'p99 µs':>9}{'over bare':>11}{'requests/s':>12}")
        for name, values in latencies.items():
            p50, p99 = np.percentile(values, (50, 99))
            rate = f"{statistics.median(rates[name]):12.0f}" if name in rates else ""
            print(f"{name:22}{p50 / 1e3:9.0f}{p99 / 1e3:9.0f}{(p50 - bare) / 1e3:11.0f}{rate}")


def void(_: object) -> None:
    """Drop an answer."""


def _edgekit(*argv: str) -> str:
    ended = subprocess.run([sys.executable, "-m", "edgekit", *argv], stdout=subprocess.PIPE, text=True, timeout=600)
    if ended.returncode:
        raise SystemExit(f"edgekit {' '.join(argv)}: exit {ended.returncode}\n{ended.stdout}")
    return ended.stdout

"""A reference server that lies, over HTTP and gRPC, in a process of its own; and edgekit as its client."""

from __future__ import annotations

import contextlib
import gzip
import json
import multiprocessing
import os
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing.sharedctypes import Synchronized
from random import Random
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as proto

from edgekit import examples
from edgekit.measure.serving import retry
from edgekit.measure.serving.reference import open_reference
from edgekit.measure.shards import Shards
from edgekit.samples import Samples
from edgekit.specs.project import Project
from edgekit.specs.reference import Reference
from scripts.fuzzing.mutation import bytes_changed, changed
from scripts.fuzzing.outcome import Folder, Tally

HOST = "127.0.0.1"
COUNT = 3
TIMEOUT_S = 0.5
LIMIT_S = 20.0
"""Limit for a case: five requests at most, each tried six times."""
ENDLESS_BYTES = 32 << 20
OVER_GRPC = 6
"""One case in so many."""
SAMPLES = Samples({"image": np.zeros((COUNT, 8, 8, 1), np.uint8)}, np.zeros(COUNT, np.int64))
SERVER = {"name": "honest", "version": "1", "extensions": ["binary_tensor_data"]}
MODEL = {
    "name": "m",
    "versions": ["1"],
    "platform": "x",
    "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 8, 8, 1]}],
    "outputs": [{"name": "output", "datatype": "FP32", "shape": [-1, 10]}],
}


@cache
def bomb() -> bytes:
    """A decompression bomb of the hostile side: 200 MB in 200 KB."""
    return gzip.compress(b'{"name":"' + bytes(200 << 20), 9)


def servers(count: int, seed: int, folder: Folder) -> Tally:
    """So many runs against a hostile server, each of several requests."""
    tally = Tally(LIMIT_S)
    project = Project.read(examples.folder("digits"))
    retry.FIRST_S = 0.0  # the waits between tries are left out
    with _serving(seed) as (case, ports):
        for i in range(count):
            case.value = i
            grpc_turn = i % OVER_GRPC == OVER_GRPC - 1
            url = f"grpc://{HOST}:{ports[1]}/m" if grpc_turn else f"http://{HOST}:{ports[0]}/v2/models/m"
            reference = Reference(url=url, timeout_s=TIMEOUT_S, concurrency=1)
            tally.note(f"server {i}", _asked(project.model_copy(update={"reference": reference})), folder)
    return tally


def _asked(project: Project) -> Callable[[], object]:
    return lambda: open_reference(project, Shards()).measure(SAMPLES, None)


@contextmanager
def _serving(seed: int) -> Iterator[tuple[Any, tuple[int, int]]]:
    """The number of the case, to be set, and the ports of HTTP and gRPC. The server ends with this process."""
    fresh = multiprocessing.get_context("spawn")
    case, (here, there) = fresh.Value("q", 0), fresh.Pipe()
    process = fresh.Process(target=_serve, args=(case, there, seed), daemon=True)
    process.start()
    try:
        if not here.poll(60):
            raise TimeoutError("the hostile server does not start")
        yield case, here.recv()
    finally:
        process.kill()
        process.join()


def _serve(case: Synchronized[int], told: Any, seed: int) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                _talk(self.request, case, seed)
            except OSError:
                return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server((HOST, 0), Handler) as server:
        answering = grpc.server(ThreadPoolExecutor(4), handlers=(_Lies(case, seed),))
        port = answering.add_insecure_port(f"{HOST}:0")
        answering.start()
        told.send((server.server_address[1], port))
        threading.Thread(target=_end_with, args=(told,), daemon=True).start()
        server.serve_forever()


def _end_with(told: Any) -> None:
    """End this process when the one at the other end does, whatever ends it."""
    with contextlib.suppress(EOFError, OSError):
        told.recv()
    os._exit(0)


def _talk(connection: socket.socket, case: Synchronized[int], seed: int) -> None:
    """Read requests and answer them, until one side has enough."""
    connection.settimeout(5)
    with connection.makefile("rb") as stream:
        for number in range(20):
            first = stream.readline().decode("latin-1").split()
            length = 0
            while (header := stream.readline().strip().lower()) not in (b"", b"\r\n"):
                length = int(header[15:]) if header.startswith(b"content-length:") else length
            if len(first) < 2:
                return
            body = stream.read(length)
            random = Random(f"server {seed} {case.value} {number} {first[1]}")
            honest = case.value == 0 or random.random() < 0.55
            _answer(connection, first[1], body, None if honest else random)


def _answer(connection: socket.socket, path: str, body: bytes, random: Random | None) -> None:
    head, content, headers = _honest(path, body)
    if random is None:
        connection.sendall(_whole(200, head + content, headers))
        return
    match random.randrange(12):
        case 0:
            connection.sendall(_whole(200, bytes_changed(head + content, random), headers))
        case 1:
            connection.sendall(bytes_changed(_whole(200, head + content, headers), random))
        case 2:
            coding = random.choice(("gzip", "deflate", "br", "\x1b[31m"))
            connection.sendall(_whole(200, bomb(), {**headers, "Content-Encoding": coding}))
        case 3:
            status = random.choice((204, 302, 400, 401, 404, 429, 500, 503, 999))
            words = random.choice((b"", b"\x1b[2J\x00", b"B" * 3_000_000))
            connection.sendall(_whole(status, words, {"Location": "/"}))
        case 4:
            _endless(connection, random)
        case 5 if content:
            lies = _tensor_lies(content, random)
            connection.sendall(_whole(200, head + lies, headers))
        case 6:
            lengths = {"Inference-Header-Content-Length": random.choice(("-1", "0", "99999999999", "x", "9" * 5000))}
            connection.sendall(_whole(200, head + content, lengths))
        case _:
            changed_head = changed(json.loads(head), random) if head else b"{}"
            kept = {"Inference-Header-Content-Length": str(len(changed_head))} if content else {}
            connection.sendall(_whole(200, changed_head + content, kept))


def _tensor_lies(content: bytes, random: Random) -> bytes:
    value = random.choice((float("nan"), float("inf"), 1e38))
    return random.choice((struct.pack("<f", value) * (len(content) // 4), content[:-4], content * 3, b""))


def _endless(connection: socket.socket, random: Random) -> None:
    """Send an answer that does not end by itself, or comes byte by byte."""
    start, piece, wait_s = random.choice(
        (
            (b"HTTP/1.1 200 OK\r\n\r\n", b"[1," * 30_000, 0.0),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(1 << 16) + b"\r\n", 0.0),
            (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000, 0.0),
            (b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 65536, 0.0),
            (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" ", 0.05),
            (b"HTTP/1.1 200 OK\r\n", b"X: a\r\n", 0.05),
        )
    )
    connection.sendall(start)
    sent = 0
    while sent < ENDLESS_BYTES:
        connection.sendall(piece)
        sent += len(piece)
        time.sleep(wait_s)


def _honest(path: str, body: bytes) -> tuple[bytes, bytes, dict[str, str]]:
    """The JSON of an answer, the bytes behind it, and the headers."""
    if path.endswith("/infer"):
        rows = _rows(body)
        size = {"binary_data_size": 40 * rows}
        output = {"name": "output", "datatype": "FP32", "shape": [rows, 10], "parameters": size}
        head = json.dumps({"model_name": "m", "outputs": [output]}).encode()
        return head, bytes(40 * rows), {"Inference-Header-Content-Length": str(len(head))}
    document = SERVER if path.endswith("/v2") else MODEL if "/models/" in path else {}
    return json.dumps(document).encode(), b"", {}


def _rows(body: bytes) -> int:
    try:
        return int(json.JSONDecoder().raw_decode(body.decode("latin-1"))[0]["inputs"][0]["shape"][0])
    except (ValueError, KeyError):
        return 1


def _whole(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class _Lies(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Answers every method, with bytes that may be no message of it."""

    def __init__(self, case: Synchronized[int], seed: int) -> None:
        self._case, self._seed = case, seed

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = details.method.rpartition("/")[2]

        def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
            random = Random(f"grpc {self._seed} {self._case.value} {method}")
            if self._case.value == OVER_GRPC - 1 or random.random() < 0.5:
                return bytes(_message(method, body).SerializeToString())
            if random.random() < 0.1:
                context.abort(random.choice(list(grpc.StatusCode)[1:]), "\x1b[31m" + "B" * 3000)
            if random.random() < 0.1:
                context.set_compression(grpc.Compression.Gzip)
                return bytes(proto.ModelMetadataResponse(name="A" * (250 << 20)).SerializeToString())
            message = _message(method, body)
            _message_changed(message, random)
            raw = bytes(message.SerializeToString())
            return bytes_changed(raw, random) if raw and random.random() < 0.3 else raw

        return grpc.unary_unary_rpc_method_handler(answer)


def _message(method: str, body: bytes) -> Any:
    match method:
        case "ServerMetadata":
            return proto.ServerMetadataResponse(**SERVER)
        case "ModelMetadata":
            return proto.ModelMetadataResponse(**MODEL)
        case "ModelInfer":
            rows = proto.ModelInferRequest.FromString(body).inputs[0].shape[0]
            output = proto.ModelInferResponse.InferOutputTensor(name="output", datatype="FP32", shape=[rows, 10])
            return proto.ModelInferResponse(outputs=[output], raw_output_contents=[bytes(40 * rows)])
        case _:
            return proto.ServerLiveResponse(live=True)


def _message_changed(message: Any, random: Random) -> None:
    outputs: Sequence[Any] = getattr(message, "outputs", ())
    if not outputs:
        message.name = random.choice(("\x1b[31m", "x" * 100_000, "")) if hasattr(message, "name") else ""
        return
    output = outputs[0]
    match random.randrange(6):
        case 0:
            output.name = random.choice(("", "../x", "y" * 50_000))
        case 1:
            output.datatype = random.choice(("BYTES", "FP64", "", "FP16", "\0"))
        case 2:
            output.shape[-1] = random.choice((-1, 0, 2**62, 11))
        case 3:
            del output.shape[:]
        case 4 if hasattr(message, "raw_output_contents"):
            message.raw_output_contents[0] = _tensor_lies(message.raw_output_contents[0], random)
        case _:
            message.outputs.append(output)

"""A reference server against its client: bounded in bytes and time, and held to its own metadata."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2 as proto

from edgekit.errors import EdgekitError, ModelMismatch, ServerFailed, ServerUnreachable
from edgekit.measure.serving.open_inference import Fault, ServedTensor
from edgekit.measure.serving.reference import open_reference
from edgekit.measure.serving.tensors import (
    HEAD_BYTES,
    MAX_BYTES,
    NUMPY,
    TransferBounds,
    check_stated,
    of_bytes,
    of_json,
)
from edgekit.measure.shards import Shards
from edgekit.samples import Samples
from edgekit.servers.serve import ServerPorts
from edgekit.specs.reference import Reference
from tests.reference_servers import digits

SERVER = Path(__file__).parents[3].parent / "shared" / "faults" / "hostile" / "server.py"
SAMPLES = Samples({"image": np.zeros((4, 8, 8, 1), np.uint8)}, np.zeros(4, np.int64))
SCORES = ServedTensor("output", "FP32", (-1, 10))
MODES: dict[str, tuple[type[EdgekitError], str]] = {
    "hugemeta": (ServerFailed, "more than the 1,048,576 bytes"),
    "hugebody": (ServerFailed, "more than the 1,049,"),
    "slow": (ServerUnreachable, "no answer within 1 s"),
    "slowhead": (ServerUnreachable, "no answer within 1 s"),
    "nestmeta": (ServerFailed, "not of the Open Inference Protocol"),
    "ansimeta": (ServerFailed, "PWNED"),
    "negshape": (ModelMismatch, "'image' of the served model is UINT8"),
    "names": (ServerFailed, "answered nothing as '../../../pwn'"),
    "nan": (ServerFailed, "values that are not finite"),
    "inf": (ServerFailed, "values that are not finite"),
    "short": (ServerFailed, "'output' has 8 bytes"),
    "long": (ServerFailed, "'output' has 120 bytes"),
    "size": (ServerFailed, "an output of 1000000000000 bytes"),
    "negsize": (ServerFailed, "an output of -1 bytes"),
    "bigshape": (ServerFailed, r"FP32\[1, 100000000000\] in its answer, FP32\[-1, 10\] in its metadata"),
    "dtype": (ServerFailed, r"BYTES\[1, 10\] in its answer"),
    "fp64": (ServerFailed, r"FP64\[1, 10\] in its answer"),
    "jsonnan": (ServerFailed, "not of the Open Inference Protocol"),
    "redirect": (ServerFailed, "HTTP 302"),
}


def ask(url: str, timeout_s: float = 1.0) -> dict[str, Any]:
    reference = Reference(url=url, timeout_s=timeout_s, concurrency=1)
    project = digits().model_copy(update={"reference": reference})
    return dict(open_reference(project, Shards()).measure(SAMPLES, None).outputs)


@contextlib.contextmanager
def hostile(mode: str) -> Iterator[str]:
    port = ServerPorts.free().http
    process = subprocess.Popen([sys.executable, str(SERVER), str(port), mode], stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v2/models/m"
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(not SERVER.is_file(), reason="shared/faults is not beside this checkout")
@pytest.mark.parametrize("mode", MODES)
def test_the_server_among_the_faults_is_refused_by_a_code(mode: str) -> None:
    error, said = MODES[mode]
    with hostile(mode) as url, pytest.raises(error, match=said) as refused:
        ask(url)
    assert len(str(refused.value)) < 600
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_what_was_not_asked_for_compressed_is_not_taken_apart(coding: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 100000000\r\n\r\n".encode()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(head)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            with pytest.raises(ServerFailed, match=f"it sent '{coding}', and no compression was asked for"):
                ask(f"http://127.0.0.1:{server.server_address[1]}/v2/models/m")
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def over_grpc(answer: proto.ModelInferResponse, compressed: bool) -> Iterator[str]:
    """A server that answers every inference with that message."""
    model = proto.ModelMetadataResponse(
        name="m",
        inputs=[proto.ModelMetadataResponse.TensorMetadata(name="image", datatype="UINT8", shape=[-1, 8, 8, 1])],
        outputs=[proto.ModelMetadataResponse.TensorMetadata(name="output", datatype="FP32", shape=[-1, 10])],
    )
    messages = {"ModelMetadata": model, "ModelInfer": answer, "ServerLive": proto.ServerLiveResponse(live=True)}

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            message = messages.get(details.method.rpartition("/")[2], proto.ServerMetadataResponse(name="s"))

            def said(body: bytes, context: grpc.ServicerContext) -> bytes:
                if compressed:
                    context.set_compression(grpc.Compression.Gzip)
                return bytes(message.SerializeToString())

            return grpc.unary_unary_rpc_method_handler(said)

    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=(Handler(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"grpc://127.0.0.1:{port}/m"
        server.stop(None).wait()


def infer(datatype: str = "FP32", shape: tuple[int, ...] = (1, 10), raw: bytes = bytes(40)) -> proto.ModelInferResponse:
    output = proto.ModelInferResponse.InferOutputTensor(name="output", datatype=datatype, shape=shape)
    return proto.ModelInferResponse(outputs=[output], raw_output_contents=[raw])


@pytest.mark.parametrize(
    ("answer", "compressed", "said"),
    [
        (infer("BYTES"), False, r"BYTES\[1, 10\] in its answer"),
        (infer("FP64", raw=bytes(80)), False, r"FP64\[1, 10\] in its answer"),
        (infer(shape=(1, 1 << 40)), False, r"FP32\[1, 1099511627776\] in its answer"),
        (infer(raw=bytes(8)), False, "'output' has 8 bytes"),
        (infer(raw=struct.pack("<f", float("nan")) * 10), False, "values that are not finite"),
        (infer(raw=bytes(8 << 20)), False, "more than the 1,049,"),
        (infer(raw=bytes(8 << 20)), True, "answered with an error"),
        (proto.ModelInferResponse(), False, "answered nothing as 'output'"),
    ],
    ids=["bytes", "double", "shape", "short", "nan", "large", "compressed", "empty"],
)
def test_over_grpc_it_is_the_same(answer: proto.ModelInferResponse, compressed: bool, said: str) -> None:
    with over_grpc(answer, compressed) as url, pytest.raises(ServerFailed, match=said):
        ask(url, timeout_s=10)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
def test_bfloat16_is_the_upper_half_of_a_float(values: list[float]) -> None:
    halves = (np.array(values, "<f4").view("<u4") >> 16).astype("<u2")
    decoded = of_bytes(ServedTensor("x", "BF16", (-1, 3)), (1, 3), halves.tobytes())
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded[0], (halves.astype("<u4") << 16).view("<f4"))


@pytest.mark.parametrize("datatype", [name for name in NUMPY if name != "BF16"])
def test_numbers_are_the_same_as_bytes_and_as_json(datatype: str) -> None:
    edge, values = ServedTensor("x", datatype, (-1, 2)), np.array([[0, 1], [1, 0]], NUMPY[datatype])
    for decoded in (of_bytes(edge, (2, 2), values.tobytes()), of_json(edge, (2, 2), values.tolist())):
        assert decoded.dtype == values.dtype
        np.testing.assert_array_equal(decoded, values)


@pytest.mark.parametrize("data", [["a"], [None], [1, 2], [[1], [1, 2]], {"a": 1}, "1", [[[]]], [10**30]])
def test_what_is_no_such_number_in_json_is_refused(data: object) -> None:
    with pytest.raises(Fault):
        of_json(ServedTensor("x", "INT32", (-1,)), (1,), json.loads(json.dumps(data)))


@pytest.mark.parametrize("shape", [[1, 11], [1], [1, 10, 1], [-1, 10], [True, 10], ["1", 10], [1, None]])
def test_a_shape_is_that_of_the_metadata(shape: list[object]) -> None:
    with pytest.raises(Fault, match="in its metadata"):
        check_stated(SCORES, "FP32", shape)
    assert check_stated(SCORES, "FP32", [7, 10]) == (7, 10)


def test_an_answer_may_be_as_large_as_its_shapes_and_no_larger() -> None:
    assert TransferBounds.of([SCORES], 32, binary=True) == TransferBounds(32, HEAD_BYTES + 32 * 40)
    assert TransferBounds.of([ServedTensor("x", "FP32", (-1, -1))], 32, binary=True) == TransferBounds(
        32, HEAD_BYTES + MAX_BYTES
    )
    large = ServedTensor("masks", "FP32", (-1, 21, 512, 512))
    assert TransferBounds.of([large], 32, binary=True) == TransferBounds(3, HEAD_BYTES + 3 * 21 * 512 * 512 * 4)
    assert TransferBounds.of([ServedTensor("x", "FP32", (-1, 10**15))], 32, binary=True) == TransferBounds(
        1, HEAD_BYTES + MAX_BYTES
    )

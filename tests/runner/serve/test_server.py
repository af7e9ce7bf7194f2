"""The server of a device, as a process, and its clients."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edgekit.runner.slots import lifecycle
from tests.runner import slot
from tests.runner.conftest import Bare
from tests.runner.serve.served_root import RunningServer, answer_of, asked, commit, infer, request, serving

GIVEN = slot.inputs(1)


@pytest.fixture(scope="module")
def server(bare: Bare, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that no test of this module may leave otherwise than it was."""
    root = tmp_path_factory.mktemp("s") / "root"
    commit(root)
    with serving(bare, root, "--workers", 1, "--queue", 4) as running:
        running.wait_ready()
        yield running


def test_it_answers_what_the_model_does_by_bytes_and_by_json(server: RunningServer) -> None:
    given = slot.inputs(3, seed=5)
    with contextlib.closing(server.connect()) as connection:
        reply = infer(connection, given, id="seven")
        assert reply.status == 200
        assert reply.document["id"] == "seven"
        assert np.allclose(reply.tensors["scores"], answer_of(given), atol=1e-5)
        # Quantized outputs are real values for clients, as those of a cloud server.
        steps = slot.SCALE * (slot.expected(given)["steps"].astype(np.float32) - slot.ZERO_POINT)
        assert np.array_equal(reply.tensors["steps"], steps)
        inputs = [
            {"name": "image", "shape": [3, 4, 4, 3], "datatype": "UINT8", "data": given["image"].tolist()},
            {"name": "bias", "shape": [3, 5], "datatype": "FP32", "data": given["bias"].reshape(-1).tolist()},
        ]
        body = json.dumps({"inputs": inputs, "outputs": [{"name": "scores"}]}).encode()
        reply = asked(connection, "POST", "/v2/models/small/infer", body)
        (scores,) = reply.document["outputs"]
        assert np.allclose(np.reshape(scores["data"], (3, 5)), answer_of(given), atol=1e-5)


def test_it_says_what_it_serves_and_counts_as_triton_does(server: RunningServer) -> None:
    assert server.get("/v2").document["extensions"] == ["binary_tensor_data", "statistics"]
    assert server.get("/v2/health/live").document == {"live": True}
    stated = server.get("/v2/models/small").document
    assert stated["inputs"][0] == {"name": "image", "datatype": "UINT8", "shape": [-1, 4, 4, 3]}
    assert stated["outputs"][1] == {"name": "steps", "datatype": "FP32", "shape": [-1, 5]}
    assert stated["platform"].startswith("onnxruntime ")
    (version,) = stated["versions"]
    assert server.get(f"/v2/models/small/versions/{version}/ready").status == 200

    def counted() -> int:
        (model,) = server.get("/v2/models/small/stats").document["model_stats"]
        spent = model["inference_stats"]
        assert spent["success"]["ns"] >= spent["queue"]["ns"] + spent["compute_infer"]["ns"]
        return int(spent["success"]["count"])

    before = counted()
    with contextlib.closing(server.connect()) as connection:
        for _ in range(3):
            infer(connection, GIVEN)
    assert counted() == before + 3


def test_prometheus_reads_its_metrics(server: RunningServer) -> None:
    with contextlib.closing(server.connect()) as connection:
        for _ in range(2):
            infer(connection, GIVEN)
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        text = response.read().decode()
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert [sample.value for sample in families["edgekit_ready"].samples] == [1]
    outcomes = {sample.labels["outcome"]: sample for sample in families["edgekit_requests"].samples}
    assert outcomes["success"].value >= 2
    assert outcomes["success"].labels["model"] == "small"
    seconds = {sample.labels["part"]: sample.value for sample in families["edgekit_request_seconds"].samples}
    assert seconds["whole"] > seconds["inference"] > 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/", b"", 404, "speaks the Open Inference Protocol"),
        ("GET", "/v2/models/other", b"", 404, "'small' of version"),
        ("GET", "/v2/models/small/versions/9/ready", b"", 404, "nothing else"),
        ("GET", "/v2/models/small/infer", b"", 405, "takes POST"),
        ("POST", "/v2", b"", 405, "takes GET"),
        ("POST", "/v2/models/small/infer", b"{", 400, "no JSON"),
        ("POST", "/v2/models/small/infer", b'{"inputs": []}', 400, "takes each of these once: 'image' UINT8"),
    ],
)
def test_a_wrong_request_is_told_why_and_the_connection_goes_on(
    server: RunningServer, method: str, path: str, body: bytes, status: int, words: str
) -> None:
    with contextlib.closing(server.connect()) as connection:
        reply = asked(connection, method, path, body)
        assert reply.status == status
        assert words in reply.document["error"]
        assert infer(connection, GIVEN).status == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET /v2 HTTP/1.1\r\n" + b"x: y\r\n" * 4000, 431),
        (b"POST /v2/models/small/infer HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST /v2/models/small/infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    ],
)
def test_what_is_no_request_is_answered_and_the_connection_ends(server: RunningServer, raw: bytes, status: int) -> None:
    with server.raw() as opened:
        opened.sendall(raw)
        said = b""
        while chunk := opened.recv(1 << 16):
            said += chunk
    assert said.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in said
    assert server.get("/v2/health/live").status == 200


def test_requests_that_are_sent_at_once_are_answered_in_their_order(server: RunningServer) -> None:
    parts = []
    for k in range(5):
        body, headers = request(GIVEN, id=f"n{k}")
        (name, value), *_ = headers.items()
        parts.append(
            b"POST /v2/models/small/infer HTTP/1.1\r\nContent-Length: %d\r\n%s: %s\r\n\r\n"
            % (len(body), name.encode(), value.encode())
            + body
        )
    with server.raw() as opened:
        # Byte by byte at a border of two, and the rest at once.
        opened.sendall(parts[0][:-1])
        opened.sendall(parts[0][-1:] + b"".join(parts[1:]))
        said = b""
        while b'"id":"n4"' not in said:
            chunk = opened.recv(1 << 16)
            assert chunk, said
            said += chunk
    places = [said.index(b'"id":"n%d"' % k) for k in range(5)]
    assert places == sorted(places)


def test_a_thousand_idle_connections_lock_nobody_out(server: RunningServer) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(server.raw()).sendall(b"GET /v2 HTT")
        with contextlib.closing(server.connect()) as connection:
            assert infer(connection, GIVEN).status == 200


def test_a_worker_that_dies_loses_no_request(server: RunningServer) -> None:
    with contextlib.closing(server.connect()) as connection:
        assert infer(connection, GIVEN).status == 200
        (worker,) = server.workers()
        os.kill(worker, signal.SIGSTOP)
        body, headers = request(GIVEN)
        connection.request("POST", "/v2/models/small/infer", body, headers)
        os.kill(worker, signal.SIGKILL)
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        assert server.workers() != [worker]


def test_what_does_not_fit_into_the_queue_is_told_to_come_back(server: RunningServer) -> None:
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    body, headers = request(GIVEN)
    waiting = [server.connect() for _ in range(5)]
    try:
        for connection in waiting:
            connection.request("POST", "/v2/models/small/infer", body, headers)
        with contextlib.closing(server.connect()) as last:
            reply = infer(last, GIVEN)
            assert reply.status == 503
            assert "4 requests wait already" in reply.document["error"]
        # One that has gone leaves its place, and nobody waits for its answer.
        os.kill(worker, signal.SIGCONT)
        assert [connection.getresponse().status for connection in waiting] == [200] * 5
    finally:
        for connection in waiting:
            connection.close()


def test_a_commit_and_a_rollback_under_load_lose_nothing_and_mix_nothing(bare: Bare, tmp_path: Path) -> None:
    root = tmp_path / "root"
    scales = {commit(root, 1.0)[:12]: 1.0}
    with serving(bare, root, "--workers", 2) as server:
        server.wait_ready()
        seen: set[str] = set()
        stop = threading.Event()
        wrong: list[object] = []

        def ask(seed: int) -> None:
            given = slot.inputs(1, seed)
            with contextlib.closing(server.connect()) as connection:
                while not stop.is_set():
                    reply = infer(connection, given)
                    version = reply.document.get("model_version", "")
                    seen.add(version)
                    if reply.status != 200 or not np.allclose(
                        reply.tensors["scores"], answer_of(given, scales[version]), atol=1e-4
                    ):
                        wrong.append(reply)

        clients = [threading.Thread(target=ask, args=(seed,)) for seed in range(3)]
        for client in clients:
            client.start()
        try:
            # Known before it is served.
            first = next(iter(scales))
            for scale in (2.0, 3.0):
                server.wait_version(commit(root, scale, before=partial(_learn, scales, scale)))
            lifecycle.rollback(root)
            behind = next(version for version, scale in scales.items() if scale == 2.0)
            server.wait_version(behind)
        finally:
            stop.set()
            for client in clients:
                client.join()
        assert not wrong
        assert seen == set(scales)
        assert first != behind


def _learn(scales: dict[str, float], scale: float, digest: str) -> None:
    scales[digest[:12]] = scale


def test_a_file_whose_bits_change_is_taken_out_and_the_bundle_before_it_is_served(bare: Bare, tmp_path: Path) -> None:
    root = tmp_path / "root"
    first, second = commit(root, 1.0), commit(root, 2.0)
    with serving(bare, root, "--workers", 1, "--check", 0.2) as server:
        server.wait_ready()
        server.wait_version(second)
        model = root / "current" / "model.onnx"
        raw = bytearray(model.read_bytes())
        raw[len(raw) // 2] ^= 1
        model.write_bytes(raw)
        server.wait_version(first)
        with contextlib.closing(server.connect()) as connection:
            assert np.allclose(infer(connection, GIVEN).tensors["scores"], answer_of(GIVEN), atol=1e-5)
        event = lifecycle.status(root)["history"][-1]
        assert event["verdict"] == "rolled back"
        assert "'model.onnx' in" in event["detail"]["damaged"]
        # There is nothing before it: nothing wrong is answered.
        (root / "current" / "model.onnx").write_bytes(b"")
        server.wait_ready(False)
        with contextlib.closing(server.connect()) as connection:
            reply = infer(connection, GIVEN)
        assert reply.status == 503
        assert "is damaged" in reply.document["error"]


def test_a_bundle_that_does_not_load_leaves_the_one_before_it_answering(bare: Bare, tmp_path: Path) -> None:
    root = tmp_path / "root"
    first = commit(root)
    with serving(bare, root, "--workers", 1) as server:
        server.wait_ready()
        commit(root, weights=b"no model at all")
        until = time.monotonic() + 60
        while "cannot be loaded" not in server.log.read_text():
            assert time.monotonic() < until
            time.sleep(0.05)
        assert server.version() == first[:12]
        with contextlib.closing(server.connect()) as connection:
            assert infer(connection, GIVEN).status == 200


def test_an_inference_that_hangs_is_given_up_and_the_next_is_answered(bare: Bare, tmp_path: Path) -> None:
    root = tmp_path / "root"
    commit(root)
    with serving(bare, root, "--workers", 1, "--limit", 1) as server:
        server.wait_ready()
        (worker,) = server.workers()
        os.kill(worker, signal.SIGSTOP)
        with contextlib.closing(server.connect()) as connection:
            reply = infer(connection, GIVEN)
            assert reply.status == 504
            assert "no answer within 1 s" in reply.document["error"]
            assert infer(connection, GIVEN).status == 200


def test_a_token_is_asked_for_beyond_this_machine(bare: Bare, tmp_path: Path) -> None:
    root = tmp_path / "root"
    commit(root)
    refused = bare.ask("serve", root, "--address", "0.0.0.0:0")
    assert refused.document["kind"] == "usage"
    assert "--token-file" in refused.document["error"]
    token = tmp_path / "token"
    token.write_text("correct-horse-battery\n")
    with serving(bare, root, "--workers", 1, "--token-file", token) as server:
        until = time.monotonic() + 60
        while not server.path.exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        with contextlib.closing(server.connect()) as connection:
            assert asked(connection, "GET", "/v2").status == 401
        with contextlib.closing(server.connect()) as connection:
            right = {"Authorization": "Bearer correct-horse-battery"}
            assert asked(connection, "GET", "/v2", headers=right).status == 200
        with contextlib.closing(socket.create_connection(("127.0.0.1", server.port))) as opened:
            opened.sendall(b"GET /v2 HTTP/1.1\r\nAuthorization: Bearer wrong\r\n\r\n")
            assert opened.recv(100).startswith(b"HTTP/1.1 401 ")


def test_a_second_server_on_a_socket_is_refused_and_a_dead_ones_is_taken(bare: Bare, tmp_path: Path) -> None:
    root = tmp_path / "root"
    commit(root)
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "s"))
    dead.close()
    with serving(bare, root, "--workers", 1) as server:
        until = time.monotonic() + 60
        while not (root / "serve.json").exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        refused = bare.ask("serve", root, "--socket", server.path)
        assert refused.document["kind"] == "system"
        assert "another server listens there" in refused.document["error"]


def test_each_bundle_is_served_by_the_python_that_has_its_runtime(bare: Bare, tmp_path: Path) -> None:
    root = tmp_path / "root"
    first = commit(root)
    pack = root / "runtimes" / "0123456789abcdef" / "python"
    pack.parent.mkdir(parents=True)
    pack.write_text(f'#!/bin/sh\necho started >{tmp_path}/pack\nexec {bare.python[0]} "$@"\n')
    pack.chmod(0o700)
    with serving(bare, root, "--workers", 1) as server:
        server.wait_ready()
        assert not (tmp_path / "pack").exists()
        second = commit(root, 2.0, python=[str(pack)])
        server.wait_version(second)
        assert (tmp_path / "pack").exists()
        # Whoever can write the state does not choose programs beyond the device's folder by that.
        (tmp_path / "pack").unlink()
        pack.rename(tmp_path / "elsewhere")
        third = commit(root, 3.0, python=[str(tmp_path / "elsewhere")])
        server.wait_version(third)
        assert not (tmp_path / "pack").exists()
    assert len({first, second, third}) == 3

"""Real servers, asked as a user's would be, and what is said when they, or what stands before them, misbehave."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.archive import Bundle
from edgekit.errors import (
    MissingExtra,
    ModelMismatch,
    ServerFailed,
    ServerRefused,
    ServerUnreachable,
    ServingError,
    SpecError,
)
from edgekit.errors.extras import extra_hint
from edgekit.ir.measurement import Array, Measurement
from edgekit.measure.serving import retry
from edgekit.measure.serving.reference import open_reference
from edgekit.measure.shards import Shards
from edgekit.samples import Samples, load_samples
from edgekit.servers.serve import Live, ServerPorts
from edgekit.specs.inputs import Input
from edgekit.specs.profile import Probe
from edgekit.specs.project import Project
from edgekit.specs.reference import Reference
from tests import reference_servers as servers
from tests.measure.serving import gateway as gateways
from tests.measure.serving.gateway import Gateway, certificate

pytestmark = pytest.mark.served

PROBE = Probe(min_count=64, min_duration_s=0)
TOKEN = "EDGEKIT_TEST_TOKEN"
SECRET = "s3cr3t-and-l0ng"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The float network of the digits example, as `edgekit reference serve` packs it."""
    return servers.float_bundle(servers.digits(), tmp_path_factory.mktemp("float"))


@pytest.fixture(scope="module", autouse=True)
def _installed(bundle: Bundle) -> None:
    servers.installed(bundle, *servers.SERVERS)


@pytest.fixture(scope="module")
def triton(bundle: Bundle) -> Iterator[Live]:
    with servers.live(bundle, "triton") as started:
        yield started
    assert servers.nothing_left(started.process.pid)


@pytest.fixture(scope="module")
def mlserver(bundle: Bundle) -> Iterator[Live]:
    with servers.live(bundle, "mlserver") as started:
        yield started
    assert servers.nothing_left(started.process.pid)


@pytest.fixture(scope="module")
def samples() -> Samples:
    return load_samples(servers.digits(), "evaluation")


@pytest.fixture(scope="module")
def eager(samples: Samples) -> Array:
    """What the trained network answers in this process."""
    from edgekit.frontend.eager import Eager
    from edgekit.frontend.load import load

    return Eager(lambda: load(servers.digits())).measure(samples, None).outputs["output"]


def project(url: str, **more: Any) -> Project:
    return servers.digits().model_copy(update={"reference": Reference(url=url, **more)})


def ask(subject: Project, samples: Samples, probe: Probe | None = None, shards: Shards | None = None) -> Measurement:
    return open_reference(subject, shards or Shards()).measure(samples, probe)


def http(gateway: Gateway, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{gateway.port}/v2/models/digits"


def few(samples: Samples, count: int = 16) -> Samples:
    return samples.take(range(count))


@pytest.mark.parametrize("way", ["http", "grpc"])
@pytest.mark.parametrize("server", servers.SERVERS)
def test_a_server_answers_what_the_trained_network_does(
    server: str, way: str, samples: Samples, eager: Array, request: pytest.FixtureRequest
) -> None:
    live: Live = request.getfixturevalue(server)
    measured = ask(project(live.url if way == "http" else live.grpc_url), samples, PROBE)
    answers = measured.outputs["output"]
    assert (answers.shape, answers.dtype) == (eager.shape, np.dtype(np.float32))
    assert (answers.argmax(1) == eager.argmax(1)).all()
    np.testing.assert_allclose(answers, eager, rtol=1e-4, atol=1e-4)
    assert measured.samples_digest == samples.digest
    assert len(measured.latency_ns) >= 64
    assert measured.load_ns > 0 < measured.first_ns
    assert measured.environment.kind == "serving"
    assert measured.environment.runtime.startswith(f"{server} ")
    assert measured.environment.cores is None
    assert measured.environment.machine is None


def test_triton_says_where_a_request_spends_its_time_and_the_parts_are_no_more_than_the_whole(
    triton: Live, samples: Samples
) -> None:
    measured = ask(project(triton.url), few(samples), PROBE)
    server, mean = measured.server, measured.latency_ns.mean()
    assert server is not None
    assert server.queue_ns is not None
    assert server.compute_ns is not None
    assert 0 < server.round_trip_ns < np.median(measured.latency_ns)  # type: ignore[operator]
    assert 0 < server.queue_ns + server.compute_ns < 1.1 * mean
    assert server.version == measured.environment.runtime


def test_mlserver_counts_nothing_and_nothing_is_made_up(mlserver: Live, samples: Samples) -> None:
    server = ask(project(mlserver.url), few(samples), PROBE).server
    assert server is not None
    assert server.round_trip_ns
    assert server.queue_ns is server.compute_ns is None


def test_latency_is_timed_on_one_connection_that_is_kept(mlserver: Live, samples: Samples) -> None:
    with gateways.over_http(Gateway(_port(mlserver))) as gateway:
        ask(project(http(gateway), concurrency=2), few(samples, 64), PROBE)
        # One to hear what it is, one to time it, and one for each of two workers in one stretch of samples.
        assert gateway.connections == 4
        assert gateway.inferences > 64


def test_samples_go_in_batches_and_come_back_in_order(mlserver: Live, samples: Samples, eager: Array) -> None:
    with gateways.over_http(Gateway(_port(mlserver))) as gateway:
        measured = ask(project(http(gateway), batch=50, concurrency=3), samples, shards=Shards(first=101))
        assert gateway.inferences == 1 + 3 + 16  # one alone; 101 and the other 798 by fifties
    np.testing.assert_allclose(measured.outputs["output"], eager, rtol=1e-4, atol=1e-4)


def test_a_server_that_takes_what_the_network_takes_gets_preprocessed_samples(
    samples: Samples, eager: Array, tmp_path: Path
) -> None:
    trained = servers.digits().model_copy(update={"inputs": {"image": Input(shape=(1, 8, 8))}, "name": "digits"})
    scans = np.zeros((8, 1, 8, 8), np.float32)
    np.savez(tmp_path / "floats.npz", image=scans, labels=np.zeros(8, np.int64))
    data = trained.data.evaluation.model_copy(update={"loader": None, "path": str(tmp_path / "floats.npz")})
    trained = trained.model_copy(update={"data": trained.data.model_copy(update={"evaluation": data})})
    packed = servers.float_bundle(trained, tmp_path)
    with servers.live(packed, "mlserver") as live:
        for url in (live.url, live.grpc_url):
            answers = ask(project(url), samples).outputs["output"]
            np.testing.assert_allclose(answers, eager, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("server", servers.SERVERS)
def test_a_model_that_is_not_there_is_said_to_be_missing(server: str, request: pytest.FixtureRequest) -> None:
    live: Live = request.getfixturevalue(server)
    for url in (live.url, live.grpc_url):
        with pytest.raises(ModelMismatch, match="has no model 'digitz'"):
            ask(project(url.replace("/digits", "/digitz")), few(load_samples(servers.digits(), "evaluation", 16)))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (
            {"image": Input(shape=(1, 9, 9))},
            r"'image' of the served model is UINT8\[-1, 8, 8, 1\].*FP32\[-1, 1, 9, 9\]",
        ),
        ({"image": Input(shape=(8, 8, 1), dtype="int32")}, r"is UINT8\[-1, 8, 8, 1\].*is INT32\[-1, 8, 8, 1\]"),
        (
            {"imag": Input(shape=(8, 8, 1), dtype="uint8"), "age": Input(shape=(1,))},
            r"has no input 'imag'; it has 'image' UINT8",
        ),
    ],
    ids=["shape", "dtype", "name"],
)
def test_another_model_than_the_projects_is_refused_before_it_is_asked(
    inputs: dict[str, Input], said: str, triton: Live, samples: Samples
) -> None:
    with gateways.over_http(Gateway(_port(triton))) as gateway:
        other = project(http(gateway)).model_copy(update={"inputs": inputs})
        with pytest.raises(ModelMismatch, match=said) as refused:
            ask(other, few(samples))
        assert gateway.inferences == 0
    if "imag" in inputs:
        assert refused.value.hint == "did you mean 'image'?"


def test_an_output_that_the_model_has_not_is_named_with_the_nearest(triton: Live, samples: Samples) -> None:
    subject = project(triton.url)
    renamed = subject.model_copy(update={"model": subject.model.model_copy(update={"outputs": ("logits", "outpt")})})
    with pytest.raises(ModelMismatch, match="no output 'logits'; it has 'output' FP32"):
        ask(renamed, few(samples))


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_a_server_that_is_busy_for_a_while_is_asked_again(
    way: str, mlserver: Live, samples: Samples, eager: Array
) -> None:
    busy = 503 if way == "http" else "RESOURCE_EXHAUSTED"
    with _running(way, mlserver, act=lambda number: busy if number in (1, 2, 5) else "pass") as gateway:
        measured = ask(project(_url(way, gateway)), few(samples, 128))
    np.testing.assert_allclose(measured.outputs["output"], eager[:128], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("act", ["reset", "half"])
def test_a_connection_that_breaks_once_is_made_anew(act: str, mlserver: Live, samples: Samples, eager: Array) -> None:
    with _running("http", mlserver, act=lambda number: act if number == 2 else "pass") as gateway:
        measured = ask(project(_url("http", gateway)), few(samples, 128))
    np.testing.assert_allclose(measured.outputs["output"], eager[:128], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_an_error_of_the_model_is_tried_once_more_and_told(way: str, mlserver: Live, samples: Samples) -> None:
    failure = 500 if way == "http" else "INTERNAL"
    with _running(way, mlserver, act=lambda number: failure) as gateway:
        with pytest.raises(ServerFailed, match=r"answered with an error, 2 times: .*as the test wants it"):
            ask(project(_url(way, gateway)), few(samples))
        assert gateway.inferences == 2


def test_a_request_that_is_wrong_is_not_repeated(mlserver: Live, samples: Samples) -> None:
    with _running("http", mlserver, act=lambda number: 422) as gateway:
        with pytest.raises(ServerFailed, match="HTTP 422"):
            ask(project(_url("http", gateway)), few(samples))
        assert gateway.inferences == 1


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_a_slow_server_is_given_its_time_and_no_more(way: str, mlserver: Live, samples: Samples) -> None:
    answered: list[int] = []

    def act(number: int) -> float:
        over.wait(60)
        answered.append(number)
        return 0.0

    over = threading.Event()
    with _running(way, mlserver, act=act) as gateway:
        with pytest.raises(ServerUnreachable, match=r"no answer within 0\.5 s") as slow:
            ask(project(_url(way, gateway), timeout_s=0.5), few(samples))
        assert answered == []
        over.set()
    assert slow.value.hint is not None
    assert "timeout_s" in slow.value.hint


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_a_token_is_sent_and_one_that_has_expired_is_told_by_its_variable_alone(
    way: str, mlserver: Live, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _running(way, mlserver, token=SECRET) as gateway:
        subject = project(_url(way, gateway), token_env=TOKEN)
        with pytest.raises(ServerRefused, match=f"'{TOKEN}' is not set"):
            ask(subject, few(samples))
        monkeypatch.setenv(TOKEN, SECRET)
        assert len(ask(subject, few(samples)).outputs["output"]) == 16
        monkeypatch.setenv(TOKEN, "expired-" + SECRET)
        with pytest.raises(ServerRefused, match=f"does not take the token in '{TOKEN}'") as refused:
            ask(subject, few(samples))
    assert gateway.inferences == 2
    assert SECRET not in _all_said(refused.value)


def test_what_is_no_token_is_neither_sent_nor_shown(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, f"{SECRET}\nX-Other: 1")
    with pytest.raises(ServerRefused, match="holds what no header can") as refused:
        ask(project("http://127.0.0.1:9/v2/models/digits", token_env=TOKEN), few(samples))
    assert SECRET not in _all_said(refused.value)


def test_a_gateway_may_hide_all_but_the_model(triton: Live, samples: Samples, eager: Array) -> None:
    hidden = ("/v2", "/v2/health/live", "/v2/models/digits/stats")
    with _running("http", triton, hidden=hidden) as gateway:
        measured = ask(project(_url("http", gateway)), few(samples), PROBE)
    np.testing.assert_allclose(measured.outputs["output"], eager[:16], rtol=1e-4, atol=1e-4)
    assert measured.server is not None
    assert measured.server.round_trip_ns is measured.server.queue_ns is measured.server.compute_ns is None
    assert measured.environment.runtime == "unknown server"


@pytest.mark.parametrize("page", [b"<html>hello</html>", b"{}", b"[1]", b'{"inputs": [{"name": 3}]}', b""])
def test_a_server_of_another_kind_is_told(page: bytes, samples: Samples) -> None:
    with gateways.over_http(Gateway(0, page=page)) as gateway, pytest.raises(ServingError) as other:
        ask(project(http(gateway)), few(samples))
    assert "not of the Open Inference Protocol" in str(other.value) or "does not say" in str(other.value)


def test_without_a_token_a_server_that_wants_one_is_told_apart(mlserver: Live, samples: Samples) -> None:
    with _running("http", mlserver, token=SECRET) as gateway, pytest.raises(ServerRefused, match="without a token"):
        ask(project(_url("http", gateway)), few(samples))


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_tls_is_taken_by_the_projects_authority_and_by_no_other(
    way: str, mlserver: Live, samples: Samples, tmp_path: Path
) -> None:
    right, wrong = certificate(tmp_path, "right"), certificate(tmp_path, "wrong")
    with _running(way, mlserver, tls=right) as gateway:
        url = _url(f"{way}s", gateway)
        assert len(ask(project(url, ca=str(right.cert)), few(samples)).outputs["output"]) == 16
        for ca in (str(wrong.cert), None):
            with pytest.raises(ServerUnreachable, match="certificate is not trusted"):
                ask(project(url, ca=ca), few(samples))
        with pytest.raises(SpecError, match=r"there is no .*none\.pem"):
            ask(project(url, ca="none.pem"), few(samples))


def test_without_the_client_the_extra_that_has_it_is_named(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="'tritonclient'") as missing:
        ask(project("grpc://127.0.0.1:9/digits"), few(samples))
    assert missing.value.hint == extra_hint("serving")


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_nobody_there_is_unreachable(way: str, samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "LONGEST_S", 0.1)
    gateway = Gateway(0, port=ServerPorts.free().http)
    with pytest.raises(ServerUnreachable, match=r"no answer from the server at .*, 6 times"):
        ask(project(_url(way, gateway)), few(samples))


def test_a_server_that_dies_half_way_leaves_what_came_and_the_next_probe_asks_for_the_rest(
    bundle: Bundle, samples: Samples, eager: Array, tmp_path: Path
) -> None:
    ports, gateway = ServerPorts.free(), Gateway(0)
    gateway.upstream = ports.http
    with gateways.over_http(gateway):
        subject = project(http(gateway))
        with servers.live(bundle, "mlserver", ports) as live:

            def kill(words: str) -> None:
                os.killpg(live.process.pid, signal.SIGKILL)

            with pytest.raises(ServingError) as dead:
                ask(subject, samples, shards=Shards(tmp_path, kill, first=320))
        assert isinstance(dead.value, ServerFailed)  # the gateway lives, and says 502
        assert dead.value.__notes__ == ["320 of 899 samples are kept: the same command goes on from there"]
        gateway.inferences = 0
        with servers.live(bundle, "mlserver", ports):
            measured = ask(subject, samples, shards=Shards(tmp_path, first=320))
    assert gateway.inferences == 1 + 19  # one alone, then the other 579 by 32
    np.testing.assert_allclose(measured.outputs["output"], eager, rtol=1e-4, atol=1e-4)
    assert not list(tmp_path.rglob("*.npz"))


def _port(live: Live) -> int:
    return int(live.url.split(":")[2].split("/")[0])


def _url(way: str, gateway: Gateway) -> str:
    return http(gateway, way) if way.startswith("http") else f"{way}://127.0.0.1:{gateway.port}/digits"


def _running(
    way: str, live: Live, tls: gateways.Certificate | None = None, **how: Any
) -> AbstractContextManager[Gateway]:
    upstream = _port(live) if way == "http" else int(live.grpc_url.split(":")[2].split("/")[0])
    run = gateways.over_http if way == "http" else gateways.over_grpc
    return run(Gateway(upstream, **how), tls)


def _all_said(error: BaseException) -> str:
    """What is shown of the error, hint, notes, causes and all."""
    return "".join(traceback.format_exception(error)) + str(getattr(error, "hint", ""))

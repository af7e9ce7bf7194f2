"""A gateway between a client and a server that misbehaves on demand: for HTTP, and for gRPC."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
Act = int | str | float
"""A status in place of the answer; `pass`, `reset` or `half` of the answer; or seconds to wait before it."""


@dataclass
class Gateway:
    """Behaviour of the gateway, and counts of what passed. `act` takes the number of the inference request, from 0."""

    upstream: int
    token: str | None = None
    act: Callable[[int], Act] = lambda number: "pass"
    hidden: tuple[str, ...] = ()
    """Paths of HTTP that it answers with 404."""
    page: bytes | None = None
    """Body that it answers to every HTTP request."""
    connections: int = 0
    inferences: int = 0
    port: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def next(self, path: str) -> Act:
        """Choose what to do with a request for an inference; all others pass."""
        if not path.endswith("/infer"):
            return "pass"
        with self._counting:
            number, self.inferences = self.inferences, self.inferences + 1
        return self.act(number)


@dataclass(frozen=True)
class Certificate:
    """One that vouches for itself."""

    cert: Path
    key: Path


def certificate(folder: Path, name: str) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    paths.cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return paths


@contextlib.contextmanager
def over_http(gateway: Gateway, tls: Certificate | None = None) -> Iterator[Gateway]:
    """Runs it for HTTP, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 20

        def setup(self) -> None:
            gateway.connections += 1
            super().setup()

        def do_GET(self) -> None:
            self._pass()

        def do_POST(self) -> None:
            self._pass()

        def log_message(self, *args: object) -> None:
            """Says nothing."""

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if gateway.token and self.headers.get("Authorization") != f"Bearer {gateway.token}":
                # As careless as some are: what it was given is in its answer.
                return self._answer(401, f'{{"error": "not valid: {self.headers.get("Authorization")}"}}'.encode(), {})
            if gateway.page is not None:
                return self._answer(200, gateway.page, {})
            if self.path in gateway.hidden:
                return self._answer(404, b"nothing here", {})
            act = gateway.next(self.path)
            if isinstance(act, float):
                time.sleep(act)
            if act == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                return None
            if isinstance(act, int):
                return self._answer(act, b'{"error": "as the test wants it"}', {})
            try:
                self._answer(*_asked(gateway.upstream, self, body), half=act == "half")
            except OSError:
                self._answer(502, b'{"error": "bad gateway"}', {})

        def _answer(self, status: int, body: bytes, headers: dict[str, str], half: bool = False) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if half else body)
            self.close_connection = self.close_connection or half

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that went away is none of its business."""

    server = Server((HOST, 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.cert, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    gateway.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _asked(port: int, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes, dict[str, str]]:
    kept = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "authorization")}
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(request.command, request.path, body, kept)
        answer = connection.getresponse()
        special = {
            name: value for name, value in answer.getheaders() if name.lower().startswith(("inference", "content-t"))
        }
        return answer.status, answer.read(), special
    finally:
        connection.close()


@contextlib.contextmanager
def over_grpc(gateway: Gateway, tls: Certificate | None = None) -> Iterator[Gateway]:
    """Runs it for gRPC: whatever the method, its bytes pass. A status is one of gRPC's own names."""
    onward = grpc.insecure_channel(f"{HOST}:{gateway.upstream}", [("grpc.enable_http_proxy", 0)])

    class Forward(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            given = dict(details.invocation_metadata)
            call = onward.unary_unary(details.method)

            def forward(body: bytes, context: grpc.ServicerContext) -> bytes:
                if gateway.token and given.get("authorization") != f"Bearer {gateway.token}":
                    context.abort(grpc.StatusCode.UNAUTHENTICATED, f"not valid: {given.get('authorization')}")
                act = gateway.next("/infer" if details.method.endswith("ModelInfer") else "")
                if isinstance(act, float):
                    time.sleep(act)
                elif act != "pass":
                    context.abort(grpc.StatusCode[str(act)], "as the test wants it")
                try:
                    return bytes(call(body, timeout=30))
                except grpc.RpcError as error:
                    context.abort(error.code(), error.details())
                    raise

            return grpc.unary_unary_rpc_method_handler(forward)

    pool = ThreadPoolExecutor(8)
    server = grpc.server(pool, handlers=(Forward(),), options=[("grpc.so_reuseport", 0)])
    if tls:
        identity = grpc.ssl_server_credentials([(tls.key.read_bytes(), tls.cert.read_bytes())])
        gateway.port = server.add_secure_port(f"{HOST}:0", identity)
    else:
        gateway.port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    try:
        yield gateway
    finally:
        server.stop(None).wait()
        pool.shutdown()
        onward.close()

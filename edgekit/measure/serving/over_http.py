"""The protocol over HTTP: tensors as bytes where the server takes them so, else as JSON."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from edgekit.ir.measurement import Array
from edgekit.measure.serving.bounded_http import BoundedConnection, Reply
from edgekit.measure.serving.open_inference import (
    NO_ANSWER,
    NONSENSE,
    Access,
    Fault,
    Kind,
    ServedTensor,
    ServerMetadata,
    Statistics,
    parse_metadata,
    statistics_of,
    unless_hidden,
)
from edgekit.measure.serving.signature_match import FORMATS
from edgekit.measure.serving.tensors import check_stated, of_bytes, of_json
from edgekit.untrusted import json_text

KINDS: dict[int, Kind] = {
    401: "refused",
    403: "refused",
    404: "unknown",
    408: "busy",
    429: "busy",
    502: "busy",
    503: "busy",
    504: "busy",
}
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Request:
    """Samples as they are sent: what the JSON says of them, and their bytes behind it, if any."""

    inputs: tuple[dict[str, Any], ...]
    raw: bytes


class Http:
    """A client of one connection, which is kept."""

    def __init__(self, access: Access) -> None:
        self._access, address = access, access.address
        context = ssl.create_default_context(cafile=str(access.ca) if access.ca else None) if address.secure else None
        self._connection = BoundedConnection(address.host, address.port, access.timeout_s, context)
        version = f"/versions/{quote(address.version, safe='')}" if address.version else ""
        self._base = f"{address.base}/v2"
        self._model = f"{self._base}/models/{quote(address.model, safe='')}{version}"

    def describe(self) -> ServerMetadata:
        server = unless_hidden(lambda: self._document(self._base))
        model = self._document(self._model)
        with self._faults():
            return parse_metadata(server, model)

    def live(self) -> bool:
        return self._reply("GET", f"{self._base}/health/live").status == http.HTTPStatus.OK

    def statistics(self) -> Statistics | None:
        counted = unless_hidden(lambda: self._document(f"{self._model}/stats"))
        with self._faults():
            return statistics_of(counted or {})

    def prepare(self, columns: Mapping[str, Array]) -> Request:
        stated = tuple(self._input(name, array) for name, array in columns.items())
        return Request(stated, b"".join(map(_raw, columns.values())) if self._access.binary else b"")

    def infer(self, prepared: Request, outputs: tuple[ServedTensor, ...]) -> dict[str, Array]:
        requested = [{"name": edge.name, "parameters": {"binary_data": self._access.binary}} for edge in outputs]
        head = json.dumps({"inputs": prepared.inputs, "outputs": requested}).encode()
        headers = {HEADER_LENGTH: str(len(head))} if prepared.raw else {}
        reply = self._reply("POST", f"{self._model}/infer", head + prepared.raw, headers)
        self._check(reply)
        with self._faults():
            return _tensors(reply, outputs, self._access.answer_bytes)

    def close(self) -> None:
        self._connection.close()

    def _input(self, name: str, array: Array) -> dict[str, Any]:
        stated = {"name": name, "shape": list(array.shape), "datatype": FORMATS[array.dtype.name]}
        if self._access.binary:
            return {**stated, "parameters": {"binary_data_size": array.nbytes}}
        return {**stated, "data": array.reshape(-1).tolist()}

    def _document(self, path: str) -> Any:
        reply = self._reply("GET", path)
        self._check(reply)
        with self._faults():
            return json_text.loads(reply.body)

    def _check(self, reply: Reply) -> None:
        """Raise Fault for any status but 200."""
        if reply.status != http.HTTPStatus.OK:
            wrong = 300 <= reply.status < 500
            words = f"HTTP {reply.status}: {reply.body.decode('utf-8', 'replace') or reply.reason}"
            raise Fault(KINDS.get(reply.status, "wrong" if wrong else "failed"), self._access.cleaned(words))

    def _reply(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = NO_HEADERS) -> Reply:
        with self._faults():
            sent = {**self._access.headers, **headers}
            return self._connection.request(method, path, body, sent, self._access.answer_bytes)

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """Convert exceptions of one request to Fault, without their cause, as that may repeat the token."""
        try:
            yield
        except Fault as fault:
            raise Fault(fault.kind, self._access.cleaned(fault)) from None
        except TimeoutError:
            raise Fault("slow", f"no answer within {self._access.timeout_s:g} s") from None
        except ssl.SSLError as error:
            raise Fault("untrusted", self._access.cleaned(error.reason or error)) from None
        except (http.client.LineTooLong, http.client.UnknownProtocol):
            raise Fault("wrong", NO_ANSWER) from None
        except (OSError, http.client.HTTPException) as error:  # the second: it ended early, or is no HTTP
            raise Fault("lost", self._access.cleaned(error) or type(error).__name__) from None
        except NONSENSE:
            raise Fault("wrong", NO_ANSWER) from None


def _raw(array: Array) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _tensors(reply: Reply, outputs: tuple[ServedTensor, ...], limit: int) -> dict[str, Array]:
    """Read the outputs of an answer, from its JSON or from the bytes behind it. Raises Fault, or one of NONSENSE."""
    length = reply.header(HEADER_LENGTH)
    end = int(length) if length and len(length) < 20 else len(reply.body)
    if not 0 <= end <= len(reply.body):
        raise Fault("invalid", f"'{HEADER_LENGTH}' says {end:,} of {len(reply.body):,} bytes")
    # Each number of an answer in JSON is a value of it.
    document = json_text.loads(reply.body[:end], max(json_text.MAX_VALUES, limit // 4))
    stated = {edge.name: edge for edge in outputs}
    behind = memoryview(reply.body)[end:]
    tensors: dict[str, Array] = {}
    for output in document["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None and not (type(size) is int and 0 <= size <= len(behind)):
            raise Fault("invalid", f"an output of {size} bytes, where {len(behind):,} are left")
        raw, behind = behind[: size or 0], behind[size or 0 :]
        edge = stated.get(output["name"])
        if edge is not None:
            shape = check_stated(edge, output["datatype"], output["shape"])
            tensors[edge.name] = of_json(edge, shape, output["data"]) if size is None else of_bytes(edge, shape, raw)
    return tensors

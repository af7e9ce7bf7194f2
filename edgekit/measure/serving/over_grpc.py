"""The protocol over gRPC, by tritonclient."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from edgekit.ir.measurement import Array
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
from edgekit.measure.serving.tensors import check_stated, of_bytes

KINDS: dict[str, Kind] = {
    "UNAUTHENTICATED": "refused",
    "PERMISSION_DENIED": "refused",
    "NOT_FOUND": "unknown",
    "INVALID_ARGUMENT": "wrong",
    "UNIMPLEMENTED": "wrong",
    "UNAVAILABLE": "lost",
    "RESOURCE_EXHAUSTED": "busy",
    "DEADLINE_EXCEEDED": "slow",
}
TLS = ("handshake", "certificate", "ssl_transport")
"""Words in gRPC's message of a failed TLS handshake, which has no status of its own."""
UNCOMPRESSED = 1
"""Identity alone (grpc_compression_options): gRPC limits a message as it was sent, and then inflates it."""
LARGER = "larger than max"
"""Words of the gRPC client when an answer exceeds the limit; its status is the same as of a busy server."""


class Grpc:
    """Client over one persistent gRPC connection."""

    def __init__(self, access: Access) -> None:
        self._access, address = access, access.address
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", access.answer_bytes)]
        options.append(("grpc.compression_enabled_algorithms_bitset", UNCOMPRESSED))
        # One connection for every client: gRPC would share one among all to the same server.
        options.append(("grpc.use_local_subchannel_pool", 1))
        if address.loopback:
            options.append(("grpc.enable_http_proxy", 0))
        trusted = access.ca.read_bytes() if access.ca else None
        self._client = triton.InferenceServerClient(
            address.authority,
            creds=grpc.ssl_channel_credentials(trusted) if address.secure else None,
            channel_args=options,
        )
        self._model = (address.model, address.version)
        self._how = {"headers": access.headers, "client_timeout": access.timeout_s}

    def describe(self) -> ServerMetadata:
        server = unless_hidden(lambda: self._call(self._client.get_server_metadata, as_json=True))
        model = self._call(self._client.get_model_metadata, *self._model, as_json=True)
        with self._faults():
            return parse_metadata(server, model)

    def live(self) -> bool:
        return bool(unless_hidden(lambda: self._call(self._client.is_server_live)))

    def statistics(self) -> Statistics | None:
        statistics = self._client.get_inference_statistics
        counted = unless_hidden(lambda: self._call(statistics, *self._model, as_json=True))
        with self._faults():
            return statistics_of(counted or {})

    def prepare(self, columns: Mapping[str, Array]) -> list[Any]:
        return [
            triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)).set_data_from_numpy(array)
            for name, array in columns.items()
        ]

    def infer(self, prepared: Any, outputs: tuple[ServedTensor, ...]) -> dict[str, Array]:
        with self._faults():
            requested = [triton.InferRequestedOutput(edge.name) for edge in outputs]
            result = self._client.infer(self._model[0], prepared, self._model[1], outputs=requested, **self._how)
            return _tensors(result.get_response(), outputs)

    def close(self) -> None:
        self._client.close()

    def _call(self, request: Callable[..., Any], *which: str, **how: bool) -> Any:
        with self._faults():
            return request(*which, **self._how, **how)

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """Convert exceptions of one request to Fault, without their cause, as that may repeat the token."""
        try:
            yield
        except InferenceServerException as error:
            words = self._access.cleaned(error.message())
            kind = KINDS.get((error.status() or "").removeprefix("StatusCode."), "failed")
            if kind == "lost" and any(word in words.lower() for word in TLS):
                kind = "untrusted"
            if kind == "busy" and LARGER in words:
                kind, words = "invalid", f"its answer has more than the {self._access.answer_bytes:,} bytes it may have"
            if kind == "slow":
                words = f"no answer within {self._access.timeout_s:g} s"
            raise Fault(kind, words) from None
        except Fault as fault:
            raise Fault(fault.kind, self._access.cleaned(fault)) from None
        except NONSENSE:
            raise Fault("wrong", NO_ANSWER) from None


def _tensors(response: Any, outputs: tuple[ServedTensor, ...]) -> dict[str, Array]:
    """Read the outputs of an answer, whose bytes are beside their descriptions. Raises Fault."""
    stated = {edge.name: edge for edge in outputs}
    tensors: dict[str, Array] = {}
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        edge = stated.get(output.name)
        if edge is not None:
            tensors[edge.name] = of_bytes(edge, check_stated(edge, output.datatype, list(output.shape)), raw)
    return tensors

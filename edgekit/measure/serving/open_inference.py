"""Client of the Open Inference Protocol, version 2: the part that HTTP and gRPC share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from edgekit.ir.measurement import Array
from edgekit.specs.reference import Address
from edgekit.untrusted.sanitize import line

T = TypeVar("T")
Kind = Literal["lost", "busy", "failed", "refused", "slow", "untrusted", "unknown", "wrong", "invalid"]
BINARY = "binary_tensor_data"
"""The extension of a server that takes tensors as bytes over HTTP; the protocol itself has JSON."""
HIDDEN: tuple[Kind, ...] = ("unknown", "wrong", "refused", "failed")
"""Faults by which a server, or a gateway before it, tells that it lacks an optional part of the protocol."""
NO_ANSWER = "what it answered is not of the Open Inference Protocol"
NONSENSE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, IndexError)
"""Exceptions raised while reading an answer that does not follow the protocol."""
MAX_EDGES, MAX_AXES = 1000, 32
SAID = 300
"""Characters of a server's own words that an error shows."""
SERVER, SHORT = 100, 20
"""Characters kept of a server's name and version, and of a datatype."""


class Fault(Exception):
    """Failure of one request, by kind.

    lost: no connection, or it broke; busy: the server asks to come back; failed: it could not do it; refused: it does
    not let us in; slow: no answer in time; untrusted: TLS; unknown: no such model; wrong: it does not take the request;
    invalid: an answer that cannot be one, by the metadata or by its size.
    """

    def __init__(self, kind: Kind, words: str) -> None:
        super().__init__(words)
        self.kind: Kind = kind


@dataclass(frozen=True)
class ServedTensor:
    """One input or output of the served model, as its metadata states it."""

    name: str
    datatype: str
    """Datatype in the protocol's terms, such as FP32 or UINT8."""
    shape: tuple[int, ...]
    """Shape with the batch axis; -1 stands for any size."""

    def __str__(self) -> str:
        return f"{self.datatype}{list(self.shape)}"


@dataclass(frozen=True)
class ServerMetadata:
    """Metadata of a server and of one model that it serves."""

    server: str
    """Name and version of the server."""
    extensions: tuple[str, ...]
    inputs: tuple[ServedTensor, ...]
    outputs: tuple[ServedTensor, ...]

    @property
    def binary(self) -> bool:
        """True if the server takes tensors as bytes over HTTP."""
        return BINARY in self.extensions


@dataclass(frozen=True)
class Statistics:
    """Counters of a server for one model since it started: answered requests, and total nanoseconds."""

    count: int
    queue_ns: int
    compute_ns: int

    def since(self, before: Statistics) -> Statistics:
        return Statistics(
            self.count - before.count, self.queue_ns - before.queue_ns, self.compute_ns - before.compute_ns
        )


@dataclass(frozen=True)
class Access:
    """Settings of the requests to one server."""

    address: Address
    timeout_s: float
    """Time limit of one request, connecting included."""
    token: str | None = None
    token_env: str | None = None
    """Environment variable of the token, named in the error when the server refuses it."""
    ca: Path | None = None
    batch: int = 32
    concurrency: int = 4
    answer_bytes: int = 1 << 20
    """Limit of one answer; the default is for metadata."""
    binary: bool = True
    """True if the server takes tensors as bytes over HTTP. Over gRPC all do."""

    def __repr__(self) -> str:
        return f"Access({self.address})"  # a traceback must not show the token

    @property
    def headers(self) -> dict[str, str]:
        """Authorization header as a new dictionary every time, since the gRPC client writes into it."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def cleaned(self, words: object) -> str:
        """Shorten a server's own words to one printable line, with the token replaced should the server repeat it."""
        text = " ".join(line(str(words)).split())
        return (text.replace(self.token, "…") if self.token else text)[:SAID]


class Client(Protocol):
    """One connection to a server, for one thread. Every method raises Fault."""

    def describe(self) -> ServerMetadata: ...

    def live(self) -> bool:
        """Send an empty request; False where a gateway hides the path for it."""
        ...

    def statistics(self) -> Statistics | None:
        """Read the counters of the model; None where the server has none."""
        ...

    def prepare(self, columns: Mapping[str, Array]) -> Any:
        """Serialize samples, by the served model's names; the result can be sent any number of times."""
        ...

    def infer(self, prepared: Any, outputs: tuple[ServedTensor, ...]) -> dict[str, Array]:
        """Send a request and read the outputs by the served names, each of the type and shape in its metadata."""
        ...

    def close(self) -> None: ...


def statistics_of(document: Mapping[str, Any]) -> Statistics | None:
    """Read Triton's statistics; None if they name no model. The protocol's 64-bit integers may be text."""
    if not document.get("model_stats"):
        return None
    counted = [model["inference_stats"] for model in document["model_stats"]]

    def total(key: str, value: str) -> int:
        return sum(_integer(stats.get(key, {}).get(value, 0), 0) for stats in counted)

    compute = sum(total(f"compute_{part}", "ns") for part in ("input", "infer", "output"))
    return Statistics(total("success", "count"), total("queue", "ns"), compute)


def unless_hidden(request: Callable[[], T]) -> T | None:
    """Call an optional request of the protocol; None if the server does not have it. Raises Fault."""
    try:
        return request()
    except Fault as fault:
        if fault.kind in HIDDEN:
            return None
        raise


def parse_metadata(server: Mapping[str, Any] | None, model: Mapping[str, Any]) -> ServerMetadata:
    """Combine the metadata of the server, if it has any, and of the model. Raises ValueError and others of NONSENSE."""
    server = server or {}
    return ServerMetadata(
        server=line(f"{server.get('name', 'unknown server')} {server.get('version', '')}".strip(), SERVER),
        extensions=tuple(map(str, server.get("extensions", ()))),
        inputs=_edges(model.get("inputs", ())),
        outputs=_edges(model.get("outputs", ())),
    )


def _edges(stated: Any) -> tuple[ServedTensor, ...]:
    if len(stated) > MAX_EDGES or any(len(edge["shape"]) > MAX_AXES for edge in stated):
        raise ValueError("more than any model has")
    return tuple(map(_edge, stated))


def _edge(stated: Mapping[str, Any]) -> ServedTensor:
    name, datatype = stated["name"], stated["datatype"]
    if not isinstance(name, str) or not isinstance(datatype, str) or len(name) > SAID:
        raise ValueError("names are texts")
    return ServedTensor(name, datatype[:SHORT], tuple(_integer(size, -1) for size in stated["shape"]))


def _integer(stated: Any, least: int) -> int:
    """Parse a 64-bit integer, which may be text in the protocol's JSON. Raises ValueError if it is below `least`."""
    number = int(stated) if len(str(stated)) <= 20 else -2
    if not least <= number < 1 << 63:
        raise ValueError(f"no integer from {least}")
    return number

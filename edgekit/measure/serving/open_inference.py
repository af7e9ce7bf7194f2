"""One connection to a server that speaks the Open Inference Protocol, version 2: what HTTP and gRPC have in common."""

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
"""How a server, or a gateway before it, says that it does not have what the protocol leaves open."""
NO_ANSWER = "what it answered is not of the Open Inference Protocol"
NONSENSE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, IndexError)
"""What is raised where an answer has another form than the protocol's."""
MAX_EDGES, MAX_AXES = 1000, 32
SAID = 300
"""Characters of a server's own words that are shown."""
SERVER, SHORT = 100, 20
"""The same of its name and version, and of a type."""


class Fault(Exception):
    """What went wrong with one request.

    lost: no connection, or it broke; busy: the server asks to come back; failed: it could not do it; refused: it does
    not let us in; slow: no answer in time; untrusted: TLS; unknown: no such model; wrong: it does not take the request;
    invalid: an answer that cannot be one, by the metadata or by its size.
    """

    def __init__(self, kind: Kind, said: str) -> None:
        super().__init__(said)
        self.kind: Kind = kind


@dataclass(frozen=True)
class ServedTensor:
    """One input or output of the served model, as its metadata says it."""

    name: str
    datatype: str
    """As the protocol names it: FP32, UINT8."""
    shape: tuple[int, ...]
    """With the batch axis; -1 is any size."""

    def __str__(self) -> str:
        return f"{self.datatype}{list(self.shape)}"


@dataclass(frozen=True)
class ServerMetadata:
    """What a server says of itself and of the model."""

    server: str
    """Name and version."""
    extensions: tuple[str, ...]
    inputs: tuple[ServedTensor, ...]
    outputs: tuple[ServedTensor, ...]

    @property
    def binary(self) -> bool:
        """Whether it takes tensors as bytes over HTTP."""
        return BINARY in self.extensions


@dataclass(frozen=True)
class Statistics:
    """What a server has counted of a model since it started: requests that it answered, and nanoseconds in all."""

    count: int
    queue_ns: int
    compute_ns: int

    def since(self, before: Statistics) -> Statistics:
        return Statistics(
            self.count - before.count, self.queue_ns - before.queue_ns, self.compute_ns - before.compute_ns
        )


@dataclass(frozen=True)
class Access:
    """How a server is asked."""

    address: Address
    timeout_s: float
    """Of one request, connecting included."""
    token: str | None = None
    token_env: str | None = None
    """Where the token is from, for who is told that it was refused."""
    ca: Path | None = None
    batch: int = 32
    concurrency: int = 4
    answer_bytes: int = 1 << 20
    """Limit of one answer, of metadata to begin with."""
    binary: bool = True
    """Whether the server takes tensors as bytes over HTTP. Over gRPC all do."""

    def __repr__(self) -> str:
        return f"Access({self.address})"  # a traceback must not show the token

    @property
    def headers(self) -> dict[str, str]:
        """A new one every time: the client writes into what it is given."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def cleaned(self, said: object) -> str:
        """A server's own words, short, and without the token should it repeat that."""
        text = " ".join(line(str(said)).split())
        return (text.replace(self.token, "…") if self.token else text)[:SAID]


class Client(Protocol):
    """One connection. Not for two threads. Every method raises Fault."""

    def describe(self) -> ServerMetadata: ...

    def live(self) -> bool:
        """An empty request and its answer; False where a gateway hides what answers it."""
        ...

    def statistics(self) -> Statistics | None:
        """None where the server has none."""
        ...

    def prepare(self, columns: Mapping[str, Array]) -> Any:
        """Samples by the served model's names, ready to be sent as often as one likes."""
        ...

    def infer(self, prepared: Any, outputs: tuple[ServedTensor, ...]) -> dict[str, Array]:
        """The answer by the served names: of each output the type and shape that its metadata states."""
        ...

    def close(self) -> None: ...


def statistics_of(document: Mapping[str, Any]) -> Statistics | None:
    """From Triton's answer; None if there is nothing of the model in it. The protocol's 64-bit integers may be text."""
    if not document.get("model_stats"):
        return None
    counted = [model["inference_stats"] for model in document["model_stats"]]

    def total(key: str, value: str) -> int:
        return sum(_integer(stats.get(key, {}).get(value, 0), 0) for stats in counted)

    compute = sum(total(f"compute_{part}", "ns") for part in ("input", "infer", "output"))
    return Statistics(total("success", "count"), total("queue", "ns"), compute)


def unless_hidden(request: Callable[[], T]) -> T | None:
    """What a request gives that a server need not know; None if this one does not. Raises Fault."""
    try:
        return request()
    except Fault as fault:
        if fault.kind in HIDDEN:
            return None
        raise


def described(server: Mapping[str, Any] | None, model: Mapping[str, Any]) -> ServerMetadata:
    """From the metadata of the server, if it was to be had, and of the model."""
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
    """A 64-bit integer, which the protocol's JSON may have as text. Raises ValueError, also if it is below `least`."""
    number = int(stated) if len(str(stated)) <= 20 else -2
    if not least <= number < 1 << 63:
        raise ValueError(f"no integer from {least}")
    return number

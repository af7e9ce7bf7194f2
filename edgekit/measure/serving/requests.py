"""Send many samples to a server in concurrent batches, and join the answers in order."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from edgekit.errors import ServerFailed, ServerUnreachable
from edgekit.ir.measurement import Array
from edgekit.measure.serving.connect import connect
from edgekit.measure.serving.open_inference import Access, Client
from edgekit.measure.serving.retry import with_retries
from edgekit.measure.serving.signature_match import SignatureMatch
from edgekit.samples import Samples

T = TypeVar("T")
Outputs = dict[str, Array]
LOG = "look at the server's log"
START_S, SAMPLE_S = 60.0, 1.0
"""Time limit of many requests: to begin, and on average for each sample."""


@contextlib.contextmanager
def open_client(access: Access) -> Iterator[Client]:
    """Yield a client for this thread alone, and close it afterwards."""
    client = connect(access)
    try:
        yield client
    finally:
        client.close()


@dataclass(frozen=True)
class Requests:
    """Batches of requests to a server whose model matches the project's."""

    access: Access
    edges: SignatureMatch

    @property
    def batch(self) -> int:
        return 1 if self.edges.single else self.access.batch

    def answers(self, samples: Samples) -> Outputs:
        """Get every output, [N, …] by the project's name: float32, or the server's integers. Raises a ServingError."""
        starts = range(0, len(samples), self.batch)
        lanes = min(self.access.concurrency, len(starts))
        limit = Limit(self.access, len(samples))
        pool = ThreadPoolExecutor(lanes)
        try:
            work = [pool.submit(self._lane, samples, starts[i::lanes], limit) for i in range(lanes)]
            wait(work, return_when=FIRST_EXCEPTION)
        except BaseException:
            limit.stopped = True
            pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C does not wait for an answer
            raise
        limit.stopped = True  # for the lanes that are left, if one failed
        pool.shutdown()
        parts = dict(part for lane in _failed_first(work) for part in lane.result())
        return {name: np.concatenate([parts[start][name] for start in starts]) for name in self.edges.outputs}

    def answer(self, client: Client, prepared: object, count: int) -> Outputs:
        """Send one request of `count` samples and check its answer. Raises a ServingError."""
        given = with_retries(partial(client.infer, prepared, tuple(self.edges.outputs.values())), self.access)
        return {
            name: self._checked(edge.name, given.get(edge.name), count) for name, edge in self.edges.outputs.items()
        }

    def _lane(self, samples: Samples, starts: Sequence[int], limit: Limit) -> list[tuple[int, Outputs]]:
        parts = []
        with open_client(self.access) as client:
            for start in starts:
                if limit.stopped:
                    break
                limit.check()
                part = samples.take(np.arange(start, min(start + self.batch, len(samples))))
                parts.append((start, self.answer(client, client.prepare(self.edges.columns(part)), len(part))))
        return parts

    def _checked(self, served: str, array: Array | None, count: int) -> Array:
        if array is None or array.ndim == 0 or len(array) != count:
            rows = "nothing" if array is None else f"{list(array.shape)}"
            raise ServerFailed(
                f"{self.access.address} answered {rows} as '{served}' to {count} samples",
                hint=LOG,
            )
        if not np.isfinite(array).all():
            raise ServerFailed(
                f"{self.access.address} answered values that are not finite as '{served}'",
                hint=LOG,
            )
        return array.astype(np.float32) if array.dtype.kind == "f" else array


def _failed_first(work: Sequence[Future[T]]) -> list[Future[T]]:
    """Order the work with failures first, so that the failure is raised and not its consequences."""
    return sorted(work, key=lambda lane: lane.exception() is None)


class Limit:
    """Deadline of many requests, and the flag `stopped` that ends them earlier."""

    def __init__(self, access: Access, samples: int, more_s: float = 0.0) -> None:
        self._access, self._seconds = access, START_S + SAMPLE_S * samples + more_s
        self._deadline = time.monotonic() + self._seconds
        self.stopped = False

    def check(self) -> None:
        """Raise ServerUnreachable when the deadline has passed."""
        if time.monotonic() > self._deadline:
            raise ServerUnreachable(
                f"{self._access.address} is too slow: not through after {self._seconds:.0f} s",
                hint="fewer samples: --samples N; or more at once: reference.concurrency",
            )

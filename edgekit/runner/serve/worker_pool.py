"""The workers of the served bundle, and the queue before them."""

from __future__ import annotations

import json
import selectors
import sys
import time
from collections import deque
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from ..counts.time_counter import TimeCounter
from .frame import WorkerAnswer
from .statistics import ModelStatistics
from .worker_process import Ticket, WorkerProcess

if TYPE_CHECKING:
    from .served_slot import ServedBundle

LOAD_S = 300.0
"""Time limit of loading a model: a GPU's kernels are compiled then."""
ATTEMPTS = 2
"""Workers that a request may bring down before it is given up."""
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before another worker is started, by how often one has failed in a row."""


class PoolSettings(NamedTuple):
    """Settings of a pool."""

    workers: int
    threads: int
    queue: int
    """Requests that may wait; one more is answered by 503."""
    limit_s: float
    """Time limit of one inference: a worker that takes longer is ended."""


class WorkerPool:
    """Workers of one bundle, replaced one by one when another bundle is served.

    Requests go to the new bundle from the moment at which one of its workers has loaded it; the old workers end after
    the answers that they are at. So there is one worker more than `settings.workers` for a while, and never two more.
    """

    def __init__(self, selector: selectors.BaseSelector, settings: PoolSettings) -> None:
        self._selector, self._settings = selector, settings
        self._queue: deque[Ticket] = deque()
        self._workers: list[WorkerProcess] = []
        self._failures, self._again = 0, 0.0
        self.wanted: ServedBundle | None = None
        self.live: ServedBundle | None = None
        """Bundle that answers; None if none does."""
        self.metadata: dict[str, Any] = {}
        self.statistics = ModelStatistics()
        self._times: TimeCounter | None = None
        self.why = "no model is loaded yet"
        """Reason why nothing is live, or why what is wanted is not."""

    def serve(self, bundle: ServedBundle) -> None:
        """Serve that bundle from the moment at which a worker has loaded it; the one that is live answers till then."""
        self.wanted, self._failures, self._again = bundle, 0, 0.0
        self.tick()

    def take_out(self, why: str) -> None:
        """Answer no more requests: what is served must not be."""
        self.wanted = self.live = None
        self.why = why
        _say(f"taken out: {why}")
        for worker in list(self._workers):
            worker.end()
        self._refuse_all(503, why)

    def submit(self, ticket: Ticket) -> None:
        """Queue a request; its answer may come at once."""
        if self.live is None:
            self._refuse(ticket, 503, f"no model is served: {self.why}")
        elif len(self._queue) >= self._settings.queue:
            self._refuse(ticket, 503, f"{len(self._queue)} requests wait already: come back later")
        else:
            self._queue.append(ticket)
            self._dispatch()

    @property
    def waiting(self) -> int:
        """Count of requests in the queue or with a worker."""
        return len(self._queue) + sum(len(worker.tickets) for worker in self._workers)

    @property
    def ready_workers(self) -> int:
        """Count of workers that answer for what is live."""
        return sum(worker.is_ready and worker.bundle == self.live for worker in self._workers)

    def tick(self) -> None:
        """End what hangs, and start what is missing. To be called a few times a second."""
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.tickets and now - worker.since > self._settings.limit_s:
                self._give_up(worker)
            elif not worker.is_ready and not worker.ended and now - worker.since > LOAD_S:
                worker.why = f"its model was not loaded within {LOAD_S:g} s"
                worker.end()
        self._start_missing(now)
        if self._times:
            self._times.tick()
            self.statistics.lost_rows = self._times.lost_rows

    def close(self) -> None:
        """End all workers."""
        if self._times:
            self._times.close()
        self.wanted = self.live = None
        for worker in list(self._workers):
            worker.finish()

    def _start_missing(self, now: float) -> None:
        if self.wanted is None or now < self._again:
            return
        count = sum(worker.bundle == self.wanted for worker in self._workers)
        is_loading = any(not worker.is_ready for worker in self._workers)
        # One at a time: a device must bear the memory of one more.
        if count < self._settings.workers and not is_loading and len(self._workers) <= self._settings.workers:
            try:
                self._workers.append(WorkerProcess(self._selector, self.wanted, self._settings.threads, self))
            except OSError as error:
                self._count_failure(self.wanted, f"its Python does not start: {error}")

    def loaded(self, worker: WorkerProcess) -> None:
        """Take note that a worker has loaded its model."""
        if worker.bundle == self.wanted and self.live != self.wanted:
            self._go_live(worker)
        if worker.bundle != self.live:
            worker.end()
            return
        self._dispatch()
        self._start_missing(time.monotonic())

    def answered(self, worker: WorkerProcess, ticket: Ticket, answer: WorkerAnswer) -> None:
        """Pass an answer on."""
        whole_ns = perf_counter_ns() - ticket.arrived_ns
        if answer.status == 200:
            times_ns = answer.input_ns, answer.infer_ns, answer.output_ns
            self.statistics.succeeded(whole_ns, ticket.queue_ns, *times_ns)
            self._failures = 0
        else:
            self.statistics.failed(whole_ns)
        ticket.answered(answer)
        if self._times and answer.status == 200:
            self._times.answered(whole_ns, ticket.queue_ns)
        elif self._times:
            self._times.refused(answer.status)
        if worker.is_idle and worker.bundle != self.live:
            worker.end()
        else:
            self._dispatch()

    def _go_live(self, worker: WorkerProcess) -> None:
        self.live, self.metadata, self.statistics = worker.bundle, worker.metadata or {}, ModelStatistics()
        self._failures, self.why = 0, ""
        if self._times:
            self._times.close()
        self._times = TimeCounter(worker.bundle.slot.parent, worker.bundle.digest)
        _say(f"'{worker.bundle.name}' {worker.bundle.version} is served")
        for other in list(self._workers):
            if other.is_idle and other.bundle != self.live:
                other.end()

    def ended(self, worker: WorkerProcess) -> None:
        """Forget a worker, and queue its requests once more unless it is they that bring workers down."""
        self._workers.remove(worker)
        for ticket in reversed(worker.tickets):
            if ticket.attempts < ATTEMPTS:
                self._queue.appendleft(ticket)
            else:
                self._refuse(ticket, 500, f"{ATTEMPTS} workers ended as they answered this: {worker.why}")
        worker.tickets.clear()
        if worker.bundle == self.wanted:
            self._count_failure(worker.bundle, worker.why)
        if not any(other.is_ready and other.bundle == self.live for other in self._workers):
            self._without_workers()
        self._start_missing(time.monotonic())
        self._dispatch()

    def _count_failure(self, bundle: ServedBundle, why: str) -> None:
        self._failures += 1
        self._again = time.monotonic() + BACKOFF_S[min(self._failures, len(BACKOFF_S)) - 1]
        self.why = why
        _say(f"a worker of '{bundle.name}' {bundle.version} ended: {why}")

    def _without_workers(self) -> None:
        """No worker is left that could answer: wait for the next, unless none comes up."""
        if self.live is not None and (self.live != self.wanted or self._failures >= len(BACKOFF_S)):
            self.live = None
        if self.live is None:
            self._refuse_all(503, f"no model is served: {self.why}")

    def _dispatch(self) -> None:
        if not self._queue or self.live is None:
            return
        batch = self.metadata.get("batch", 1)
        for worker in list(self._workers):
            if not worker.is_idle or worker.bundle != self.live:
                continue
            tickets: list[Ticket] = []
            while self._queue and len(tickets) < batch:
                ticket = self._queue.popleft()
                if not ticket.is_gone:
                    tickets.append(ticket)
            if not tickets:
                return
            self.statistics.executed()
            worker.give(tickets)

    def _give_up(self, worker: WorkerProcess) -> None:
        for ticket in worker.tickets:
            self._refuse(ticket, 504, f"there was no answer within {self._settings.limit_s:g} s")
        worker.tickets.clear()
        worker.why = f"it gave no answer within {self._settings.limit_s:g} s"
        worker.end()

    def _refuse_all(self, status: int, why: str) -> None:
        while self._queue:
            self._refuse(self._queue.popleft(), status, why)

    def _refuse(self, ticket: Ticket, status: int, why: str) -> None:
        self.statistics.failed(perf_counter_ns() - ticket.arrived_ns)
        ticket.answered(refusal(status, why))
        if self._times:
            self._times.refused(status)


def refusal(status: int, why: str) -> WorkerAnswer:
    """Answer that is an error of the protocol."""
    return WorkerAnswer(status, None, 0, 0, 0, json.dumps({"error": why}).encode())


def _say(words: str) -> None:
    print(f"edgekit serve: {words}", file=sys.stderr, flush=True)

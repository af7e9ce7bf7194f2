"""Campaign over cells: each with a time limit and away from this process, some at once, gone on with after a stop."""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from operator import itemgetter
from pathlib import Path

from scripts.coverage_table.cell import BACKENDS, PRECISIONS, measured
from scripts.coverage_table.record import Cell, Key, Outcome, read_as
from scripts.coverage_table.registry import ARCHITECTURES

PROCESSES = multiprocessing.get_context("forkserver")
"""Processes that begin with torch imported, which is half of the time of a small cell."""
PRELOAD = ("scripts.coverage_table.campaign", "torch.export", "torchao.quantization.pt2e.quantize_pt2e")


Target = Callable[[Key, Path, Connection], None]


@dataclass
class Campaign:
    """Cells to measure, and the file of records that they are appended to as they end."""

    records: Path
    work: Path
    limit_s: float
    at_once: int
    target: Target
    """Function that measures a cell in its process, and sends the record."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Version of what a cell depends on, by architecture: a record of another one is out of date."""
    kind: type[Outcome] = Cell
    """Class of the records."""
    commit: str = ""
    """Commit that the records name."""
    together: Callable[[Key], object] = itemgetter(slice(2))
    """What cells have in common that follow each other in one process: their architecture and their backend."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, keys: Iterable[Key]) -> None:
        """Measure the cells of which the file has no record of today's source, in this order."""
        done = read_as(self.kind, self.records)
        left = [key for key in keys if key not in done or done[key].source != self.sources[key[0]]]
        print(f"{len(left)} cells to measure", flush=True)
        with ThreadPoolExecutor(self.at_once) as pool:
            list(pool.map(self.measure, (list(row) for _, row in itertools.groupby(left, self.together))))

    def measure(self, row: Sequence[Key]) -> list[Outcome]:
        """Measure cells in one process, and append their records as they end.

        What follows a cell that ends its process is measured in a new one.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(row):
            outcomes += self._measured(row[len(outcomes) :])
        return outcomes

    def _measured(self, row: Sequence[Key]) -> list[Outcome]:
        """Measure cells in one process until all are, or one ends it."""
        receiver, sender = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=_answer_all, args=(self.target, row, self.work, sender))
        process.start()
        sender.close()
        outcomes: list[Outcome] = []
        for key in row:
            started = time.monotonic()
            cell = replace(self._received(receiver, process, key), commit=self.commit)
            if cell.outcome in ("crashed", "timeout"):
                cell = replace(cell, seconds=round(time.monotonic() - started, 1))
            with self._lock, self.records.open("a", encoding="utf-8") as file:
                file.write(f"{cell.to_json()}\n")
            print(line(cell), flush=True)
            outcomes.append(cell)
            if cell.outcome in ("crashed", "timeout"):
                break
        _end(process, 0.0 if outcomes[-1].outcome == "timeout" else 20.0)
        return outcomes

    def _received(self, receiver: Connection, process: BaseProcess, key: Key) -> Outcome:
        """Record that the process sends, or that of its end without one."""
        version = self.sources.get(key[0], "")
        blank = self.kind(*key, outcome="timeout", source=version, weights=ARCHITECTURES[key[0]].weights)
        if not receiver.poll(self.limit_s):
            return replace(blank, message=f"not finished within {self.limit_s:.0f} s")
        try:
            sent = receiver.recv()
        except EOFError:
            process.join(10)
            return replace(blank, outcome="crashed", message=_cause(process.exitcode))
        return sent if isinstance(sent, Outcome) else replace(blank, outcome="crashed", message=str(sent)[:600])


def preload(work: Path) -> None:
    """Have all cells begin with what they import, one thread, and installed models in the folder `work`."""
    os.environ |= {"OMP_NUM_THREADS": "1", "EDGEKIT_DATA": str(work / "data")}
    PROCESSES.set_forkserver_preload(list(PRELOAD))


def chosen(names: list[str], backends: list[str], precisions: list[str]) -> Iterator[Key]:
    """Cells in the order of measuring: all of an architecture with one backend follow each other; none named means all.

    They share what the process has imported, and its converter.
    """
    for name in names or ARCHITECTURES:
        for backend in backends or BACKENDS:
            for precision in precisions or PRECISIONS:
                yield name, backend, precision


def line(cell: Outcome) -> str:
    """Outcome of a cell for a terminal."""
    head = f"{cell.architecture} {cell.backend} {cell.precision}: {cell.outcome}, {cell.seconds:.0f} s"
    return f"{head}, {cell.figures}" if cell.outcome == "works" else f"{head}, {cell.code} {cell.message[:200]}"


def answer(key: Key, work: Path, sender: Connection) -> None:
    """Measure a cell, in its process, and send its record, or the words of an error that is none of edgekit's."""
    send(measured, key, work, sender)


def send(measure: Callable[..., Outcome], key: Key, work: Path, sender: Connection) -> None:
    """Send what `measure` returns for a cell, or the words of its error."""
    try:
        sender.send(measure(*key, work))
    except Exception as error:  # noqa: BLE001  the record says so
        sender.send(f"{type(error).__name__}: {error}")


def _answer_all(target: Target, row: Sequence[Key], work: Path, sender: Connection) -> None:
    """Measure cells one after the other, in a group of processes of its own."""
    os.setsid()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    for key in row:
        target(key, work, sender)


def _cause(code: int | None) -> str:
    """Ending of a process that sent nothing."""
    if code is None:
        return "the process closed its pipe and goes on"
    return f"the process was killed by {signal.Signals(-code).name}" if code < 0 else f"the process ended with {code}"


def _end(process: BaseProcess, patience_s: float) -> None:
    """End the cell with all its children: a converter that hangs holds memory."""
    process.join(patience_s)
    if process.pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()

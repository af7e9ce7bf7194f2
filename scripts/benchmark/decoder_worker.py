"""Process that generates texts by one decoder, whenever a line on standard input asks for one.

A line is JSON: {"prompt": [1, 403], "count": 64}; so is each answer: {"tokens": …, "first_s": …, "rest_s": …,
"first_cpu_s": …, "rest_cpu_s": …, "grown": …, "peak_bytes": …, "empty_bytes": …}. CPU times are of all threads; "grown"
has the resident memory behind the first token and behind the last. It ends with its input. Each decoder has a process,
so that each has its own memory, and decoders can take turns.

    python -m scripts.benchmark.decoder_worker SLOT THREADS     # edgekit's: SLOT is a folder with a bundle's files
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Protocol

import numpy as np


class Decoder(Protocol):
    """Language model that reads tokens and gives the logits of the next one."""

    def reset(self) -> None: ...
    def prefill(self, tokens: Sequence[int]) -> Any: ...
    def decode(self, token: int) -> Any: ...


def serve(load: Callable[[], Decoder]) -> None:
    """Load a decoder, then answer each line of standard input."""
    # numpy, in which every decoder gives logits, counts as no decoder's own memory: it does something here already.
    np.zeros((8, 8), np.float32) @ np.zeros((8, 8), np.float32)
    empty = _status_bytes("VmRSS")
    decoder = load()
    for line in sys.stdin:
        job = json.loads(line)
        decoder.reset()
        began = Clock()
        tokens = [int(decoder.prefill(job["prompt"]).argmax())]
        first, grown = Clock(), [_status_bytes("VmRSS")]
        rest = Clock()
        while len(tokens) < job["count"]:
            tokens.append(int(decoder.decode(tokens[-1]).argmax()))
        ended = Clock()
        grown.append(_status_bytes("VmRSS"))
        times = {"first_s": first.wall_s - began.wall_s, "first_cpu_s": first.cpu_s - began.cpu_s}
        times |= {"rest_s": ended.wall_s - rest.wall_s, "rest_cpu_s": ended.cpu_s - rest.cpu_s}
        memory = {"grown": grown, "peak_bytes": _status_bytes("VmHWM"), "empty_bytes": empty}
        print(json.dumps({"tokens": tokens, **times, **memory}), flush=True)


class Clock:
    """Moment of a process: seconds on the wall, and seconds of CPU of all its threads."""

    def __init__(self) -> None:
        self.wall_s, self.cpu_s = perf_counter(), process_time()


def _status_bytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def _edgekit(slot: Path, threads: int) -> Decoder:
    from edgekit.runner.model.manifest import read_manifest
    from edgekit.runner.runtimes.token_decoder import TokenDecoder

    return TokenDecoder(read_manifest(slot), threads)


if __name__ == "__main__":
    serve(lambda: _edgekit(Path(sys.argv[1]), int(sys.argv[2])))

"""Process that generates texts by one decoder, whenever a line on standard input asks for one.

A line is JSON: {"prompt": [1, 403], "count": 64}; so is each answer: {"tokens": …, "first_s": …, "rest_s": …,
"peak_bytes": …, "empty_bytes": …}. It ends with its input. Each decoder has a process, so that each has its own memory,
and decoders can take turns.

    python -m scripts.benchmark.decoder_worker SLOT THREADS     # edgekit's: SLOT is a folder with a bundle's files
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol


class Decoder(Protocol):
    """Language model that reads tokens and gives the logits of the next one."""

    def reset(self) -> None: ...
    def prefill(self, tokens: Sequence[int]) -> Any: ...
    def decode(self, token: int) -> Any: ...


def serve(load: Callable[[], Decoder]) -> None:
    """Load a decoder, then answer each line of standard input."""
    empty = _status_bytes("VmRSS")
    decoder = load()
    for line in sys.stdin:
        job = json.loads(line)
        decoder.reset()
        began = perf_counter()
        tokens = [int(decoder.prefill(job["prompt"]).argmax())]
        first = perf_counter()
        while len(tokens) < job["count"]:
            tokens.append(int(decoder.decode(tokens[-1]).argmax()))
        ended = perf_counter()
        memory = {"peak_bytes": _status_bytes("VmHWM"), "empty_bytes": empty}
        print(json.dumps({"tokens": tokens, "first_s": first - began, "rest_s": ended - first, **memory}), flush=True)


def _status_bytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def _edgekit(slot: Path, threads: int) -> Decoder:
    from edgekit.runner.model.manifest import read_manifest
    from edgekit.runner.runtimes.token_decoder import TokenDecoder

    return TokenDecoder(read_manifest(slot), threads)


if __name__ == "__main__":
    serve(lambda: _edgekit(Path(sys.argv[1]), int(sys.argv[2])))

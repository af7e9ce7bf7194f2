"""`scripts/fuzz`: hostile answers and files by the thousand; exit 1 if one was not taken or refused by a code."""

from __future__ import annotations

import argparse
import re
import secrets
import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

from scripts.fuzzing.corpus import Corpus
from scripts.fuzzing.device import devices
from scripts.fuzzing.outcome import Folder, Tally, peak_mb
from scripts.fuzzing.readers import readers
from scripts.fuzzing.server import servers

SHOWN = 50


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--devices", type=int, default=1000, help="answers of a hostile device")
    parser.add_argument("--servers", type=int, default=1000, help="answers of a hostile reference server")
    parser.add_argument("--readers", type=int, default=1000, help="files and texts, for each that reads them")
    parser.add_argument("--seed", type=int, help="the same one, the same cases; by default a new one, which is printed")
    parser.add_argument("--grow", action="store_true", help="keep files that reach more code in tests/corpus; slower")
    args = parser.parse_args(argv)
    seed = secrets.randbelow(2**31) if args.seed is None else args.seed
    print(f"--seed {seed}; peak memory before anything is asked: {peak_mb()} MB", flush=True)
    broken = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Folder.made(Path(scratch))
        for kind, count, run in (
            ("devices", args.devices, devices),
            ("servers", args.servers, servers),
            ("readers", args.readers, partial(readers, corpus=Corpus(grows=args.grow))),
        ):
            broken += _told(kind, run(count, seed, folder))
        tempfile.tempdir = None
    return 1 if broken else 0


def _told(kind: str, tally: Tally) -> int:
    print(f"{kind}: {tally}; peak memory {peak_mb()} MB", flush=True)
    kinds = Counter(_kind(words) for words in tally.broken)
    first = {_kind(words): words for words in reversed(tally.broken)}
    for kind, many in kinds.most_common(SHOWN):
        print(f"  {many:,} x {first[kind]}", flush=True)
    return len(tally.broken)


def _kind(words: str) -> str:
    """Kind of a broken promise: by which reader, and where, without what it was given."""
    return re.sub(r"\d+", "", ":".join(words.split(":")[:2]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

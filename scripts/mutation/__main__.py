"""`scripts/mutants [FOLDER …]`: mutants of each folder, sampled; exit 1 if less than nine in ten are killed."""

from __future__ import annotations

import argparse
import random
import secrets
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from scripts.mutation.equivalent import reason
from scripts.mutation.operators import Mutant, mutants
from scripts.mutation.scope import SCOPES, Scope
from scripts.mutation.trial import Copy

CHECKOUT = Path(__file__).parents[2]
ENOUGH = 0.9
TIMES, MORE_S = 3, 30
"""A mutant may take so many times as long as no mutant, and so many seconds more: else it never ends."""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument("folders", nargs="*", choices=[[], *(scope.folder for scope in SCOPES)], metavar="FOLDER")
    parser.add_argument("--only", action="append", metavar="MODULE", help="of the folder, by its name without .py")
    parser.add_argument("--count", type=int, default=60, help="mutants a folder; 0 for all")
    parser.add_argument(
        "--seed", type=int, help="the same one, the same sample; by default a new one, which is printed"
    )
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # and what it runs ends with it
    seed = secrets.randbelow(2**31) if args.seed is None else args.seed
    print(f"--seed {seed}, {args.count or 'all'} mutants a folder", flush=True)
    chosen = [scope for scope in SCOPES if not args.folders or scope.folder in args.folders]
    shares = [_share(scope, args.count, seed, args.only or ()) for scope in chosen]
    return 1 if min(shares) < ENOUGH else 0


def _share(scope: Scope, count: int, seed: int, only: tuple[str, ...]) -> float:
    """The share of a sample of the folder's mutants that the tests kill. What survives is printed."""
    told: Counter[str] = Counter()
    every = [one for one in _every(scope) if not only or one[0].stem in only]
    sample = random.Random(seed).sample(every, min(count or len(every), len(every)))
    with tempfile.TemporaryDirectory() as scratch:
        copy = Copy.of(CHECKOUT, Path(scratch) / "copy")
        files = {file for source in {source for source, _ in sample} for file in scope.ordered(source, CHECKOUT)}
        whole, limit_s = copy.test(sorted(files), 1800)
        if whole != "survived":
            raise SystemExit(f"{copy.output.read_text()}\nthe tests of {scope.folder} fail without a mutant")
        for source, mutant in sorted(sample, key=lambda one: (one[0], one[1].start)):
            known = reason(source, (copy.root / source).read_text("utf-8"), mutant)
            outcome = "equivalent" if known else _outcome(copy, scope, source, mutant, TIMES * limit_s + MORE_S)
            told[outcome] += 1
            print(f"{outcome:10} {source}:{mutant.line}: {mutant.before!r} -> {mutant.after!r}", flush=True)
    share = (told["killed"] + told["timed out"]) / max(1, len(sample) - told["equivalent"])
    print(f"{scope.folder}: {len(sample)} of {len(every)} sampled, {dict(told)}, {share:.1%} killed", flush=True)
    return share


def _every(scope: Scope) -> Iterator[tuple[Path, Mutant]]:
    for source in scope.sources(CHECKOUT):
        yield from ((source, mutant) for mutant in mutants((CHECKOUT / source).read_bytes()))


def _outcome(copy: Copy, scope: Scope, source: Path, mutant: Mutant, limit_s: float) -> str:
    with copy.mutated(source, mutant):
        return copy.test(scope.ordered(source, CHECKOUT), limit_s)[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

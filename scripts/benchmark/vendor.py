"""edgekit's float and int8 against the vendors' recipes: bytes, time on this machine, instructions on emulated boards.

Nothing is preprocessed on either side unless --edges pixels is given: then everything is preprocessed on both.
--architecture compares networks of docs/coverage.md instead, int8 alone, and writes docs/vendors.md (`table` writes it
from what was measured); `--backend`, `--precision`, `--limit` and `--instructions` are for it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit import examples
from scripts.benchmark.processes import ROOT
from scripts.benchmark.recipes import REFERENCE
from scripts.benchmark.slots import Timed, counted, timed

CASES = ROOT.parent / "shared" / "cases"
NAMES = ("mobilenet-cifar10", "resnet20-cifar10")
BACKENDS = ("executorch", "tflite", "onnx")
BOARDS = ("raspberry-pi-4", "raspberry-pi-5")
"""cortex-a72, without dot products, and cortex-a76, with them."""
BASIS = "float32"
"""The model that times are ratios to: edgekit's, which is never slower than what the vendor's converter gives."""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench vendor", description=__doc__)
    known = [CASES / name for name in NAMES if (CASES / name).is_dir()]
    parser.add_argument("--project", type=Path, action="append", help="the two real cases, or else digits")
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--edges", choices=("float", "pixels"), default="float")
    parser.add_argument("--samples", type=int, default=64, help="evaluation samples of the SQNR")
    parser.add_argument("--rounds", type=int, default=600, help="turns of ten inferences that every file has")
    parser.add_argument("--board", action="append", choices=(*BOARDS, "none"), help="emulated boards; none for none")
    parser.add_argument("--architecture", action="append", help="a name of docs/coverage.md; all; table")
    parser.add_argument("--precision", action="append", choices=("int8", "dynamic-int8"), help="int8 by default")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds that an architecture on a backend may take")
    parser.add_argument("--instructions", action="store_true", help="count those of architectures on a cortex-a76")
    args = parser.parse_args(argv)
    if args.architecture:
        # torch is imported for architectures alone.
        from scripts.vendor_table.command import NAMED, run

        if unknown := set(args.architecture) - NAMED:
            parser.error(f"no architecture is named '{unknown.pop()}': names are those of docs/coverage.md")
        run(args.architecture, args.backend or [], args.precision or [], args.limit, args.instructions)
        return
    boards = [board for board in args.board or BOARDS if board != "none"]
    # Before a runtime is imported: one thread, on both sides.
    os.environ["OMP_NUM_THREADS"] = "1"
    for project in args.project or known or [examples.folder("digits")]:
        for backend in args.backend or BACKENDS:
            with tempfile.TemporaryDirectory() as folder:
                _build(project, backend, args.edges, args.samples, Path(folder), boards)
                _table(project.name, backend, Path(folder), args.rounds, boards)


def _build(project: Path, backend: str, edges: str, samples: int, out: Path, boards: Sequence[str]) -> None:
    """Build in a process of its own, so that no converter's memory and threads are there when files are timed."""
    argv = [sys.executable, "-m", "scripts.benchmark.recipes", str(project), backend, edges, str(samples), str(out)]
    built = subprocess.run([*argv, "host", *boards], check=False, capture_output=True, text=True, cwd=ROOT)
    if built.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with {built.returncode}: {built.stderr[-2000:]}")


def _table(project: str, backend: str, folder: Path, rounds: int, boards: Sequence[str]) -> None:
    slots = {path.parent.name: path.parent for path in sorted(folder.glob("*/manifest.json"))}
    here = [name for name in slots if not name.endswith(tuple(BOARDS))]
    times = dict(zip(here, timed([slots[name] for name in here], np.load(folder / REFERENCE), rounds), strict=True))
    counts = {board: _counts(slots, here, board) for board in boards}
    print(f"\n{project}, {backend}")
    print(f"{'':28}{'bytes':>11}{'ms':>9}{'ratio':>7}{'SQNR':>9}" + "".join(f"{board:>17}" for board in boards))
    basis = times[f"edgekit {BASIS} host"]
    for name in here:
        print(_line(name, slots[name], times[name], basis) + "".join(f"{counts[board][name]:17,}" for board in boards))
    sys.stdout.flush()


def _counts(slots: dict[str, Path], here: Sequence[str], board: str) -> dict[str, int]:
    """Instructions by the name of the file on this machine; a board runs the file built for it, if there is one."""
    built = [slots.get(name.removesuffix("host") + board, slots[name]) for name in here]
    return dict(zip(here, counted(built, board), strict=True))


def _line(name: str, slot: Path, timed: Timed, basis: Timed) -> str:
    size = next(slot.glob("model.*")).stat().st_size
    figures = f"{size:11,}{timed.minimum_ms:9.4f}{timed.minimum_ms / basis.minimum_ms:7.2f}{timed.sqnr_db:7.1f}dB"
    return f"{name.removesuffix(' host'):28}{figures}"

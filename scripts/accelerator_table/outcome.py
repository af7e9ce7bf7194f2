"""Outcome of each cell: refused, built, or run on an accelerator and compared with the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, get_args

from edgekit.cache import Cache
from edgekit.devices import debian
from edgekit.devices.runner_client import refusal
from edgekit.devices.swiftshader import swiftshader
from edgekit.errors import DeviceError, EdgekitError, ToolsMissing
from edgekit.runner.errors import ErrorKind
from edgekit.runner.machine.runtime_versions import version_of
from edgekit.runner.runtimes import qnn_library, webgpu
from scripts.accelerator_table.cell import Cell
from scripts.accelerator_table.files import Files

LIMIT_S = 600.0
BUILT = "built, not run"


class Outcome(NamedTuple):
    """Words of a cell, and the sentence behind them where it is an error."""

    words: str
    """`30.1 dB, 8 of 8`; the code of an error; or `built, not run`."""
    sentence: str = ""

    @property
    def sqnr_db(self) -> float | None:
        """SQNR of the accelerator's answers from the CPU's; None for a cell that did not run."""
        return float(self.words.partition(" dB")[0]) if " dB" in self.words else None


class Absent(Exception):
    """What a kind needs is not on this machine; the message says what."""


def options_of(kind: str, chip: tuple[str, ...] = ("soc=SM8650",)) -> tuple[str, ...]:
    """Options of the runner by which a kind runs here without the hardware; `chip` is an NPU's. Raises Absent."""
    if kind == "qnn-htp":
        if version_of(qnn_library.DISTRIBUTION) is None:
            raise Absent(f"{qnn_library.DISTRIBUTION} is not installed")
        return chip
    if kind == "webgpu" and version_of(webgpu.PROVIDER.package) is None:
        raise Absent(f"{webgpu.PROVIDER.package} is not installed")
    try:
        return (f"vulkan={swiftshader(debian.host(), Cache.of_downloads())}",)
    except ToolsMissing as error:
        raise Absent(f"no SwiftShader: {error}") from error


def early(cell: Cell) -> Outcome | None:
    """Outcome of a cell that is refused before anything is built; None for others."""
    refused = cell.refusal()
    return Outcome(refused.code, refused.sentence) if refused else None


def outcomes(kind: str, cells: Iterable[Cell], files: Files) -> dict[Cell, Outcome]:
    """Build each cell of the kind, and run it if that is possible here. Raises Absent if nothing is here to run it."""
    results: dict[Cell, Outcome] = {}
    folders: dict[Cell, Path] = {}
    for cell in cells:
        try:
            folders[cell] = files.of(cell)
        except EdgekitError as error:
            results[cell] = Outcome(error.code, str(error))
    untried = [cell for cell in folders if cell.is_untried]
    results |= dict.fromkeys(untried, Outcome(BUILT))
    runnable = [cell for cell in folders if cell not in results]
    if runnable:
        told = answers(kind, [folders[cell] for cell in runnable], files.folder / "samples", options_of(kind))
        results |= dict(zip(runnable, map(_outcome, told), strict=True))
    return results


def answers(
    kind: str, folders: list[Path], samples: Path, options: tuple[str, ...], limit_s: float = LIMIT_S
) -> list[dict[str, Any]]:
    """What `scripts.accelerator_table.run` says of each file, in one process; another one goes on where one ends.

    `ended` is the exit status of a process that ended.
    """
    words = [sys.executable, "-m", "scripts.accelerator_table.run", kind, str(samples)]
    results: list[dict[str, Any]] = []
    while len(results) < len(folders):
        rest = [str(folder) for folder in folders[len(results) :]]
        done = subprocess.run(
            [*words, *rest, "--", *options], capture_output=True, text=True, timeout=limit_s, check=False
        )
        told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        # LiteRT ends a process by signal 11 that has loaded several files: only the first of one is its own fault.
        results += told[: len(rest)] or [{"ended": done.returncode}]
    return results


def refused(answer: dict[str, Any]) -> Outcome | None:
    """Outcome of a file that did not run: the code of its error, or `ended`; None if it ran."""
    if "ended" in answer:
        return Outcome("ended", f"the process ended with {answer['ended']}")
    failed = str(answer.get("failed", answer.get("kind", "")))
    if failed not in get_args(ErrorKind):
        return None
    error = refusal("", {"kind": failed, "error": answer["error"]}, DeviceError, ())
    return Outcome(error.code, str(answer["error"]))


def _outcome(answer: dict[str, Any]) -> Outcome:
    decibel = min(float(answer.get("sqnr_db", 0)), 200.0)
    return refused(answer) or Outcome(f"{decibel:.0f} dB, {answer['taken']:.0f} of {answer['operators']:.0f}")

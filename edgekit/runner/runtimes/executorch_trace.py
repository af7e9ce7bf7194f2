"""ExecuTorch's traces: what it writes down while it runs, as an ETDump."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import etdump

if TYPE_CHECKING:
    from ..model.tensors import Call
    from .trace import Inference


class ExecuTorchTrace:
    """Trace of an ExecuTorch program that was loaded with event tracing; `write` writes its ETDump to a file."""

    note = etdump.NOTE

    def __init__(self, call: Call, write: Callable[[Path], None], program: Path, scratch: Path) -> None:
        self.call, self._write, self._program, self._scratch = call, write, program, scratch

    def inferences(self) -> list[Inference]:
        path = self._scratch / "trace.etdp"
        self._write(path)
        return etdump.inferences(path.read_bytes(), self._program.read_bytes())

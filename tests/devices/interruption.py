"""Interruption before the n-th thing that is done on a device, and at every one after that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

from edgekit.devices.local import Local
from edgekit.devices.transport import Completed


class Interrupted(Local):
    """Ctrl-C, or a power cut: `left` things are still done. A subclass has a count of its own."""

    left: ClassVar[int] = 0

    def _count(self) -> None:
        type(self).left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def push(self, local: Path, remote: PurePosixPath) -> None:
        self._count()
        super().push(local, remote)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        self._count()
        return super().run(argv, timeout=timeout)

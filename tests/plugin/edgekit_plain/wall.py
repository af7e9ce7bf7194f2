"""A meter at the wall, read over its serial line: here, a file that somebody else writes watts to."""

from __future__ import annotations

import os
import time
from pathlib import Path

from edgekit.errors import ProbeError
from edgekit.measure.meter import Reading


class Wall:
    """What the file that EDGEKIT_WALL names says, held for the whole span."""

    def start(self) -> None:
        """Raises ProbeError if the meter does not answer."""
        self._watts()
        self._started = time.perf_counter()

    def stop(self) -> Reading:
        """Raises ProbeError if the meter does not answer."""
        seconds = time.perf_counter() - self._started
        return Reading(self._watts() * seconds, seconds, "wall meter", 0.02)

    def _watts(self) -> float:
        try:
            return float(Path(os.environ["EDGEKIT_WALL"]).read_text("ascii"))
        except (KeyError, OSError, ValueError) as error:
            raise ProbeError(f"the wall meter does not answer: {error}", hint="is its cable in?") from error

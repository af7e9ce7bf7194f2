"""Energy counters of an x86 processor, RAPL: Linux, Documentation/power/powercap/powercap.rst."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from .sysfs import number, text

# Intel states none. K. N. Khan et al., "RAPL in Action" (ACM TOMPECS 3(2), 2018) call it "promisingly accurate enough"
# beside plug power, on Sandy Bridge to Skylake; an assumption for what came since.
ACCURACY = 0.05
# Intel SDM volume 3B, "Platform Specific Power Management Support": a counter moves about every millisecond.
UPDATE_S = 1e-3


def meter(root: Path) -> WrappingCounters | None:
    """Meter of the processor packages of this machine; None if there are none, or only root may read them."""
    # Not `core` and `uncore`, which are in a package's figure, nor `psys`, which has the packages in its own.
    domains = [
        folder
        for folder in sorted((root / "sys/class/powercap").glob("intel-rapl:*"))
        if (text(folder / "name") or "").startswith("package") and number(folder / "energy_uj") is not None
    ]
    return WrappingCounters(domains) if domains else None


class WrappingCounters:
    """Energy counters that go up and wrap around: each must be read more often than it can wrap."""

    whole = False

    def __init__(self, domains: list[Path]) -> None:
        self._domains = domains
        self._ranges = [number(domain / "max_energy_range_uj") for domain in domains]

    def start(self) -> None:
        self._whole = True
        self._joules = 0.0
        self._before = self._counts()
        self._start = time.perf_counter()

    def look(self) -> None:
        counts = self._counts()
        for before, now, limit in zip(self._before, counts, self._ranges):
            if before is None or now is None or (now < before and limit is None):
                self._whole = False
                continue
            wrapped = limit if now < before and limit is not None else 0
            self._joules += (now - before + wrapped) / 1e6
        self._before = counts

    def stop(self) -> dict[str, Any] | None:
        """End the span, as `EnergyMeter.stop` says; None if a counter failed to answer meanwhile."""
        self.look()
        seconds = time.perf_counter() - self._start
        if not self._whole or self._joules <= 0:
            return None
        names = ", ".join(str(text(domain / "name")) for domain in self._domains)
        return {
            "joules": self._joules,
            "seconds": seconds,
            "method": f"RAPL counter of {names}: the processor only",
            "uncertainty": math.hypot(ACCURACY, 2 * UPDATE_S / seconds),
        }

    def _counts(self) -> list[int | None]:
        return [number(domain / "energy_uj") for domain in self._domains]

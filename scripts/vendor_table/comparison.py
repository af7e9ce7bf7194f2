"""Record of a comparison: edgekit's int8 file beside the vendor's. One line each, in docs/vendors.jsonl."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.coverage_table.record import Outcome

SQNR_DB, TIME, SIZE, INSTRUCTIONS = 0.5, 1.05, 1.02, 1.02
NAMES_BYTES = 1024
"""Differences that count as none: decibels, and ratios; a small file may differ by names and paddings."""


@dataclass(frozen=True)
class VendorComparison(Outcome):
    """One architecture, backend and precision: both files on the same samples, in one process."""

    vendor_error: str = ""
    """Words in which the vendor's tool or its file failed."""
    sqnr_db: float | None = None
    """Worst output of edgekit's file against eager torch on held-out samples, in dB; None is infinite."""
    vendor_sqnr_db: float | None = None
    sqnr_gain_db: tuple[float, ...] = ()
    """Ends of the 95 % interval of edgekit's SQNR less the vendor's, by a bootstrap over samples; none if infinite."""
    size_bytes: int = 0
    vendor_size_bytes: int = 0
    median_us: float = 0.0
    vendor_median_us: float = 0.0
    time_ratio: tuple[float, ...] = ()
    """Median of edgekit's time to the vendor's over rounds, and the ends of its 95 % interval."""
    integer_macs: float = 0.0
    fragments: str = ""
    """Delegates and kernels of edgekit's file, `1 + 6`; of all kernels with onnx."""
    vendor_fragments: str = ""
    commonest: str = ""
    """The commonest kernels outside of delegates, `12 Reshape, 4 QGemm`."""
    vendor_commonest: str = ""
    instructions: int = 0
    """User-space instructions of one inference on the emulated cortex-a76; 0 if they were not counted."""
    vendor_instructions: int = 0
    remarks: tuple[str, ...] = ()
    """Sentences of edgekit's build on how its recipe was chosen."""
    reason: str = ""
    """Why edgekit's file is worse in a column, where it is."""

    @property
    def compared(self) -> bool:
        """True if both files were measured."""
        return self.outcome == "works" and not self.vendor_error

    @property
    def behind(self) -> tuple[str, ...]:
        """Columns in which edgekit's file is worse by more than noise and the differences that count as none."""
        if not self.compared:
            return ()
        worse = {
            "SQNR": bool(self.sqnr_gain_db) and self.sqnr_gain_db[1] < -SQNR_DB,
            "size": self.size_bytes > max(SIZE * self.vendor_size_bytes, self.vendor_size_bytes + NAMES_BYTES),
            "time": bool(self.time_ratio) and self.time_ratio[1] > TIME,
            "instructions": self.instructions > INSTRUCTIONS * self.vendor_instructions > 0,
        }
        return tuple(name for name, is_worse in worse.items() if is_worse)

    @property
    def figures(self) -> str:
        if self.vendor_error:
            return f"the vendor fails: {self.vendor_error[:160]}"
        ratio = f"{self.time_ratio[0]:.2f}" if self.time_ratio else "?"
        return (
            f"{decibels(self.sqnr_db)} / {decibels(self.vendor_sqnr_db)}, size {self.size_bytes:,} / "
            f"{self.vendor_size_bytes:,}, time {ratio}, parts {self.fragments} / {self.vendor_fragments}, "
            f"behind in {', '.join(self.behind) or 'nothing'}"
        )


def decibels(value: float | None) -> str:
    return "equal" if value is None else f"{value:.1f} dB"

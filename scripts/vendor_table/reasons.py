"""Reasons why edgekit's file is worse than the vendor's in a column, as far as records and measurements tell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.vendor_table.causes import causes
from scripts.vendor_table.comparison import VendorComparison, decibels

FLOAT_KERNELS = ("GRU", "LSTM", "Conv", "FusedConv", "ConvTranspose", "Gemm", "FusedGemm", "MatMul", "FusedMatMul")
"""Kernels of onnxruntime that multiply in float."""
LOOPS = ("Scan", "Loop")
ALL = 0.999
"""Share of the work in integers from which on nothing that was left in float makes a file larger or slower."""


def reason(record: VendorComparison) -> str:
    """Sentence on a comparison that edgekit's file loses in some column; empty if nothing tells why."""
    return "; ".join(_parts(record)).replace("|", "\\|")


def _parts(record: VendorComparison) -> Iterator[str]:
    if record.remarks and record.integer_macs < ALL and set(record.behind) != {"SQNR"}:
        yield " ".join(record.remarks)
    floats = _kernels(record.vendor_commonest, FLOAT_KERNELS)
    if floats:
        yield f"the vendor leaves {floats} in float, and edgekit has {record.integer_macs:.0%} of the work in integers"
    loops = _kernels(record.commonest, LOOPS)
    if loops:
        yield f"edgekit's integers of the recurrent layers are steps of {loops}"
    yield from causes(record)
    gained = (record.sqnr_db or 999.0) - (record.vendor_sqnr_db or 999.0)
    if gained > 1 and "SQNR" not in record.behind:
        yield f"it is {gained:.1f} dB nearer to the network"
    if record.vendor_size_bytes > 1.3 * record.size_bytes:
        yield f"the vendor's file is {record.vendor_size_bytes / record.size_bytes:.1f} times as large"
    if record.vendor_sqnr_db is not None and record.vendor_sqnr_db < 10:
        yield f"the vendor's file, of {decibels(record.vendor_sqnr_db)}, does not do the same work"


def _kernels(commonest: str, names: tuple[str, ...]) -> str:
    """Those of the commonest kernels that have one of the names, `2 Gemm and 1 GRU`; empty if there is none."""
    counted = [f"{count} {name}" for count, name in re.findall(r"(\d+) (\w+)", commonest) if name in names]
    return " and ".join(counted)

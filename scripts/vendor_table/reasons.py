"""Reasons why edgekit's file is worse than the vendor's in a column, as far as the records tell."""

from __future__ import annotations

from scripts.vendor_table.comparison import VendorComparison, decibels


def reason(record: VendorComparison) -> str:
    """Sentence on a comparison that edgekit's file loses in some column."""
    gained = (record.sqnr_db or 999.0) - (record.vendor_sqnr_db or 999.0)
    parts: list[str] = []
    if record.remarks:
        parts.append(" ".join(record.remarks))
    if gained > 1 and "SQNR" not in record.behind:
        parts.append(f"it is {gained:.1f} dB nearer to the network")
    if record.vendor_size_bytes > 1.3 * record.size_bytes:
        larger = record.vendor_size_bytes / record.size_bytes
        parts.append(f"the vendor's file is {larger:.1f} times as large")
    if record.vendor_sqnr_db is not None and record.vendor_sqnr_db < 10:
        parts.append(f"the vendor's file, of {decibels(record.vendor_sqnr_db)}, does not do the same work")
    return "; ".join(parts).replace("|", "\\|") or "not known"

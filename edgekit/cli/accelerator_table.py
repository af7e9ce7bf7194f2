"""Accelerator of a measurement as `probe` shows it: what it runs, what stays on the CPU, and how its answers differ."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from edgekit.ir.measurement import AcceleratorUse
from edgekit.ir.plural import counted
from edgekit.measure.device.accelerator_comparison import AgainstCpu
from edgekit.parity.gate_texts import percent
from edgekit.untrusted.sanitize import line

WIDTH = 200
"""Characters of the device's own words in a row."""


def accelerator_json(use: AcceleratorUse, beside: AgainstCpu | None) -> dict[str, Any]:
    """Return the values for `--json`; an infinite SQNR, of equal answers, is null."""
    values: dict[str, Any] = {**asdict(use), "fully": use.fully, "against_cpu": None}
    if beside:
        finite = {name: db if math.isfinite(db) else None for name, db in beside.sqnr_db.items()}
        values["against_cpu"] = {"sqnr_db": finite, "agreement": beside.agreement, "samples": beside.samples}
    return values


def accelerator_rows(use: AcceleratorUse, beside: AgainstCpu | None) -> Iterator[tuple[str, str]]:
    """Rows for a person: the device first, and that it is software where it is."""
    device = f"{use.kind}, {line(use.device or 'unknown', WIDTH)}, driver {line(use.driver or 'unknown', WIDTH)}"
    yield "accelerator", f"{device}{' (SOFTWARE: a program of the CPU, no GPU or NPU)' if use.software else ''}"
    if use.operators is not None and use.taken is not None:
        share = "all" if use.fully else f"{use.taken} of"
        yield "it runs", f"{share} {use.operators} operators{'' if use.fully else '; the others run on the CPU'}"
    if use.left:
        yield "refused by it", ", ".join(line(words, WIDTH) for words in use.refused)
    if use.note:
        yield "because", line(use.note, WIDTH)
    if use.precision:
        yield "its arithmetic", line(use.precision, WIDTH)
    if use.cached is not None:
        yield "its kernels", "were kept from an earlier load" if use.cached else "were compiled by this load"
    if beside:
        yield "beside the CPU", _difference(beside)


def _difference(beside: AgainstCpu) -> str:
    """SQNR of the answers, the worst output's where there are several, and the share of equal largest elements."""
    name, worst = min(beside.sqnr_db.items(), key=lambda item: item[1])
    where = f" in '{line(name, WIDTH)}'" if len(beside.sqnr_db) > 1 else ""
    noise = "equal answers" if math.isinf(worst) and worst > 0 else f"SQNR {worst:.1f} dB{where}"
    agreement = "" if beside.agreement is None else f", the same largest element in {percent(beside.agreement)}"
    return f"{noise}{agreement}, {counted(beside.samples, 'sample')}"

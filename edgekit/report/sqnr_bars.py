"""Bars of the SQNR of layers: one bar a layer, long where little is lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from edgekit.ir.layers import Layer

FULL_DB = 50.0
"""SQNR of a full bar, in dB; more looks the same."""
WIDTH = 20
_ROW, _LABEL, _BAR = 18, 260, 400


def bar(sqnr_db: float | None, width: int = WIDTH) -> str:
    """Draw `████▌`: a block for every 50/width dB; empty where nothing was measured."""
    if sqnr_db is None:
        return ""
    eighths = round(_share(sqnr_db) * width * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def decibels(sqnr_db: float | None) -> str:
    """Format `37.9`, `exact`, or nothing where it was not measured."""
    if sqnr_db is None or math.isnan(sqnr_db):
        return ""
    return "exact" if sqnr_db == math.inf else f"{sqnr_db:.1f}"


def svg(title: str, layers: Sequence[Layer], blamed: Sequence[str] = ()) -> str:
    """Draw an SVG file: the signal to noise of the whole network after each layer, and of each layer alone.

    blamed: graph names of the layers to mark.
    """
    height = _ROW * (len(layers) + 3)
    rows = [_row(i + 2, layer, layer.node in blamed) for i, layer in enumerate(layers)]
    key = (
        f'<text x="{_LABEL}" y="{_ROW * 1.8:.0f}" fill="#666">dark: whole network so far; light: this layer alone; '
        f"full width: {FULL_DB:.0f} dB</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LABEL + _BAR + 90}" height="{height}" '
        f'font-family="sans-serif" font-size="12"><text x="4" y="{_ROW * 0.8:.0f}" font-weight="bold">{escape(title)}'
        f"</text>{key}{''.join(rows)}</svg>\n"
    )


def html(title: str, layers: Sequence[Layer], blamed: Sequence[str] = ()) -> str:
    """Page with the picture."""
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    return f"{head}<body>{svg(title, layers, blamed)}</body></html>\n"


def _row(index: int, layer: Layer, blamed: bool) -> str:
    y = index * _ROW
    name, colour = escape(f"{layer.name or layer.node} ({layer.kind})"), "#c0392b" if blamed else "#2c6fbb"
    alone, whole = (_BAR * _share(value) for value in (layer.output_sqnr_db, layer.cumulative_sqnr_db))
    return (
        f'<text x="4" y="{y + 13}" fill="{"#c0392b" if blamed else "#222"}">{name}</text>'
        f'<rect x="{_LABEL}" y="{y + 3}" width="{alone:.1f}" height="12" fill="{colour}" fill-opacity="0.3"/>'
        f'<rect x="{_LABEL}" y="{y + 6}" width="{whole:.1f}" height="6" fill="{colour}"/>'
        f'<text x="{_LABEL + _BAR + 6}" y="{y + 13}" fill="#666">{decibels(layer.cumulative_sqnr_db)} dB</text>'
    )


def _share(sqnr_db: float | None) -> float:
    return 0.0 if sqnr_db is None or math.isnan(sqnr_db) else min(max(sqnr_db / FULL_DB, 0.0), 1.0)

"""Section on the sensitivity of the layers: where the signal gets lost."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.ir.layers import Layer
from edgekit.ir.plural import counted
from edgekit.report.layer_table import LayerTable
from edgekit.report.sections.charts import Bar, BarChart
from edgekit.report.sections.section import Section, section, shown
from edgekit.report.sqnr_bars import FULL_DB, decibels

DRAWN = 40
"""Layers that are drawn: of more, those that lose most."""


def layers(table: LayerTable | None) -> Section | None:
    """Section on the layers; None where nobody diagnosed."""
    if table is None or not table.layers:
        return None
    drawn = _drawn(table.layers, set(table.nodes))
    rows = [
        (
            layer.name or layer.node,
            layer.kind,
            decibels(layer.output_sqnr_db) or "-",
            decibels(layer.cumulative_sqnr_db) or "-",
            "integers" if layer.quantized else f"float: {layer.reason}",
        )
        for layer in drawn
    ]
    notes = ["Signal to quantization noise, in dB: the more, the less is lost. 20 dB is a hundredth of the signal."]
    if len(drawn) == DRAWN:
        notes.append(f"Of {counted(len(table.layers), 'layer')} the {DRAWN} that lose most are shown.")
    header = ("layer", "kind", "alone, dB", "network so far, dB", "numbers")
    return section("Sensitivity of the layers", header, rows, notes, (table.sentence,), _picture(drawn, table.nodes))


def _drawn(all_layers: Sequence[Layer], blamed: set[str]) -> list[Layer]:
    """Layers in the order of the network; of too many, the blamed ones and those that lose most alone."""
    measured = [layer for layer in all_layers if layer.output_sqnr_db is not None]
    worst = sorted(measured, key=lambda layer: (layer.node not in blamed, layer.output_sqnr_db or 0.0))[:DRAWN]
    kept = {layer.node for layer in worst}
    return [layer for layer in measured if layer.node in kept]


def _picture(drawn: Sequence[Layer], blamed: Sequence[str]) -> BarChart | None:
    if not drawn:
        return None
    bars = tuple(
        Bar(
            shown(layer.name or layer.node),
            f"{decibels(layer.output_sqnr_db)} dB".replace("exact dB", "exact"),
            min(max((layer.output_sqnr_db or 0.0) / FULL_DB, 0.0), 1.0),
            "blamed" if layer.node in blamed else "candidate",
        )
        for layer in drawn
    )
    words = f"Signal to noise of each layer alone; a full bar is {FULL_DB:.0f} dB or more, a short one loses much."
    return BarChart(words, ((f"each layer alone, full at {FULL_DB:.0f} dB", bars),))

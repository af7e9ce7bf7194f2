"""Texts on layers for people: their names, and the numbers that were measured of them."""

from __future__ import annotations

import math

from edgekit.ir.layers import Layer


def label(layer: Layer) -> str:
    """Name of a layer for people: modules by name, functions by kind and graph name."""
    return (
        layer.name if layer.name and layer.kind not in ("add", "mul") else f"{layer.name or 'the network'}:{layer.node}"
    )


def measurements(layer: Layer) -> str:
    """Name of a layer, and every number that was measured of it, with its unit."""
    parts = [
        ("alone", layer.output_sqnr_db, "dB"),
        ("by its weights", layer.by_weights_db, "dB"),
        ("by its inputs", layer.by_inputs_db, "dB"),
        ("weights differ across channels", layer.weight_range_ratio, "times"),
        ("outputs differ across channels", layer.activation_range_ratio, "times"),
        ("largest over 99.9 %", layer.outlier_ratio, "times"),
    ]
    numbers = [
        f"{what} {value:.1f} {unit}" for what, value, unit in parts if value is not None and math.isfinite(value)
    ]
    return f"'{label(layer)}': {', '.join(numbers)}"


def decibels(value: float | None) -> str:
    """Text of an SQNR in dB; None and infinity are no noise."""
    return "no noise" if value is None or (math.isinf(value) and value > 0) else f"{value:.1f} dB"

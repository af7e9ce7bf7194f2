"""All architectures of the table, by name, in its order."""

from __future__ import annotations

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.architectures import (
    audio,
    convolutional,
    decoders,
    dense,
    encoders,
    heads,
    mixtures,
    mobile,
    recurrent,
    residual,
    sets,
    vision_transformers,
)

FAMILIES = {
    "Images": (residual, mobile, convolutional, vision_transformers),
    "Text and mixtures": (encoders, decoders, mixtures),
    "Sequences and sound": (recurrent, audio),
    "Images as answers": (dense,),
    "Detectors and pairs": (heads,),
    "Points, graphs, tables": (sets,),
}
"""Modules of the architectures, by the heading of their table."""


def architectures(family: str) -> tuple[Architecture, ...]:
    """Architectures of a family, in the order of the table."""
    return tuple(architecture for module in FAMILIES[family] for architecture in module.ARCHITECTURES)


ARCHITECTURES: dict[str, Architecture] = {
    architecture.name: architecture for family in FAMILIES for architecture in architectures(family)
}

"""Comparison of a network that was made of a model file with the file itself."""

from __future__ import annotations

from torch import Tensor

from edgekit.errors import ConversionMismatch
from edgekit.frontend.determinism import SAME_DB
from edgekit.ir.sqnr import sqnr_db


def compare_answers(expected: list[Tensor], answers: list[Tensor], stated: str, hint: str) -> None:
    """Raise ConversionMismatch unless the network's answers are those of the file, each to at least 100 dB."""
    if [value.shape for value in expected] != [value.shape for value in answers]:
        shapes = [[list(value.shape) for value in values] for values in (answers, expected)]
        raise ConversionMismatch(f"'{stated}' as a network gives {shapes[0]}, the file {shapes[1]}", hint=hint)
    for i, (one, other) in enumerate(zip(expected, answers, strict=True)):
        quality = sqnr_db(one.detach().double().numpy(), other.detach().double().numpy())
        if not quality >= SAME_DB:
            needed = f"at least {SAME_DB:.0f} dB are needed"
            raise ConversionMismatch(
                f"'{stated}' as a network gives another output {i}: {quality:.1f} dB, {needed}", hint=hint
            )

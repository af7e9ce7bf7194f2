"""Diagnose a quantized network from the numbers of its layers: where it loses, why, and the one thing to try next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edgekit.ir.layers import Layer
from edgekit.parity.joined_ranges import JoinedRanges, joined_ranges
from edgekit.parity.layer_texts import decibels, label, measurements
from edgekit.parity.network_outcome import NetworkOutcome
from edgekit.parity.next_step import kept_in_float, overridden, setting
from edgekit.specs.compression import Quantize

Cause = Literal[
    "nothing",
    "calibration mismatch",
    "channel ranges",
    "activation outlier",
    "clipping",
    "shared scale",
    "too few steps",
    "left in float",
    "pruning",
]

LOW_DB = 20.0
"""SQNR of a layer alone, in dB, below which a network breaks there: it loses a hundredth of its signal's power. Sound
int8 layers have 29 to 48 dB (ResNet-20, MobileNetV3 and the digits net, three backends)."""
SATURATED = 0.02
"""Share of new values outside the calibrated range that is no chance: sound networks have at most 0.01."""
CHANNELS = 8.0
"""Largest over median channel from which one scale leaves the median fewer than 16 steps of 127."""
OUTLIER = 8.0
"""Largest value over the 99.9th percentile from which all but a few values share fewer than 16 steps of 127."""
FLOAT_MACS = 0.1
"""Share of the multiply-accumulates in float from which the diagnosis mentions it."""
FLOAT_WEIGHTS = 0.05
"""Share of the weights in float from which the diagnosis mentions it: what the gates of shipped profiles allow."""


@dataclass(frozen=True)
class Diagnosis:
    """The finding that the numbers support best."""

    cause: Cause
    sentence: str
    layers: tuple[str, ...] = ()
    """Names of the layers that show it, in the order of the network."""
    nodes: tuple[str, ...] = ()
    """Names of these layers in the graph."""
    evidence: tuple[str, ...] = ()
    """Measurements there, each a plain sentence."""
    next_step: str | None = None
    """An option to add to the same command, or what to do; None where nothing is wrong."""


def diagnose(layers: Sequence[Layer], recipe: Quantize, outcome: NetworkOutcome) -> Diagnosis:
    """Diagnose a network that was quantized by `recipe` and has this `outcome`."""
    dtype = recipe.activations.dtype
    start = f"{dtype.capitalize()} {outcome}."
    mismatch = _mismatch(layers, outcome, start)
    if mismatch:
        return mismatch
    if outcome.good:
        sound = Diagnosis("nothing", f"Nothing is wrong: {dtype} {outcome}.", evidence=_weakest(layers))
        return _floating(layers, start) or sound
    hurt = [layer for layer in layers if _below(layer.output_sqnr_db)]
    joined = joined_ranges(layers)
    # What is lost before it has another cause, unless it is a part that had to take the join's scale.
    if joined and (not hurt or hurt[0].node in (joined.join.node, *joined.join.inputs)):
        return _by_join(joined, start)
    if not hurt:
        return _spread_out(layers, recipe, start)
    return _local(hurt, layers, recipe, start)


def _weakest(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Sentence on the layer that loses most, if any was measured."""
    measured = [layer for layer in layers if layer.output_sqnr_db is not None]
    if not measured:
        return ()
    return (f"weakest is {measurements(min(measured, key=lambda layer: layer.output_sqnr_db or 0))}",)


def _below(sqnr_db: float | None, limit: float = LOW_DB) -> bool:
    return sqnr_db is not None and sqnr_db < limit


def _mismatch(layers: Sequence[Layer], outcome: NetworkOutcome, start: str) -> Diagnosis | None:
    new = [x for x in layers if x.saturated and x.saturated >= SATURATED and x.saturated > 5 * (x.clipped or 0)]
    if not new:
        return None
    first = new[0]
    low, high = first.activation_low, first.activation_high
    assert low is not None
    assert high is not None
    sentence = (
        f"{start} The calibration data do not fit: at '{label(first)}' {first.saturated:.1%} of the values of the "
        f"evaluation data lie outside the range [{low:.3g}, {high:.3g}] that was calibrated."
    )
    step = "state [data] calibration in edgekit.toml that looks like what the device will see"
    if outcome.training:
        step = f"--set {outcome.training}"
    evidence = tuple(f"'{label(x)}': {x.saturated:.1%} saturate, {x.clipped or 0:.1%} on calibration data" for x in new)
    return Diagnosis("calibration mismatch", sentence, _labels(new), _nodes(new), evidence, step)


def _local(hurt: Sequence[Layer], layers: Sequence[Layer], recipe: Quantize, start: str) -> Diagnosis:
    """Diagnose the first layer that loses too much alone: its weights, its inputs, or its output."""
    first = hurt[0]
    start = f"{start} It falls first at '{label(first)}' ({first.kind}), to {decibels(first.output_sqnr_db)} alone"
    sources = {layer.node: layer for layer in layers}
    suspects = [sources[node] for node in first.inputs if node in sources]
    if _below(first.by_weights_db) and (first.by_weights_db or 0) <= (first.by_inputs_db or math.inf):
        return _by_weights(first, hurt, sources, recipe, start)
    if not _below(first.by_inputs_db):  # its own output is what is rounded badly
        suspects = [first]
    return (
        _by_activation(suspects, hurt, recipe, start)
        or _ranges(suspects, _feeding(hurt, sources), recipe, start)
        or _too_few(hurt, sources, recipe, start)
    )


def _by_join(joined: JoinedRanges, start: str) -> Diagnosis:
    large, small = label(joined.large), label(joined.small)
    parts = f"'{large}' and '{small}'" if large != small else f"two parts of '{large}'"
    sentence = (
        f"{start} '{label(joined.join)}' ({joined.join.kind}) joins {parts}, which differ {joined.ratio:.0f} times in "
        "range, and one scale for both leaves the small one no steps."
    )
    shown = (joined.join, joined.large, joined.small)
    step = "return the two as outputs of their own, without joining them; the task reads several outputs"
    return Diagnosis("shared scale", sentence, _labels(shown), _nodes(shown), _evidence(shown), step)


def _by_weights(
    first: Layer, hurt: Sequence[Layer], sources: Mapping[str, Layer], recipe: Quantize, start: str
) -> Diagnosis:
    ratio = first.weight_range_ratio or 0
    if recipe.weights.granularity == "per-tensor" and ratio >= CHANNELS:
        sentence = (
            f"{start}: its output channels' weights differ in range {ratio:.0f} times, and one scale for the tensor "
            "leaves the small ones no steps."
        )
        return Diagnosis("channel ranges", sentence, _labels(hurt), _nodes(hurt), _evidence(hurt), _even(recipe, hurt))
    return _too_few(hurt, sources, recipe, start)


def _feeding(hurt: Sequence[Layer], sources: Mapping[str, Layer]) -> list[Layer]:
    """The layers that lose, each after the layers of its inputs if those have uneven channels."""
    shown = []
    for layer in hurt:
        before = [sources[node] for node in layer.inputs if node in sources]
        shown += [*filter(_is_uneven, before), layer]
    return shown


def _is_uneven(layer: Layer) -> bool:
    return (layer.activation_range_ratio or 0) >= CHANNELS


def _ranges(suspects: Sequence[Layer], shown: Sequence[Layer], recipe: Quantize, start: str) -> Diagnosis | None:
    uneven = [layer for layer in suspects if _is_uneven(layer)]
    if not uneven:
        return None
    worst = max(uneven, key=lambda layer: layer.activation_range_ratio or 0)
    weights = ""
    if recipe.weights.granularity == "per-tensor" and (worst.weight_range_ratio or 0) >= CHANNELS:
        weights = f"; so do its weights ({worst.weight_range_ratio:.0f} times) under one scale for the tensor"
    sentence = (
        f"{start}: the channels of '{label(worst)}', which it works on, differ in range "
        f"{worst.activation_range_ratio:.0f} times, and one scale for all leaves the small ones no steps{weights}."
    )
    return Diagnosis("channel ranges", sentence, _labels(shown), _nodes(shown), _evidence(shown), _even(recipe, shown))


def _by_activation(suspects: Sequence[Layer], hurt: Sequence[Layer], recipe: Quantize, start: str) -> Diagnosis | None:
    for layer in suspects:
        shown = [layer, *hurt]
        evidence = (_labels(shown), _nodes(shown), _evidence(shown))
        if (layer.clipped or 0) >= SATURATED:
            sentence = f"{start}: the range of '{label(layer)}' cuts off {layer.clipped:.1%} of the values."
            observer = "minmax" if recipe.activations.observer == "auto" else "auto"
            return Diagnosis("clipping", sentence, *evidence, setting("activations.observer", observer))
        wide = (layer.outlier_ratio or 0) >= OUTLIER
        if wide and layer.shared_scale:
            sentence = (
                f"{start}: '{label(layer)}' must keep the scale of its input, whose range is {layer.outlier_ratio:.0f} "
                "times what 99.9 % of its own values do not pass."
            )
            return Diagnosis("shared scale", sentence, *evidence, overridden(recipe, kept_in_float(shown)))
        if wide:
            sentence = (
                f"{start}: an outlier at '{label(layer)}' is {layer.outlier_ratio:.0f} times what 99.9 % of its values "
                "do not pass, so that those share few steps."
            )
            step = setting("activations.observer", "auto")
            if recipe.activations.observer != "minmax":
                step = overridden(recipe, kept_in_float(shown))
            return Diagnosis("activation outlier", sentence, *evidence, step)
    return None


def _even(recipe: Quantize, hurt: Sequence[Layer]) -> str:
    """Next step for uneven channels: cross-layer equalization first, then per-channel scales, then float."""
    if not recipe.equalize:
        return setting("equalize", True)
    if recipe.weights.granularity == "per-tensor":
        return setting("weights.granularity", "per-channel")
    return overridden(recipe, kept_in_float(hurt))


def _too_few(hurt: Sequence[Layer], sources: Mapping[str, Layer], recipe: Quantize, start: str) -> Diagnosis:
    sentence = f"{start}: its steps are too few there, with no range to blame."
    # What a layer loses by its inputs stays lost unless those that round them stay in float too.
    by_inputs = [layer for layer in hurt if _below(layer.by_inputs_db)]
    before = [sources[node] for layer in by_inputs for node in layer.inputs if node in sources]
    step = overridden(recipe, kept_in_float([*hurt, *before]))
    return Diagnosis("too few steps", sentence, _labels(hurt), _nodes(hurt), _evidence(hurt), step)


def _spread_out(layers: Sequence[Layer], recipe: Quantize, start: str) -> Diagnosis:
    """Diagnose a loss that no layer causes alone: a little is lost at each."""
    measured = [layer for layer in layers if layer.quantized and layer.output_sqnr_db is not None]
    worst = sorted(measured, key=lambda layer: layer.output_sqnr_db or 0)[:3]
    names = ", ".join(f"'{label(layer)}' ({decibels(layer.output_sqnr_db)})" for layer in worst)
    sentence = f"{start} No layer breaks it: a little is lost at each, most at {names or 'none that was measured'}."
    if recipe.weights.granularity == "per-tensor":
        step = setting("weights.granularity", "per-channel")
    elif not recipe.correct_bias:
        step = setting("correct_bias", True)
    else:
        step = overridden(recipe, kept_in_float(worst))
    return Diagnosis("too few steps", sentence, _labels(worst), _nodes(worst), _evidence(worst), step)


def _floating(layers: Sequence[Layer], start: str) -> Diagnosis | None:
    """Diagnose a good network with much of its work in float though the profile did not ask for that."""
    total = sum(layer.macs for layer in layers)
    floats = [layer for layer in layers if not layer.quantized and "profile" not in layer.reason and layer.macs]
    share = sum(layer.macs for layer in floats) / total if total else 0.0
    if share < FLOAT_MACS:
        return _float_weights(layers, start)
    sentence = (
        f"{start} But {share:.0%} of the multiply-accumulates stay in float: {floats[0].reason} "
        f"('{label(floats[0])}', {floats[0].kind}{f', and {len(floats) - 1} more' if len(floats) > 1 else ''})."
    )
    step = "--backend B with another of the target's backends: edgekit targets show ID lists them"
    return Diagnosis("left in float", sentence, _labels(floats), _nodes(floats), (), step)


def _float_weights(layers: Sequence[Layer], start: str) -> Diagnosis | None:
    """Diagnose a good network with many of its weights in float: recurrent cells, tables of narrow rows."""
    total = sum(layer.weights for layer in layers)
    floats = [layer for layer in layers if not layer.quantized and layer.weights]
    floats = [layer for layer in floats if "profile" not in layer.reason and "int8" not in layer.reason]
    floats.sort(key=lambda layer: -layer.weights)
    if not total or sum(layer.weights for layer in floats) < FLOAT_WEIGHTS * total:
        return None
    named = [f"'{label(layer)}' ({layer.kind}, {layer.weights / total:.0%} of all weights)" for layer in floats[:3]]
    more = f", and {len(floats) - 3} more" if len(floats) > 3 else ""
    sentence = f"{start} But in float stay {', '.join(named)}{more}: {floats[0].reason}."
    gates = " ".join(f"--set profile.gates.{name}=false" for name in ("integer_share", "integer_macs_share"))
    step = f"leave the gates on integers out: {gates}"
    return Diagnosis("left in float", sentence, _labels(floats), _nodes(floats), (), step)


def _labels(layers: Sequence[Layer]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(label, layers)))


def _nodes(layers: Sequence[Layer]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(layer.node for layer in layers))


def _evidence(layers: Sequence[Layer]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(measurements, layers)))

"""Ablation as a table for people: what each step of a recipe buys and costs."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.ir.plural import counted
from edgekit.parity.ablation import Ablated, Ablation, AccuracyEffect, RecipeCost
from edgekit.parity.gate_texts import loss_value, metric_value, milliseconds, noise, percent, times
from edgekit.report.sections.section import Row, Section, section

NONE = "-"


def ablation_section(ablation: Ablation) -> Section:
    """Table of the whole recipe and of each step taken out, with sentences above and below."""
    header = ("without", *_columns(ablation), "accuracy that the step buys", "says")
    rows = [("(whole recipe)", *_cells(ablation, ablation.whole), NONE, "")]
    rows += [_row(ablation, row) for row in ablation.rows]
    rows += [(step, *(NONE,) * (len(header) - 2), "not tried yet") for step in ablation.missing]
    return section(f"Ablation of {ablation.profile}", header, rows, _notes(ablation), (sentence(ablation),))


def sentence(ablation: Ablation) -> str:
    """Result in a sentence: which steps buy or cost accuracy, and which of them were not shown to."""
    subject = f"{ablation.profile} for {ablation.target} by {ablation.backend}"
    if ablation.metric is None:
        unlabelled = f"{counted(ablation.samples, 'sample')} without labels"
        return f"{subject}: {unlabelled} tell agreement with the reference, no accuracy."
    by_effect = {effect: [row.step for row in ablation.rows if _effect(row) == effect] for effect in _EFFECTS}
    parts = [f"{words} {', '.join(by_effect[effect])}" for effect, words in _EFFECTS.items() if by_effect[effect]]
    return f"{subject}: {'; '.join(parts) or 'no step was tried'}."


_EFFECTS = {
    "buys": "accuracy is bought by",
    "costs": "accuracy is paid for",
    "not shown": "no difference of accuracy is shown for",
    "same file": "nothing is changed here by",
    "not built": "no artifact can be made without",
}
"""Effects of a step in the order of the sentence, each with its words."""


def _effect(row: Ablated) -> str:
    if row.reason:
        return "not built"
    return "same file" if row.same_file else row.effect


def _columns(ablation: Ablation) -> Row:
    """Titles of the measured columns: work of an inference counted or timed on a device, else by the file alone."""
    metric = (ablation.metric,) if ablation.metric else ()
    costs = (ablation.whole, *(row.cost for row in ablation.rows if row.cost))
    device = {
        "instructions": any(cost.instructions is not None for cost in costs),
        "time p50": any(cost.latency_p50_ns is not None for cost in costs),
    }
    measured = tuple(title for title, known in device.items() if known)
    return (*metric, "agreement", "SQNR", "size", *measured, "MACs in integers", "MACs")


def _cells(ablation: Ablation, cost: RecipeCost | None) -> Iterable[str]:
    """Cells of the measured columns; dashes where there is no artifact."""
    columns = _columns(ablation)
    if cost is None:
        return (NONE,) * len(columns)
    instructions, time_ns = cost.instructions, cost.latency_p50_ns
    cells = {
        "agreement": percent(cost.agreement),
        "SQNR": noise(cost.sqnr_db),
        "size": f"{cost.size_bytes:,} bytes",
        "instructions": NONE if instructions is None else f"{instructions:,}",
        "time p50": NONE if time_ns is None else milliseconds(time_ns / 1e6),
        "MACs in integers": f"{cost.integer_macs:,}",
        "MACs": f"{cost.macs:,}",
    }
    if ablation.metric:
        cells[ablation.metric] = NONE if cost.metric is None else metric_value(cost.metric, ablation.unit)
    return (cells[column] for column in columns)


def _row(ablation: Ablation, row: Ablated) -> Row:
    bought = NONE if row.accuracy is None else _bought(row.accuracy, ablation.unit)
    return (row.step, *_cells(ablation, row.cost), bought, _says(ablation, row))


def _bought(effect: AccuracyEffect, unit: str) -> str:
    if effect.low == effect.high:  # one file is as good as itself
        return loss_value(effect.value, unit)
    low, high = (loss_value(end, unit) for end in (effect.low, effect.high))
    return f"{loss_value(effect.value, unit)} ({low} to {high})"


def _says(ablation: Ablation, row: Ablated) -> str:
    """Effect of the step in a few words, or the reason why there is no artifact without it."""
    if row.reason or row.cost is None:
        return f"not built: {row.reason}"
    if row.same_file:
        return "the same file: the step does nothing here"
    size = f"the step makes the file {times(ablation.whole.size_bytes / row.cost.size_bytes)} the size"
    words = [size] if row.cost.size_bytes != ablation.whole.size_bytes else []
    if row.accuracy:
        counts = f"{counted(row.accuracy.whole_only, 'sample')} better with it, {row.accuracy.without_only:,} without"
        shown = {"buys": "buys accuracy", "costs": "costs accuracy"}.get(row.effect, "no difference shown")
        words = [f"{shown} ({counts})", *words]
    return "; ".join(words) or "no labels"


def _notes(ablation: Ablation) -> Iterable[str]:
    yield (
        f"{counted(ablation.samples, 'evaluation sample')}, the same in every row; intervals are two-sided, at 95 % "
        "each, of paired differences. Steps are taken out one at a time: what they buy does not add up."
    )
    if ablation.reference is not None:
        yield f"The float reference has {ablation.metric} {metric_value(ablation.reference, ablation.unit)}."
    yield from (f"whole recipe: {remark}" for remark in ablation.remarks)
    for row in ablation.rows:
        yield f"without {row.step}: {row.change}"
        yield from (f"without {row.step}: {remark}" for remark in row.remarks)
    yield f"{ablation.stages_made:,} stages were run, in {ablation.seconds:.1f} s; all others were in the cache."

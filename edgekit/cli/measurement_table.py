"""A measurement as `probe` shows it: JSON, or rows of a table."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edgekit.cli.accelerator_table import accelerator_json, accelerator_rows
from edgekit.ir.plural import counted
from edgekit.parity.compare import summarize
from edgekit.parity.gate_texts import decimal, megabytes, milliseconds, percent
from edgekit.parity.robustness.own_losses import OwnLosses
from edgekit.pipeline.probe import Probed
from edgekit.tasks.metric_titles import metric_title

PERCENTILES = ("p50", "p90", "p95", "p99", "p999")
Row = tuple[str, str]


def as_json(probed: Probed) -> dict[str, Any]:
    """Return the numbers for `--json`. What is not known is null, as is a percentile that the count cannot support."""
    measured = probed.measurement
    latency, where = summarize(measured), measured.environment
    return {
        "runtime": where.runtime,
        "machine": f"{where.machine} {where.cpu or ''}".strip(),
        "threads": where.threads,
        "samples": len(measured),
        "sampling": probed.sampling and asdict(probed.sampling),
        "samples_per_s": measured.samples_per_s,
        "load_ns": measured.load_ns,
        "first_ns": measured.first_ns,
        "latency_count": latency.count,
        **{f"latency_{name}_ns": getattr(latency, f"{name}_ns") for name in PERCENTILES},
        "between_runs": latency.between_runs,
        "valid": latency.valid,
        "reason": latency.reason,
        "processes": len(measured.processes),
        "around": measured.around and asdict(measured.around),
        "peak_rss_bytes": measured.peak_rss_bytes,
        "model_rss_bytes": measured.model_rss_bytes,
        "energy": measured.energy and asdict(measured.energy),
        "instructions": measured.instructions,
        "host_stand_in": where.host_stand_in,
        "accelerator": measured.accelerator and accelerator_json(measured.accelerator, probed.against_cpu),
        "score": probed.score and asdict(probed.score),
        "early_stop": probed.early_stop and probed.early_stop.model_dump(mode="json"),
        "robustness": probed.robustness and probed.robustness.model_dump(mode="json"),
    }


def as_rows(probed: Probed) -> list[Row]:
    """Return rows for a person: the verdict on the numbers first."""
    measured = probed.measurement
    latency, where = summarize(measured), measured.environment
    rows: list[Row] = []
    if latency.count:
        rows.append(("latency is", "VALID" if latency.valid else f"INVALID: {latency.reason}"))
        rows += [
            (f"latency {name.replace('999', '99.9')}", milliseconds(value / 1e6))
            for name in PERCENTILES
            if (value := getattr(latency, f"{name}_ns")) is not None
        ]
        processes = "1 process" if len(measured.processes) == 1 else f"{len(measured.processes)} processes"
        rows.append(("timed", f"{counted(latency.count, 'inference')} in {processes}"))
    elif latency.reason:
        rows.append(("latency is", f"not measured: {latency.reason}"))
    if latency.between_runs is not None:
        rows.append(("between processes", f"medians differ by {percent(latency.between_runs)}"))
    if measured.instructions:
        rows.append(("instructions", f"{measured.instructions:,} an inference"))
    if measured.around:
        around = (measured.around.before_ns, measured.around.after_ns)
        before, after = (milliseconds(ns / 1e6) for ns in around)
        rows.append(("around an inference", f"{before} before, {after} after"))
    rows += [
        ("load", milliseconds(measured.load_ns / 1e6)),
        ("first inference", milliseconds(measured.first_ns / 1e6)),
    ]
    if measured.peak_rss_bytes is not None:
        rows.append(("peak memory", megabytes(measured.peak_rss_bytes / 1e6)))
    if measured.model_rss_bytes is not None:
        rows.append(("of the model alone", megabytes(measured.model_rss_bytes / 1e6)))
    if measured.energy:
        energy = measured.energy
        millijoules = f"{1e3 * energy.joules:.3g} mJ an inference, ± {percent(energy.uncertainty)}"
        rows.append(("energy", f"{millijoules} ({energy.method})"))
    if measured.accelerator:
        rows += accelerator_rows(measured.accelerator, probed.against_cpu)
    if probed.score:
        score = probed.score
        shown = [percent(round(value, 4)) for value in (score.value, score.low, score.high)]
        rows.append((metric_title(score.metric), f"{shown[0]} (between {shown[1]} and {shown[2]}, at 95 %)"))
    rows += [
        ("answers", _answers(probed)),
        ("runtime", f"{where.runtime}" + (f", {counted(where.threads, 'thread')}" if where.threads else "")),
        ("machine", f"{where.machine} {where.cpu or ''}".strip() + (" (this machine)" if where.host_stand_in else "")),
    ]
    return rows


def loss_rows(losses: OwnLosses) -> list[tuple[str, str, str]]:
    """Return rows on perturbed samples: answers that stay, and the loss by severity, in hundredths."""
    rows = []
    for one in losses.perturbations:
        shown = ["-" if loss is None else decimal(100 * loss, 1) for loss in one.losses]
        rows.append((one.perturbation, percent(one.stays), " ".join(shown)))
    return rows + [(name, "not applied", why) for name, why in losses.unfit]


def _answers(probed: Probed) -> str:
    """Number of samples that were answered, and the total where not all were."""
    sampling, stop = probed.sampling, probed.early_stop
    if stop:
        return f"{stop.asked:,} of {counted(stop.of, 'sample')}, in random order: {stop.reason}"
    if sampling is None or sampling.taken == sampling.total:
        return f"{counted(len(probed.measurement), 'sample')}"
    how = "stratified by class" if sampling.stratified else "spread over the set"
    return f"{sampling.taken:,} of {counted(sampling.total, 'sample')}, {how} (all: --samples {sampling.total})"

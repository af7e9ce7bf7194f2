"""Model card: Markdown for people, and the YAML that the Hugging Face Hub reads before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edgekit.bundle.manifest import Manifest
from edgekit.bundle.manifest_records import InputAudio, InputProcessing
from edgekit.evidence.device_history import incident_words
from edgekit.evidence.dossier import Dossier
from edgekit.evidence.gate_limits import interval_words, limit_words, value_words
from edgekit.evidence.markdown_text import number, row, scalar
from edgekit.evidence.measured_facts import limitations
from edgekit.export.hugging_face import LIBRARIES, hub_task, is_pixels
from edgekit.ir.plural import counted
from edgekit.parity.gate_texts import metric_value, quantity_of
from edgekit.untrusted.markdown import cell

OPEN = (
    "What is it for, who may use it, and where must it not be used?",
    "Under which licence is the model given on? That of its data is above; that of its weights is not recorded.",
    "Who made it, who answers for it, and whom do users write to?",
    "Who can be harmed by a wrong answer, and what is done about it?",
    "How was the network trained before it came to edgekit?",
)
"""Questions of a model card that nothing measured answers."""


def model_card(dossier: Dossier) -> str:
    """Render the card. The same dossier gives the same text."""
    return "\n".join((*_front_matter(dossier), *_body(dossier))) + "\n"


def _front_matter(dossier: Dossier) -> Iterator[str]:
    manifest, score, task = dossier.bundle.manifest, dossier.report.candidate.score, _task(dossier.bundle.manifest)
    yield "---"
    yield f"library_name: {scalar(LIBRARIES.get(manifest.format, manifest.format))}"
    if task:
        yield f"pipeline_tag: {scalar(task)}"
    yield "tags:"
    yield from (f"- {scalar(tag)}" for tag in ("edgekit", manifest.task, manifest.precision, manifest.target))
    yield "model-index:"
    yield f"- name: {scalar(manifest.name)}"
    yield "  results:" + ("" if score else " []")
    if score:
        evaluation = (
            next((each for each in dossier.card.sets if each.role == "evaluation"), None) if dossier.card else None
        )
        yield "  - task:"
        yield f"      type: {scalar(task or manifest.task)}"
        yield "    dataset:"
        yield f"      name: {scalar(evaluation.source if evaluation else 'evaluation')}"
        yield '      type: "evaluation"'
        yield "    metrics:"
        yield f"    - type: {scalar(score.name)}"
        yield f"      value: {number(score.value)}"
    yield "---"


def _task(manifest: Manifest) -> str | None:
    kinds = {type(each) for each in manifest.processing.values()}
    pixels = any(is_pixels(spec.dtype, spec.shape) for spec in manifest.signature.inputs)
    return hub_task(
        manifest.task,
        texts=bool(manifest.tokenizers),
        sound=InputAudio in kinds,
        picture=InputProcessing in kinds or pixels,
    )


def _body(dossier: Dossier) -> Iterator[str]:
    manifest, report = dossier.bundle.manifest, dossier.report
    yield f"# {cell(manifest.name)}"
    yield ""
    yield f"**{report.verdict.upper()}**: {cell(report.sentence)}"
    yield ""
    classes = f", {counted(len(manifest.classes), 'class')}" if manifest.classes else ""
    rows = (
        ("task", f"{manifest.task}{classes}"),
        ("built for", f"{manifest.target} ({manifest.family}, {manifest.arch})"),
        ("runs by", f"{manifest.backend}: {', '.join(manifest.delegates)}"),
        ("precision", f"{manifest.precision}, profile {manifest.profile}"),
        *(("takes", str(spec)) for spec in manifest.signature.inputs),
        *(("gives", str(spec)) for spec in manifest.signature.outputs),
        ("size", f"{manifest.facts.size_bytes:,} bytes; the float model has {manifest.facts.float_size_bytes:,}"),
        ("version", f"{manifest.version}; devices take none below {manifest.floor} afterwards"),
        ("bundle", dossier.bundle.digest),
        ("signed by", ", ".join(key.id for key in dossier.bundle.signers)),
    )
    yield from _table(("", ""), rows)
    yield from _evaluation(dossier)
    yield from _bullets("Limits", limitations(report), "Every gate passed, and there is no warning.")
    yield from _data(dossier)
    yield from _incidents(dossier)
    yield from _bullets("What a person must still answer", OPEN, "")


def _evaluation(dossier: Dossier) -> Iterator[str]:
    report = dossier.report
    sides = (("reference", report.reference), ("this model", report.candidate))
    scores = [
        f"{name} {side.score.name} {metric_value(side.score.value, side.score.unit)} "
        f"({metric_value(side.score.low, side.score.unit)} to {metric_value(side.score.high, side.score.unit)}, 95 %)"
        for name, side in sides
        if side.score
    ]
    unit = report.candidate.metric_unit
    yield from ("", "## Evaluation", "")
    samples = counted(report.candidate.samples, "sample")
    yield cell(f"{samples}, the same for both; {'; '.join(scores) or 'they have no labels'}.")
    yield ""
    gates = (
        (
            quantity_of(gate.name, unit).title,
            value_words(gate, unit),
            interval_words(gate, unit),
            limit_words(gate, unit),
            gate.outcome,
        )
        for gate in report.gates
    )
    yield from _table(("gate", "value", "between", "limit", "outcome"), gates)
    extra = (report.slices, report.robustness, report.outside)
    yield from (line for each in extra if each for line in ("", cell(each.sentence)))
    energy = report.candidate.energy
    if energy:
        drawn = f"Energy of an inference: {energy.joules:.4g} J, ±{energy.uncertainty:.0%}, by {energy.method}."
        yield from ("", cell(drawn))


def _data(dossier: Dossier) -> Iterator[str]:
    yield from ("", "## Data", "")
    rows = (
        (
            each.role,
            "not counted" if each.samples is None else f"{each.samples:,}",
            each.licence,
            each.source,
            {True: "yes", False: "no", None: "not stated"}[each.personal],
            each.sha256 or "-",
        )
        for each in dossier.sets
    )
    yield from _table(("set", "samples", "licence", "source", "personal data", "SHA-256"), rows)
    if dossier.card is None:
        yield from ("", "The bundle has no data card.")
        return
    yield from _bullets("", [words for _, words in dossier.card.notes if "SHA-256" not in words], "")


def _incidents(dossier: Dossier) -> Iterator[str]:
    yield from ("", "## Incidents", "")
    events = [(history.device, event) for history in dossier.histories for event in history.incidents]
    if not dossier.histories:
        yield "No history of a device was given."
    elif not events:
        yield "The histories of devices that were given have no incident of this bundle."
    else:
        rows = ((event.when, device, event.verdict, incident_words(event)) for device, event in events)
        yield from _table(("when", "device", "what", "why"), rows)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield row(header)
    yield row(("---",) * len(header))
    yield from (row(map(cell, each)) for each in rows)


def _bullets(title: str, sentences: Iterable[str], none: str) -> Iterator[str]:
    listed = [f"- {cell(each)}" for each in sentences]
    if title:
        yield from ("", f"## {title}")
    if listed or none:
        yield from ("", *(listed or [none]))

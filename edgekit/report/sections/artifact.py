"""Sections on the artifact: its size against float, its facts, and who runs its operators."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.parity.gate_texts import milliseconds, percent, times
from edgekit.report.record import ArtifactRecord, OperatorGroup, ReportRecord
from edgekit.report.sections.charts import Bar, BarChart
from edgekit.report.sections.section import Row, Section, section

LISTED = 20
"""Kinds of operators that the table shows."""


def size(report: ReportRecord) -> Section:
    """Section on size, and on work and time where the float file was measured, too."""
    artifact = report.artifact
    rows = [_pair(*each) for each in _measures(report)]
    header = ("", "float", "this model", "of the float's")
    first = (f"The file is {times(artifact.size_ratio)} the size of the float file.",)
    return section("Size against float", header, rows, first=first, picture=_bars(report))


def _measures(report: ReportRecord) -> Iterable[tuple[str, int, int, str]]:
    """Title, value of the float file, value of this one, and unit: `bytes`, `instructions` or `ns`."""
    artifact, file, candidate = report.artifact, report.float_file, report.candidate
    yield ("file", artifact.float_size_bytes, artifact.size_bytes, "bytes")
    if artifact.weight_bytes is not None and artifact.float_weight_bytes:
        yield ("weights in it", artifact.float_weight_bytes, artifact.weight_bytes, "bytes")
    if file and file.instructions and candidate.instructions:
        yield ("work of an answer", file.instructions, candidate.instructions, "instructions")
    p50_ns = candidate.latency.p50_ns
    if file and file.latency.valid and file.latency.p50_ns and p50_ns and candidate.latency.valid:
        yield ("time of an answer, p50", file.latency.p50_ns, p50_ns, "ns")


def _pair(title: str, before: int, now: int, unit: str) -> Row:
    return (title, _amount(before, unit), _amount(now, unit), times(now / before) if before else "-")


def _amount(value: int, unit: str) -> str:
    return milliseconds(value / 1e6) if unit == "ns" else f"{value:,} {unit}"


def _bars(report: ReportRecord) -> BarChart:
    groups = tuple(
        (title, (_bar("float", before, now, unit), _bar("this model", now, before, unit)))
        for title, before, now, unit in _measures(report)
    )
    return BarChart("Size and work against the float model: a shorter bar is less.", groups)


def _bar(name: str, value: int, other: int, unit: str) -> Bar:
    kind = "reference" if name == "float" else "candidate"
    return Bar(name, _amount(value, unit), value / max(value, other, 1), kind)


def placement(artifact: ArtifactRecord) -> Section | None:
    """Section on the operators, by kind and by who runs them; None in older reports, which do not list them."""
    groups = artifact.operators
    if not groups:
        return None
    by_macs = artifact.macs > 0
    rows = [_operator(group, artifact.macs) for group in groups[:LISTED]]
    notes = [f"Source: {artifact.placement_basis}."]
    if len(groups) > LISTED:
        notes.append(f"Of {len(groups)} kinds the {LISTED} with the most work are shown; report.json has all.")
    outside = sum(group.count for group in groups if group.delegate is None)
    total = sum(group.count for group in groups)
    first = (
        f"{total - outside:,} of {total:,} {'operator runs' if total == 1 else 'operators run'} in a delegate, with "
        f"{percent(artifact.delegated_share)} of the {'arithmetic' if by_macs else 'memory traffic'}.",
    )
    header = ("operator", "run by", "numbers", "count", "share of the arithmetic", "bytes moved")
    return section("Who runs the operators", header, rows, notes, first, _placed(artifact, groups))


def _operator(group: OperatorGroup, macs: int) -> Row:
    return (
        group.name,
        group.delegate or "no delegate",
        "integers" if group.integer else "float or none",
        f"{group.count:,}",
        percent(group.macs / macs) if macs and group.macs else "-",
        "-" if group.bytes is None else f"{group.bytes:,}",
    )


def _placed(artifact: ArtifactRecord, groups: tuple[OperatorGroup, ...]) -> BarChart:
    """Bars of the arithmetic, or of bytes where there is none, by delegate."""

    def work(group: OperatorGroup) -> int:
        return group.macs if artifact.macs else group.bytes or group.count

    total = sum(map(work, groups)) or 1
    runners = sorted({group.delegate for group in groups}, key=lambda name: (name is None, name or ""))
    bars = [
        Bar(name or "no delegate", percent(share), share, "candidate" if name else "fallback")
        for name in runners
        for share in [sum(work(group) for group in groups if group.delegate == name) / total]
    ]
    title = "share of the multiply-accumulates" if artifact.macs else "share of the bytes moved"
    return BarChart("Work by who runs it.", ((title, tuple(bars)),))


def facts(artifact: ArtifactRecord) -> Section:
    """Section on the facts of the artifact."""
    rows = [
        ("format", artifact.format),
        ("size", f"{artifact.size_bytes:,} bytes"),
        ("weights in integers", percent(artifact.integer_share)),
        ("arithmetic in integers", percent(artifact.integer_macs_share)),
        *_float_only(artifact),
        ("arithmetic delegated", percent(artifact.delegated_share)),
        ("arithmetic fallen back", percent(artifact.fallback_share)),
        *_bytes_fallen_back(artifact),
        *_fragments(artifact),
        ("multiply-accumulates", f"{artifact.macs:,}"),
        ("placement", artifact.placement_basis),
        *(("input", str(spec)) for spec in artifact.signature.inputs),
        *(("output", str(spec)) for spec in artifact.signature.outputs),
        *(("state", f"{pair.input} is {pair.output} of the step before") for pair in artifact.signature.state),
        *((file.path, f"{file.bytes:,} bytes, sha256 {file.sha256[:16]}") for file in artifact.files),
    ]
    return section("Artifact", ("", "fact"), rows)


def _float_only(artifact: ArtifactRecord) -> Iterable[Row]:
    """Row of the arithmetic that the gate on integers leaves out; a float model has no such gate."""
    if artifact.float_only_macs_share and artifact.integer_macs_share:
        share = percent(artifact.float_only_macs_share)
        yield ("no integer kernel for", f"{share}: products of two activations, which the delegate has in float only")


def _bytes_fallen_back(artifact: ArtifactRecord) -> Iterable[Row]:
    if artifact.fallback_bytes_share is not None:
        yield ("bytes moved by what fell back", percent(artifact.fallback_bytes_share))


def _fragments(artifact: ArtifactRecord) -> Iterable[Row]:
    """Row of the parts that the runtime calls in turn, where it has delegates."""
    parts = artifact.fragments
    if parts is not None:
        counts = f"delegates: {parts.delegates:,}, kernels outside: {parts.kernels:,}"
        yield ("fragments", f"{counts}, {parts.boundary_bytes:,} bytes between")

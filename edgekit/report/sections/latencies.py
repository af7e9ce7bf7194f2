"""The section that sets the times of both endpoints side by side: edge against cloud, if the reference is a server."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.parity.gate_texts import decimal, milliseconds, times
from edgekit.report.endpoint_record import EndpointRecord
from edgekit.report.record import ReportRecord
from edgekit.report.sections.endpoints import candidate_name, latency
from edgekit.report.sections.section import LatencyChart, Row, Section, Spread, section

PERCENTILES = {
    "p50": "latency p50",
    "p90": "latency p90",
    "p95": "latency p95",
    "p99": "latency p99",
    "p99_9": "latency p99.9",
}
"""Fields of a latency, and what they are called."""


def latencies(report: ReportRecord) -> Section | None:
    """None where neither was timed."""
    reference, candidate = report.reference.latency_ns, report.candidate.latency_ns
    served = report.reference.kind == "serving"
    if not (reference.count or candidate.count):
        return None
    here = candidate_name(report)
    there, here = ("cloud", here.replace("candidate", "edge")) if served else ("reference", here)
    rows = [
        (label, latency(reference, name), latency(candidate, name), _ratio(report, name))
        for name, label in PERCENTILES.items()
        if getattr(reference, name) or getattr(candidate, name)
    ]
    return section(
        "Edge against cloud" if served else "Latency side by side",
        ("", there, here, f"of the {there}'s"),
        [*rows, *(_server(report) if served else ())],
        notes=["Above the median a percentile is shown only where there are enough inferences to support it."],
        first=_sentences(report, there),
        picture=_picture(report, there, "edge" if served else "candidate"),
    )


def _sentences(report: ReportRecord, there: str) -> Iterable[str]:
    reference, candidate = report.reference.latency_ns, report.candidate.latency_ns
    if not (reference.p50 and candidate.p50):
        yield "The two cannot be compared in time: one of them was not timed."
    elif not (reference.valid and candidate.valid):
        yield "The two must not be compared in time: a latency is INVALID, as said above."
    else:
        ours, theirs = (milliseconds(p50 / 1e6) for p50 in (candidate.p50, reference.p50))
        where = "this host, which is not the target" if report.host_stand_in else "the device"
        yield (
            f"Half of all answers take at most {ours} on {where}, and {theirs} from the {there}: "
            f"{decimal(candidate.p50 / reference.p50, 2)} times as long."
        )
    yield from _network(report)


def _network(report: ReportRecord) -> Iterable[str]:
    found, p50 = report.network_share, report.reference.latency_ns.p50
    if not found or not p50:
        return
    whole = f"{_percent(found.share)} of the {milliseconds(p50 / 1e6)} from the cloud are the network"
    if found.at_least:
        yield f"At least {whole}: an empty request takes as long."
    else:
        yield f"{whole}, the rest is the server."


def _percent(share: float) -> str:
    return f"{decimal(100 * share, 1)} %"


def _server(report: ReportRecord) -> Iterable[Row]:
    """Where the server's time goes."""
    server, network = report.reference.server, report.network_share
    if server is None:
        return
    for label, value_ns in (
        ("an empty request", server.round_trip_ns),
        ("waiting in the server, mean", server.queue_ns),
        ("computing in the server, mean", server.compute_ns),
    ):
        yield (label, "unknown" if value_ns is None else milliseconds(value_ns / 1e6), "", "")
    share = "unknown" if network is None else f"{'at least ' if network.at_least else ''}{_percent(network.share)}"
    yield ("network share", share, "none", "")


def _ratio(report: ReportRecord, name: str) -> str:
    theirs, ours = (getattr(side.latency_ns, name) for side in (report.reference, report.candidate))
    valid = report.reference.latency_ns.valid and report.candidate.latency_ns.valid
    return times(ours / theirs) if theirs and ours and valid else "-"


def _picture(report: ReportRecord, there: str, here: str) -> LatencyChart | None:
    spreads = tuple(_spread(name, side) for name, side in ((there, report.reference), (here, report.candidate)))
    known = tuple(spread for spread in spreads if spread)
    if len(known) < 2:
        return None
    words = "; ".join(f"{each.name}: {_words(each)}" for each in known)
    return LatencyChart(f"How the latencies are spread, on the same scale. {words}.", known)


def _spread(name: str, side: EndpointRecord) -> Spread | None:
    histogram, p50 = side.latency_ns.histogram, side.latency_ns.p50
    invalid = "" if side.latency_ns.valid else " (INVALID)"
    return Spread(name + invalid, histogram, p50) if histogram and p50 else None


def _words(spread: Spread) -> str:
    """From where to where the bins that hold anything reach."""
    edges, counts = spread.histogram.edges_ns, spread.histogram.counts
    filled = [index for index, count in enumerate(counts) if count]
    low, high = (milliseconds(edges[index] / 1e6) for index in (filled[0], filled[-1] + 1))
    return f"from {low} to {high}, half of them at most {milliseconds(spread.median_ns / 1e6)}"

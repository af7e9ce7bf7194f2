"""Section that compares the times of both endpoints: edge against cloud, if the reference is a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from edgekit.parity.endpoint_record import EndpointRecord, LatencyRecord
from edgekit.parity.gate_texts import decimal, milliseconds, times
from edgekit.report.record import ReportRecord
from edgekit.report.sections.charts import LatencyChart, Spread
from edgekit.report.sections.endpoints import candidate_name, latency
from edgekit.report.sections.invalid import hangs_on_time, invalid
from edgekit.report.sections.section import Row, Section, section

PERCENTILES: tuple[tuple[str, Callable[[LatencyRecord], int | None]], ...] = (
    ("latency p50", lambda latency: latency.p50_ns),
    ("latency p90", lambda latency: latency.p90_ns),
    ("latency p95", lambda latency: latency.p95_ns),
    ("latency p99", lambda latency: latency.p99_ns),
    ("latency p99.9", lambda latency: latency.p999_ns),
)
"""Title of each percentile, and the field of a latency that holds it, in nanoseconds."""


def latencies(report: ReportRecord) -> Section | None:
    """Compare the percentiles of both endpoints. None where neither was timed."""
    reference, candidate = report.reference.latency, report.candidate.latency
    served = report.reference.kind == "serving"
    if not (reference.count or candidate.count):
        return None
    here = candidate_name(report)
    there, here = ("cloud", here.replace("candidate", "edge")) if served else ("reference", here)
    rows = [
        (
            label,
            latency(reference, percentile_ns),
            latency(candidate, percentile_ns),
            _ratio(reference, candidate, percentile_ns),
        )
        for label, percentile_ns in PERCENTILES
        if percentile_ns(reference) or percentile_ns(candidate)
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
    reference, candidate = report.reference.latency, report.candidate.latency
    if not (reference.p50_ns and candidate.p50_ns):
        yield "The two cannot be compared in time: one of them was not timed."
    elif not (reference.valid and candidate.valid):
        where = "as said above" if hangs_on_time(report) else "and the verdict does not hang on it"
        yield f"The two must not be compared in time: a latency is INVALID, {where}."
        if not hangs_on_time(report):
            yield from invalid(report)
    else:
        ours, theirs = (milliseconds(p50 / 1e6) for p50 in (candidate.p50_ns, reference.p50_ns))
        where = "this host, which is not the target" if report.host_stand_in else "the device"
        yield (
            f"Half of all answers take at most {ours} on {where}, and {theirs} from the {there}: "
            f"{decimal(candidate.p50_ns / reference.p50_ns, 2)} times as long."
        )
    yield from _network(report)


def _network(report: ReportRecord) -> Iterable[str]:
    network, p50 = report.network_share, report.reference.latency.p50_ns
    if not network or not p50:
        return
    whole = f"{_percent(network.share)} of the {milliseconds(p50 / 1e6)} from the cloud are the network"
    if network.at_least:
        yield f"At least {whole}: an empty request takes as long."
    else:
        yield f"{whole}, the rest is the server."


def _percent(share: float) -> str:
    return f"{decimal(100 * share, 1)} %"


def _server(report: ReportRecord) -> Iterable[Row]:
    """Parts of the server's time, and the share of the network."""
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


def _ratio(
    reference: LatencyRecord, candidate: LatencyRecord, percentile_ns: Callable[[LatencyRecord], int | None]
) -> str:
    theirs_ns, ours_ns = percentile_ns(reference), percentile_ns(candidate)
    valid = reference.valid and candidate.valid
    return times(ours_ns / theirs_ns) if theirs_ns and ours_ns and valid else "-"


def _picture(report: ReportRecord, there: str, here: str) -> LatencyChart | None:
    spreads = tuple(_spread(name, side) for name, side in ((there, report.reference), (here, report.candidate)))
    known = tuple(spread for spread in spreads if spread)
    if len(known) < 2:
        return None
    words = "; ".join(f"{each.name}: {_words(each)}" for each in known)
    return LatencyChart(f"How the latencies are spread, on the same scale. {words}.", known)


def _spread(name: str, side: EndpointRecord) -> Spread | None:
    histogram, p50 = side.latency.histogram, side.latency.p50_ns
    invalid = "" if side.latency.valid else " (INVALID)"
    return Spread(name + invalid, histogram, p50) if histogram and p50 else None


def _words(spread: Spread) -> str:
    """Range of the bins that hold anything, and the median."""
    edges, counts = spread.histogram.edges_ns, spread.histogram.counts
    filled = [index for index, count in enumerate(counts) if count]
    low, high = (milliseconds(edges[index] / 1e6) for index in (filled[0], filled[-1] + 1))
    return f"from {low} to {high}, half of them at most {milliseconds(spread.median_ns / 1e6)}"

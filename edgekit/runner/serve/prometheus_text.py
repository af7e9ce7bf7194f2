"""Counters of a server in Prometheus's text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .worker_pool import WorkerPool

TYPE = "text/plain; version=0.0.4; charset=utf-8"
PARTS = {"success": "whole", "queue": "queue", "compute_input": "input", "compute_infer": "inference"}
PARTS["compute_output"] = "output"
"""Parts of the time of answered requests, by their names in Triton's statistics."""


class ServerMetric(NamedTuple):
    """A metric with its samples."""

    name: str
    kind: str
    """`counter` or `gauge`."""
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]
    """Labels and value of each."""


def prometheus_text(pool: WorkerPool) -> str:
    """All metrics of a server, a line each. No input, output or identifier of a request is among them."""
    return "".join(line for metric in _metrics(pool) for line in _lines(metric))


def _metrics(pool: WorkerPool) -> list[ServerMetric]:
    live = pool.live
    metrics = [
        ServerMetric("edgekit_ready", "gauge", "1 if a model answers.", [({}, 1 if live else 0)]),
        ServerMetric(
            "edgekit_workers", "gauge", "Processes that hold the model and answer.", [({}, pool.ready_workers)]
        ),
        ServerMetric(
            "edgekit_waiting_requests", "gauge", "Requests in the queue or with a worker.", [({}, pool.waiting)]
        ),
    ]
    if live is None:
        return metrics
    model = {"model": live.name, "version": live.version}
    counted = pool.statistics.document(live.name, live.version)
    spent = counted["inference_stats"]
    outcomes = [({**model, "outcome": name}, spent[name]["count"]) for name in ("success", "fail")]
    seconds = [({**model, "part": part}, spent[name]["ns"] / 1e9) for name, part in PARTS.items()]
    executed, uncounted = counted["execution_count"], counted["uncounted"]
    return [
        *metrics,
        ServerMetric("edgekit_requests_total", "counter", "Requests since the bundle was first served.", outcomes),
        ServerMetric("edgekit_request_seconds_total", "counter", "Seconds of answered requests, by part.", seconds),
        ServerMetric("edgekit_executions_total", "counter", "Frames that workers were given.", [(model, executed)]),
        ServerMetric("edgekit_uncounted_total", "counter", "Requests that no window counts.", [(model, uncounted)]),
    ]


def _lines(metric: ServerMetric) -> list[str]:
    head = [f"# HELP {metric.name} {metric.help}\n", f"# TYPE {metric.name} {metric.kind}\n"]
    return head + [f"{metric.name}{_labels(labels)} {value!r}\n" for labels, value in metric.samples]


def _labels(labels: Mapping[str, str]) -> str:
    written = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{written}}}" if written else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

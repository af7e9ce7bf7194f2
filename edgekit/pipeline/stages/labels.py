"""Check labels against the task's metric before anything slow: a wrong kind is refused in seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgekit.cache import digest_of, tool_versions
from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.parity.metrics import metric_of
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.inputs import CachedData, Network

CHECKED = "checked.json"


def check_labels(compilation: Compilation, evaluation: CachedData) -> None:
    """Raise DataError if the task's metric cannot score the network's answers to the evaluation or training data.

    One answer of the float network stands for all. The cache remembers that labels and network go together.
    """
    if not compilation.network.known:
        compilation.require_packages()
    training = [data for data in compilation.compressed.data if data.role == "training"]
    for data in (*training, evaluation):
        _check(compilation.network, data)


def _check(network: Network, data: CachedData) -> None:
    project = network.project
    metric = metric_of(project.model.task)
    key = digest_of(
        {
            "stage": "labels",
            "network": network.key,
            "data": data.key,
            "task": project.model.task,
            "versions": tool_versions(("numpy",)),
        }
    )

    def make(out: Path) -> None:
        answers = _answers(network, len(data.samples))
        try:
            if answers:
                metric.check(answers, data.samples.labels)
        except DataError as error:
            raise DataError(f"the {data.role} data of '{project.name}': {error}", hint=error.hint) from error
        (out / CHECKED).write_text(json.dumps({"metric": metric.name, "samples": len(data.samples)}))

    network.line.cache.fetch(key, make)


def _answers(network: Network, count: int) -> Mapping[str, Array]:
    """Answer of the network to one sample, repeated `count` times without using memory for it."""
    from edgekit.frontend.eager import output_zeros

    one = output_zeros(network.model)
    return {name: np.broadcast_to(output, (count, *output.shape[1:])) for name, output in one.items()}

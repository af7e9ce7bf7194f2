"""Check the task before anything slow: its labels before the network is loaded, its outputs before it is captured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgekit.cache import digest_of, tool_versions
from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.inputs import CachedData, Network
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.registry import task_of

CHECKED = "checked.json"


def check_labels(compilation: Compilation, evaluation: CachedData) -> None:
    """Raise DataError if the task cannot score the network's answers to the evaluation or training data.

    One answer of the float network stands for all. The cache remembers that labels and network go together.
    """
    training = [data for data in compilation.compressed.data if data.role == "training"]
    for data in (*training, evaluation):
        data.samples  # noqa: B018  # labels of another task are refused before torch is imported
    if not compilation.network.known:
        compilation.require_packages()
    for data in (*training, evaluation):
        _check(compilation.network, data)


def _check(network: Network, data: CachedData) -> None:
    project = network.project
    task = task_of(project)
    key = digest_of(
        {
            "stage": "labels",
            "network": network.key,
            "data": data.key,
            "task": [project.model.task, project.task],
            "versions": tool_versions(("numpy",)),
        }
    )

    def make(out: Path) -> None:
        answers, labels = _answers(network, len(data.samples)), data.samples.labels
        try:
            if answers:
                task.check(answers, labels if is_labelled(labels) else None)
        except DataError as error:
            raise DataError(f"the {data.role} data of '{project.name}': {error}", hint=error.hint) from error
        (out / CHECKED).write_text(json.dumps({"metric": task.metric.name, "samples": len(data.samples)}))

    network.line.cache.fetch(key, make)


def _answers(network: Network, count: int) -> Mapping[str, Array]:
    """Answer of the network to one sample, repeated `count` times without using memory for it."""
    from edgekit.frontend.eager import output_zeros

    one = output_zeros(network.model)
    return {name: np.broadcast_to(output, (count, *output.shape[1:])) for name, output in one.items()}

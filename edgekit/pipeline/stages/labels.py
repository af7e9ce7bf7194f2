"""Check the task before anything slow: its labels before the network is loaded, its outputs before it is captured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edgekit.cache import digest_of, tool_versions
from edgekit.datasets.classes import class_names
from edgekit.datasets.tokenizer import Tokenizer, read_tokenizers
from edgekit.errors import DataError, TokenizerMismatch
from edgekit.ir.measurement import Array
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.inputs import CachedData, Network
from edgekit.samples import Samples
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.language_model import LanguageModel
from edgekit.tasks.registry import task_of
from edgekit.tasks.task import Task, shape_text
from edgekit.tasks.task_over_time import of_sequences

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
    tokenizers = read_tokenizers(project)
    key = digest_of(
        {
            "stage": "labels",
            "network": network.key,
            "data": data.key,
            "task": [project.model.task, project.task, project.model.classes],
            "versions": tool_versions(("numpy",)),
            **({"tokenizers": [tokenizer.sha256 for tokenizer in tokenizers.values()]} if tokenizers else {}),
        }
    )

    def make(out: Path) -> None:
        answers, labels = _answers(network, data.samples), data.samples.labels
        scored = of_sequences(task, data.samples.length, labels)
        try:
            if answers:
                scored.check(answers, labels if is_labelled(labels) else None)
                _check_names(class_names(project), scored.class_count(answers), answers)
                _check_vocabulary(task, answers, tokenizers)
        except TokenizerMismatch:
            raise
        except DataError as error:
            raise DataError(f"the {data.role} data of '{project.name}': {error}", hint=error.hint) from error
        (out / CHECKED).write_text(json.dumps({"metric": task.metric.name, "samples": len(data.samples)}))

    network.line.cache.fetch(key, make)


def _check_names(names: Sequence[str], count: int | None, answers: Mapping[str, Array]) -> None:
    """Raise DataError if the outputs score another number of classes than there are names."""
    if names and count not in (None, len(names)):
        raise DataError(
            f"[model] classes names {len(names)}, the outputs have scores of {count}: {shape_text(answers)}",
            hint="name each class that the network was trained with, in order; of boxes, see also [task] decoder",
        )


def _check_vocabulary(task: Task, answers: Mapping[str, Array], tokenizers: Mapping[str, Tokenizer]) -> None:
    """Raise TokenizerMismatch if a language model scores fewer tokens than its only tokenizer has."""
    if not isinstance(task, LanguageModel) or len(tokenizers) != 1:
        return
    (name, tokenizer), vocabulary = next(iter(tokenizers.items())), next(iter(answers.values())).shape[-1]
    if tokenizer.size > vocabulary:
        raise TokenizerMismatch(
            f"the tokenizer of input '{name}' has {tokenizer.size} tokens, the model scores {vocabulary}",
            hint="bring back the tokenizer of the training; a model may score more tokens than it has, not fewer",
        )


def _answers(network: Network, samples: Samples) -> Mapping[str, Array]:
    """Answer of the network to one sample, repeated for all without using memory for it; of sequences at every step."""
    from edgekit.frontend.eager import output_zeros

    one = output_zeros(network.model)
    lead = (len(samples), samples.steps) if samples.steps else (len(samples),)
    return {name: np.broadcast_to(output, (*lead, *output.shape[1:])) for name, output in one.items()}

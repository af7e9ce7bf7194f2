"""The bundle of a build or a run, with the bins that devices count in while they serve it (`monitor.json`)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.cache import digest_of, tool_versions
from edgekit.pipeline.host_answers import on_host
from edgekit.pipeline.stages.compile import Compilation, Compiled
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.pack import pack_bundle
from edgekit.runner.layout import MONITOR
from edgekit.tasks.classification import Classification
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.registry import task_of

SAMPLES, LEAST = 2000, 256
"""Evaluation samples that the bins are made of, at most and at least where the set has them, whatever a build or a run
is told to judge: it is the same bundle."""
MACS = 2e11
"""Multiply-accumulates that answering them may take: a minute of a core. By a clock it would be another bundle."""
VERSION = 1
"""Version of what is computed below, for the cache."""


def bundle_with_bins(compilation: Compilation, compiled: Compiled, key: SigningKey, out: Path) -> Bundle:
    """Pack the bundle as `pack_bundle` does, with its bins. Raises what that and a run of the artifact raise."""
    return pack_bundle(compilation, compiled, key, out, _bins(compilation, compiled))


def _bins(compilation: Compilation, compiled: Compiled) -> bytes | None:
    """Content of the file of bins; None of a model with state, whose requests are sequences."""
    request, line = compilation.request, compilation.line
    project = request.project
    if project.state:
        return None
    each = compiled.artifact.placement.macs
    count = min(SAMPLES, max(LEAST, int(MACS / each))) if each else SAMPLES
    data = CachedData(project, line, "evaluation", count)
    limits = request.profile.monitor.model_dump(mode="json")

    def draft() -> Bundle:
        # Its bins are made of its answers: until then it is signed by a key that nobody has.
        return pack_bundle(compilation, compiled, SigningKey.generate(), Path(scratch))

    def write(folder: Path) -> None:
        from edgekit.parity.frozen_bins import freeze_bins

        answers, samples = on_host(compilation, data, draft), data.samples
        task = task_of(project)
        classifies = isinstance(task, Classification) and task.metric_name == "top1" and is_labelled(samples.labels)
        bins = freeze_bins(
            project.model.task,
            "artifact",
            answers.outputs,
            samples.labels if classifies else None,
            samples.inputs,
            compiled.artifact.signature.inputs,
            limits,
            task.scores if isinstance(task, Classification) else None,
        )
        (folder / MONITOR).write_bytes(bins.to_bytes())

    with tempfile.TemporaryDirectory() as scratch:
        digest = digest_of(
            {
                "bins": VERSION,
                "artifact": compilation.lower.key,
                "data": data.key,
                "task": [project.model.task, project.task],
                "limits": limits,
                "versions": tool_versions(("numpy", *request.backend.packages)),
            }
        )
        return (line.cache.fetch(digest, write)[0] / MONITOR).read_bytes()

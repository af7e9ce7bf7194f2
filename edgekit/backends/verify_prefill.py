"""Verification of the entry points of a decoder that read several tokens at once, against their programs."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.backends.artifact_run import run_errors, runner_manifest
from edgekit.ir.artifact import Artifact
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.runner.runtimes.base import load
from edgekit.runner.runtimes.select_runtime import open_runtime
from edgekit.samples import Samples

CHUNKS = 4
"""Number of chunks that each entry point is compared on: the first of a text, and some behind others."""


def prefill_outputs(artifact: Artifact, program: Program, samples: Samples) -> Iterator[tuple[int, str, Array, Array]]:
    """Run every entry point and its program on chunks of the sequences, from the program's own state.

    Yields the number of tokens, the name of an output, and it as the program and as the artifact gives it, as stored.
    Raises LoweringError if the artifact does not run.
    """
    import numpy as np
    import torch
    from torch.utils import _pytree as pytree

    from edgekit.frontend.sequences import prefill_arguments

    counts = program.signature.prefill
    with run_errors(artifact):
        _, runtime = open_runtime(artifact.format)
        call = load(runtime, runner_manifest(artifact)._replace(prefill=counts), 1)
    for count, entry in zip(counts, program.prefill, strict=True):
        chunks, module = prefill_arguments(entry, samples, CHUNKS), entry.exported.module()
        with torch.no_grad(), run_errors(artifact):
            expected = [[leaf.numpy() for leaf in pytree.tree_leaves(module(*chunk))] for chunk in chunks]
            # A runtime may give its own memory, which the next call writes into.
            actual = [[np.array(each) for each in call([leaf.numpy() for leaf in chunk])] for chunk in chunks]
        for i, spec in enumerate(artifact.signature.outputs):
            reference, candidate = (np.stack([row[i] for row in rows]) for rows in (expected, actual))
            yield count, spec.name, reference, candidate

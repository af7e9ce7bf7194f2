"""Verification of the entry points of a decoder that read several tokens at once, against their programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.backends.artifact_run import run_errors, runner_manifest
from edgekit.ir.artifact import Artifact
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.sqnr import sqnr_db
from edgekit.runner.model.manifest import RunnerManifest
from edgekit.runner.runtimes.base import load
from edgekit.runner.runtimes.select_runtime import open_runtime
from edgekit.runner.runtimes.token_decoder import TokenDecoder
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


def decode_agreement_db(manifest: RunnerManifest, texts: Sequence[Sequence[int]]) -> float:
    """SQNR in dB of the logits behind texts that are read at once, against those behind the same texts token by token.

    texts: each of as many tokens as an entry point reads. Both are of the same file, so the rounding of its weights is
    in both: what differs is a fault of an entry point. Raises RunnerError if the file does not run.
    """
    import numpy as np

    decoder, pairs = TokenDecoder(manifest, 1), []
    for text in texts:
        decoder.reset()
        at_once = np.array(decoder.prefill(text))
        decoder.reset()
        for token in text:
            logits = decoder.decode(token)
        pairs.append((np.array(logits), at_once))
    expected, actual = (np.stack(column) for column in zip(*pairs, strict=True))
    return sqnr_db(expected, actual)


def prefill_texts(program: Program, samples: Samples, count: int) -> list[list[int]]:
    """First `count` tokens of some sequences; a shorter one is repeated."""
    import numpy as np

    assert samples.length is not None
    rows = samples.inputs[program.signature.sampled[0].name][:CHUNKS]
    texts = (row.reshape(-1)[:length] for row, length in zip(rows, samples.length.tolist(), strict=False))
    return [np.resize(text, count).tolist() for text in texts]

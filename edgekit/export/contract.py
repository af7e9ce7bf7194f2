"""Contract of an exported model: what goes in, what comes out, and where it comes from. It lies in the model's file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from typing import Any, Literal

from pydantic import Field

from edgekit.bundle.archive import Bundle
from edgekit.bundle.manifest_records import InputAudio, InputFunction, InputProcessing
from edgekit.export.output_values import Values, output_values
from edgekit.ir.artifact import Format
from edgekit.ir.measurement import Array
from edgekit.ir.record import Record
from edgekit.ir.signature import Affine, Signature, TensorSpec
from edgekit.runner.model.entry_points import DECODE, PREFILL
from edgekit.runner.model.lengths import GRAPH

KEY = "edgekit.contract"
"""Name of the contract in a file: key of ONNX's metadata, of a .pte's named data; in a .tflite, a file of that name."""
SHORT = 16
"""Texts that a tokenizer's ids are stated for, at most; the bundle has all."""


class ContractQuantization(Record):
    """Numbers by which stored integers stand for reals: real = scale * (stored - zero_point)."""

    scale: float
    zero_point: int

    @classmethod
    def of(cls, affine: Affine | None) -> ContractQuantization | None:
        return cls(scale=affine.scale, zero_point=affine.zero_point) if affine else None


class ContractTokenizer(Record):
    """Tokenizer that an input's ids come from."""

    file: str
    sha256: str
    size: int
    """Number of token ids."""
    golden: Mapping[str, tuple[int, ...]]
    """Token ids of some texts."""


class ContractInput(Record):
    """Input of the model."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    free: tuple[str, ...] | None = None
    """Axes whose length differs from sample to sample, such as `1: tokens`; left out where there is none."""
    quantization: ContractQuantization | None = None
    steps: tuple[Mapping[str, Any], ...] | None = None
    """Steps from a picture, uint8 [height, width, channels], to the input, in order: docs/preprocessing.md."""
    function: str | None = None
    """Text of the function that makes a raw sample the input."""
    audio: Mapping[str, Any] | None = None
    """Settings by which a recording becomes the input."""
    tokenizer: ContractTokenizer | None = None
    state: Literal[True] | None = None
    """True for state: an output of the step before."""
    initial: str | None = None
    """File of the state before the first step; left out for zeros, and for what is no state."""


class ContractOutput(Record):
    """Output of the model."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    free: tuple[str, ...] | None = None
    quantization: ContractQuantization | None = None
    values: Values | None = None
    """Meaning of the numbers; left out for state."""
    next: str | None = None
    """Input of the next step that it is; left out for what is no state."""


class ContractData(Record):
    """Data set that shaped the model."""

    role: str
    licence: str
    source: str
    samples: int | None
    sha256: str | None


class Lineage(Record):
    """Origin of the model: the bundle that it was taken from, and what made that."""

    bundle_digest: str
    """SHA-256 of the bundle's manifest, by which devices and reports know it."""
    signers: tuple[str, ...]
    model_sha256: Mapping[str, str]
    """SHA-256 of the model's files in the bundle, before the contract was added to the first."""
    edgekit: str
    target: str
    profile: str
    precision: str
    backend: str
    passes: tuple[str, ...]
    data: tuple[ContractData, ...]
    packages: Mapping[str, str]
    """Versions of the packages that made it."""


class Contract(Record):
    """Contract of one model."""

    schema_version: Literal[1] = Field(alias="schema")
    name: str
    version: int
    task: str
    format: Format
    files: tuple[str, ...]
    """Files of the model, the one that a runtime opens first."""
    labels: tuple[str, ...]
    inputs: tuple[ContractInput, ...]
    outputs: tuple[ContractOutput, ...]
    golden_samples: int
    tolerance: float
    """Largest difference from a golden output, as a share of (max - min) of that output's golden file, in reals."""
    options: tuple[tuple[str, str], ...] | None = None
    """Options of the runtime's session; left out where there is none."""
    entries: tuple[str, ...] | None = None
    """Entry points of a model with several: one for a token and for several at once, or one a bucket of lengths."""
    lineage: Lineage

    def to_json(self) -> str:
        """Canonical JSON: keys sorted, no spaces."""
        values = self.model_dump(by_alias=True, mode="json")
        return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def contract_of(bundle: Bundle, golden: Mapping[str, Array]) -> Contract:
    """Contract of the model in a bundle. golden: golden outputs by name, as stored."""
    manifest = bundle.manifest
    signature = manifest.signature
    following = {pair.output: pair.input for pair in signature.state}
    return Contract(
        schema_version=1,
        name=manifest.name,
        version=manifest.version,
        task=manifest.task,
        format=manifest.format,
        files=manifest.model,
        labels=manifest.classes,
        inputs=tuple(_input(bundle, spec) for spec in signature.inputs),
        outputs=tuple(
            ContractOutput(
                name=spec.name,
                dtype=spec.dtype,
                shape=spec.shape,
                free=_free(spec),
                quantization=ContractQuantization.of(spec.affine),
                values=output_values(manifest.task, spec, golden[spec.name], len(manifest.classes))
                if spec.name in golden
                else None,
                next=following.get(spec.name),
            )
            for spec in signature.outputs
        ),
        golden_samples=manifest.golden.count,
        tolerance=manifest.golden.tolerance,
        options=manifest.options or None,
        entries=_entries(signature) or None,
        lineage=_lineage(bundle),
    )


def _input(bundle: Bundle, spec: TensorSpec) -> ContractInput:
    manifest = bundle.manifest
    processing = manifest.processing.get(spec.name)
    tokenizer = manifest.tokenizers.get(spec.name)
    sha256 = {file.path: file.sha256 for file in manifest.files}
    pair = next((pair for pair in manifest.signature.state if pair.input == spec.name), None)
    return ContractInput(
        name=spec.name,
        dtype=spec.dtype,
        shape=spec.shape,
        free=_free(spec),
        quantization=ContractQuantization.of(spec.affine),
        steps=processing.steps if isinstance(processing, InputProcessing) else None,
        function=processing.function if isinstance(processing, InputFunction) else None,
        audio=processing.audio if isinstance(processing, InputAudio) else None,
        tokenizer=tokenizer
        and ContractTokenizer(
            file=tokenizer.path,
            sha256=sha256[tokenizer.path],
            size=tokenizer.size,
            golden=dict(list(tokenizer.golden.items())[:SHORT]),
        ),
        state=True if pair else None,
        initial=pair.initial if pair else None,
    )


def _entries(signature: Signature) -> tuple[str, ...]:
    """Names of the entry points, where the model has several or appends to a cache."""
    if any(pair.append is not None for pair in signature.state):
        return (DECODE, *(PREFILL.format(count) for count in signature.prefill))
    graphs = product(*(length.buckets for length in signature.lengths))
    return tuple(GRAPH.format(number) for number, sizes in enumerate(graphs) if sizes)


def _free(spec: TensorSpec) -> tuple[str, ...] | None:
    return tuple(f"{axis.axis}: {axis}" for axis in spec.free) or None


def _lineage(bundle: Bundle) -> Lineage:
    manifest = bundle.manifest
    return Lineage(
        bundle_digest=bundle.digest,
        signers=tuple(key.id for key in bundle.signers),
        model_sha256={file.path: file.sha256 for file in manifest.files if file.path in manifest.model},
        edgekit=manifest.edgekit,
        target=manifest.target,
        profile=manifest.profile,
        precision=manifest.precision,
        backend=manifest.backend,
        passes=tuple(_pass(step.name, step.options) for step in manifest.history),
        data=tuple(ContractData(**data.model_dump()) for data in manifest.data),
        packages=dict(manifest.versions),
    )


def _pass(name: str, options: tuple[tuple[str, str], ...]) -> str:
    stated = ", ".join(f"{key} {value}" for key, value in options if value)
    return f"{name}: {stated}" if stated else name

"""Manifest of a bundle, `manifest.json`: the part that is signed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from edgekit.bundle.manifest_records import (
    Acceleration,
    ArtifactFacts,
    BundleFile,
    Count,
    DataProvenance,
    Golden,
    InputAudio,
    InputFunction,
    InputProcessing,
    InputTokenizer,
    ManifestRecord,
    Option,
    PassStep,
    Text,
)
from edgekit.errors import BundleError
from edgekit.ir.artifact import Format, Operator
from edgekit.ir.record_fault import first_fault
from edgekit.ir.signature import Signature
from edgekit.runner.layout import MANIFEST, SIGNATURE
from edgekit.specs.release import Moment, check_floor
from edgekit.specs.target import Precision
from edgekit.untrusted.paths import check_tree


class ManifestContent(ManifestRecord):
    """Every field of a manifest but its list of files: the input of `pack`."""

    schema_version: Literal[1, 2, 3] = Field(default=1, alias="schema")
    """2 if the model has state or free lengths, which a reader of schema 1 would not see; else 1."""
    edgekit: Text
    name: Text
    version: Count = 0
    """Version of the model, counted by its maker: a device refuses one below its version floor (anti-rollback)."""
    floor: Count = 0
    """Version floor: once this bundle is committed, the device takes no lower version."""
    expires: Moment | None = None
    """Time until which it may be installed; a bundle that is installed is served on. Absent from the file if None."""
    target: Text
    family: Text
    arch: Text
    profile: Text
    precision: Precision
    backend: Text
    format: Format
    delegates: tuple[str, ...]
    options: tuple[Option, ...]
    """Session options for the runtime."""
    task: Text
    classes: tuple[str, ...]
    model: tuple[str, ...] = Field(min_length=1)
    """Paths of the artifact's files, the one that the runtime opens first."""
    signature: Signature
    processing: Mapping[str, InputProcessing | InputFunction | InputAudio] = Field(default_factory=dict)
    """Processing by input, where there is any. Absent from the file if there is none."""
    tokenizers: Mapping[str, InputTokenizer] = Field(default_factory=dict)
    """Tokenizer by input, where there is any. Absent from the file if there is none."""
    golden: Golden
    acceleration: Acceleration | None = None
    """Accelerators that the device tries. Absent from the file if None."""
    facts: ArtifactFacts
    placement: tuple[Operator, ...]
    history: tuple[PassStep, ...]
    data: tuple[DataProvenance, ...]
    versions: Mapping[str, str]

    @model_validator(mode="after")
    def _admits_itself(self) -> ManifestContent:
        check_floor(self.version, self.floor)
        strangers = {*self.processing, *self.tokenizers} - {spec.name for spec in self.signature.inputs}
        if strangers:
            raise ValueError(f"'processing' or 'tokenizers' names '{min(strangers)}', which is no input")
        return self

    @model_validator(mode="after")
    def _states_its_schema(self) -> ManifestContent:
        if self.schema_version != schema_of(self.signature):
            raise ValueError(f"'schema' is {schema_of(self.signature)} for this signature, not {self.schema_version}")
        return self

    @model_serializer(mode="wrap")
    def _without_unsaid(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what was added later and is not stated: a bundle without it keeps its bytes."""
        values: dict[str, Any] = written(self)
        for name in ("expires", "acceleration"):
            if values[name] is None:
                del values[name]
        if "acceleration" in values and values["acceleration"]["prefer"] == "latency":
            del values["acceleration"]["prefer"]
        for name in ("processing", "tokenizers"):
            if not values[name]:
                del values[name]
        for operator in values["placement"]:
            if operator["bytes"] is None:
                del operator["bytes"]
            if not operator["module"]:
                del operator["module"]
        return values


def schema_of(signature: Signature) -> Literal[1, 2, 3]:
    """Schema of a manifest with this signature: 2 with state or free lengths, 3 with caches that are appended to."""
    if signature.prefill or any(pair.append is not None for pair in signature.state):
        return 3
    return 2 if signature.state or signature.lengths else 1


class Manifest(ManifestContent):
    """A whole manifest. In a bundle it has exactly one encoding: `to_bytes`."""

    files: tuple[BundleFile, ...]
    """Every file but the manifest and its signature, sorted by path."""

    @model_validator(mode="after")
    def _complete(self) -> Manifest:
        paths = [file.path for file in self.files]
        if paths != sorted(set(paths)):
            raise ValueError("the files are not sorted, or one is listed twice")
        check_tree([*paths, MANIFEST, SIGNATURE])
        tokenizers = (tokenizer.path for tokenizer in self.tokenizers.values())
        raw = (path for each in self.processing.values() if isinstance(each, InputFunction) for path in each.raw)
        missing = {*self.model, *self.golden_paths(), *self.state_paths(), *tokenizers, *raw} - set(paths)
        if missing:
            raise ValueError(f"there is no file '{min(missing)}'")
        return self

    def golden_paths(self) -> tuple[str, ...]:
        """Paths of the golden vectors: inputs, then outputs, in the order of the signature."""
        inputs = (f"golden/inputs/{spec.name}.npy" for spec in self.signature.sampled)
        return (*inputs, *(f"golden/outputs/{spec.name}.npy" for spec in self.signature.reported))

    def state_paths(self) -> tuple[str, ...]:
        """Paths of the initial states that are not zero."""
        return tuple(pair.initial for pair in self.signature.state if pair.initial is not None)

    @classmethod
    def of(cls, description: ManifestContent, files: Iterable[tuple[str, int, str]]) -> Manifest:
        """Make a manifest for files, by path, size in bytes and SHA-256.

        Raises BundleError if they are not those that the description names, or a path leaves the bundle.
        """
        values = {name: getattr(description, name) for name in ManifestContent.model_fields}
        try:
            listed = tuple(BundleFile(path=path, bytes=size, sha256=sha256) for path, size, sha256 in sorted(files))
            manifest = cls(**values, files=listed)
            manifest.to_bytes()
        except ValidationError as error:
            raise BundleError(f"this cannot be a manifest: {first_fault(error)}") from error
        except ValueError as error:
            raise BundleError("this cannot be a manifest: it holds text that is not Unicode") from error
        return manifest

    @classmethod
    def parse(cls, raw: bytes) -> Manifest:
        """Parse the manifest that `to_bytes` writes as `raw`. Raises BundleError for any other bytes."""
        try:
            manifest = cls.model_validate_json(raw)
        except ValidationError as error:
            fault = first_fault(error)
            newer = "was it packed by a newer edgekit? update this one"
            hint = "build it again: edgekit build" if fault.ours else newer
            raise BundleError(f"'{MANIFEST}': {fault}", hint=hint) from error
        if manifest.to_bytes() != raw:
            raise BundleError(f"'{MANIFEST}' is not in canonical form", hint="pack it with edgekit build")
        return manifest

    def to_bytes(self) -> bytes:
        """Encode as canonical JSON: keys sorted, no spaces, UTF-8, one newline at the end."""
        values = self.model_dump(by_alias=True, mode="json")
        text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode() + b"\n"

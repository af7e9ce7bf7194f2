"""Save and load a measurement as two files: `NAME.json` states its circumstances, `NAME.npz` holds its arrays."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from edgekit.atomic import write
from edgekit.errors import DataError, SpecError
from edgekit.ir.measurement import (
    AcceleratorUse,
    Around,
    Array,
    Energy,
    Environment,
    Measurement,
    Process,
    ServerTime,
    Validity,
)
from edgekit.specs.spec import Spec, parse
from edgekit.untrusted import json_text
from edgekit.untrusted.npy import read_npz

MAX_VALUES = 1_000_000
"""Limit of the JSON values in a record."""
OUTPUT = "output/"
"""Prefix of an output's name in the `.npz`, as an output may be called `labels`."""


class _Record(Spec):
    schema_version: Literal[1] = Field(alias="schema")
    arrays_sha256: str
    samples_digest: str
    load_ns: int
    first_ns: int
    peak_rss_bytes: int | None
    environment: Environment
    validity: Validity
    instructions: int | None = None
    processes: tuple[Process, ...] = ()
    model_rss_bytes: int | None = None
    around: Around | None = None
    energy: Energy | None = None
    server: ServerTime | None = None
    samples_per_s: float | None = None
    accelerator: AcceleratorUse | None = None


def save(measurement: Measurement, path: Path) -> None:
    """Write `path` with the endings .json and .npz, each whole or not at all. Raises StorageError on a full disk.

    Arrays: `labels`, `latency_ns`, and `output/<name>` for every output; `length` for sequences, `groups` where stated.
    """
    arrays = {"labels": measurement.labels, "latency_ns": measurement.latency_ns}
    if measurement.length is not None:
        arrays["length"] = measurement.length
    if measurement.groups is not None:
        arrays["groups"] = measurement.groups
    content = packed(arrays | {OUTPUT + name: array for name, array in measurement.outputs.items()})
    record = _Record(
        schema_version=1,
        arrays_sha256=sha256(content).hexdigest(),
        samples_digest=measurement.samples_digest,
        load_ns=measurement.load_ns,
        first_ns=measurement.first_ns,
        peak_rss_bytes=measurement.peak_rss_bytes,
        environment=measurement.environment,
        validity=measurement.validity,
        instructions=measurement.instructions,
        processes=measurement.processes,
        model_rss_bytes=measurement.model_rss_bytes,
        around=measurement.around,
        energy=measurement.energy,
        server=measurement.server,
        samples_per_s=measurement.samples_per_s,
        accelerator=measurement.accelerator,
    )
    written = json.dumps(record.model_dump(by_alias=True, mode="json"), indent=2) + "\n"
    # The record goes last: it names the arrays it belongs to.
    write(_ending(path, ".npz"), content)
    write(_ending(path, ".json"), written.encode())


def load(path: Path) -> Measurement:
    """Load the measurement saved at `path`, with or without an ending.

    Raises SpecError if the record is missing or wrong, DataError if its arrays are.
    """
    record_path = _ending(path, ".json")
    record = parse(_Record, _read_json(record_path), str(record_path))
    arrays = _read_arrays(_ending(path, ".npz"), record.arrays_sha256)
    return Measurement(
        outputs={name.removeprefix(OUTPUT): array for name, array in arrays.items() if name.startswith(OUTPUT)},
        labels=arrays["labels"],
        samples_digest=record.samples_digest,
        latency_ns=arrays["latency_ns"],
        load_ns=record.load_ns,
        first_ns=record.first_ns,
        peak_rss_bytes=record.peak_rss_bytes,
        environment=record.environment,
        validity=record.validity,
        instructions=record.instructions,
        processes=record.processes,
        model_rss_bytes=record.model_rss_bytes,
        around=record.around,
        energy=record.energy,
        server=record.server,
        samples_per_s=record.samples_per_s,
        accelerator=record.accelerator,
        length=arrays.get("length"),
        groups=arrays.get("groups"),
    )


def _ending(path: Path, ending: str) -> Path:
    stem = path.with_suffix("") if path.suffix in (".json", ".npz") else path
    return stem.with_name(stem.name + ending)


def packed(arrays: Mapping[str, Array]) -> bytes:
    file = io.BytesIO()
    # Not `allow_pickle=False`: numpy 1 takes that for one more array. `load` refuses pickles.
    named: dict[str, Any] = dict(arrays)
    np.savez(file, **named)
    return file.getvalue()


def _read_json(path: Path) -> dict[str, object]:
    try:
        values = json_text.loads(path.read_text("utf-8"), MAX_VALUES)
    except FileNotFoundError as error:
        raise SpecError(f"there is no '{path}'", hint="edgekit probe --out FILE.json makes a measurement") from error
    except (OSError, ValueError) as error:
        raise SpecError(f"'{path}' cannot be read as a measurement: {error}") from error
    if not isinstance(values, dict):
        raise SpecError(f"'{path}' is no measurement: it holds no JSON object")
    return values


def _read_arrays(path: Path, digest: str) -> dict[str, Array]:
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(f"the arrays in '{path}' cannot be read: {error}") from error
    if sha256(packed).hexdigest() != digest:
        raise DataError(f"the arrays in '{path}' are not those that its record names", hint="measure again")
    try:
        arrays = read_npz(io.BytesIO(packed), packed=False)
    except ValueError as error:
        raise DataError(f"'{path}' holds no arrays: {error}") from error
    _check(arrays, path)
    return arrays


def _check(arrays: Mapping[str, Array], path: Path) -> None:
    missing = {"labels", "latency_ns"} - set(arrays)
    if missing:
        raise DataError(f"'{path}' has no '{min(missing)}'")
    if arrays["latency_ns"].dtype != np.int64 or arrays["latency_ns"].ndim != 1:
        raise DataError(f"'{path}': 'latency_ns' is no row of int64")
    if arrays["labels"].ndim == 0 or arrays["labels"].dtype.kind not in "biuf":
        raise DataError(f"'{path}': 'labels' are no numbers, one a sample")
    for name in ("length", "groups"):
        column = arrays.get(name)
        if column is not None and (column.dtype != np.int64 or column.shape != arrays["labels"].shape[:1]):
            raise DataError(f"'{path}': '{name}' is no int64 a label")
    for name, array in arrays.items():
        if name.startswith(OUTPUT) and array.dtype.kind not in "biuf":
            raise DataError(f"'{path}': '{name}' holds no numbers")
        if name.startswith(OUTPUT) and array.shape[:1] != arrays["labels"].shape[:1]:
            raise DataError(f"'{path}': '{name}' has not one row a label")

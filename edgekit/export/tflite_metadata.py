"""Metadata of a .tflite file, which Android Studio reads: what each tensor is, labels, and the contract as a file.

A table `ModelMetadata` lies in a buffer of the model under the name TFLITE_METADATA; the files that it names are in a
zip behind the model, stored and not compressed. Field numbers: metadata_schema.fbs of TensorFlow Lite Support, version
1.1.0, and schema.fbs of TensorFlow Lite, version 3.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.export.contract import KEY, Contract, ContractInput, ContractOutput
from edgekit.export.flatbuffer_head import (
    Existing,
    Fields,
    FlatValue,
    Scalar,
    Scalars,
    elements,
    field_positions,
    lay_out,
    root_fields,
)

IDENTIFIER = b"TFL3"
VERSION, SUBGRAPHS, BUFFERS, METADATA = 0, 2, 4, 6
OPERATORS = 3
"""Field of a subgraph."""
DATA, OFFSET = 0, 1
"""Fields of a buffer: its bytes, or where they lie in the file."""
LARGE_OPTIONS = 9
"""Field of an operator: where its options lie in the file."""
NAME = "TFLITE_METADATA"
METADATA_IDENTIFIER = b"M001"
MINIMAL_PARSER = "1.0.0"
"""Version of the reader that knows all fields that are written here."""
LABELS = "labels.txt"
CONTRACT = f"{KEY}.json"
AXIS_LABELS, DESCRIPTIONS = 2, 1
"""Kinds of associated files."""
FEATURE, IMAGE = 1, 2
"""Kinds of contents."""
UNKNOWN, RGB, GREY = 0, 1, 2
NORMALIZATION = 1
"""Kind of process units."""
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def with_metadata(content: bytes, contract: Contract, labels: str) -> Iterator[bytes]:
    """Yield the pieces of the model `content` with its metadata; `content` is one of them.

    Places in the file that it states are moved. labels: text of the label file, a line a class; empty for none.
    Raises ValueError or struct.error for bytes that are no such model.
    """
    if content[4:8] != IDENTIFIER:
        raise ValueError(f"it does not begin as a model of '{IDENTIFIER.decode()}' does")
    fields = root_fields(content, {VERSION: "I"})
    entries, buffers = elements(content, fields.get(METADATA)), elements(content, fields.get(BUFFERS))
    description = lay_out(_model(contract, bool(labels)), METADATA_IDENTIFIER, alignment=1)
    fields[METADATA] = [*entries, {0: NAME, 1: Scalar("I", len(buffers))}]
    fields[BUFFERS] = [*buffers, {DATA: description}]
    head = lay_out(fields, IDENTIFIER)
    body = moved(content, len(head))
    yield head
    yield body
    files = {CONTRACT: contract.to_json(), **({LABELS: labels} if labels else {})}
    yield stored_zip(files, len(head) + len(body))


def moved(content: bytes, shift: int) -> bytes:
    """Copy a model that will lie `shift` bytes later in its file: places counted from the file's begin are greater.

    The same object if it states none, which is the rule for small models. Raises struct.error.
    """
    fields = root_fields(content, {VERSION: "I"})
    operators = [
        operator
        for subgraph in elements(content, fields.get(SUBGRAPHS))
        for operator in elements(content, _field(content, subgraph, OPERATORS))
    ]
    stated = [(each, OFFSET) for each in elements(content, fields.get(BUFFERS))]
    stated += [(each, LARGE_OPTIONS) for each in operators]
    changed: bytearray | None = None
    for table, number in stated:
        at = field_positions(content, table.at).get(number) if isinstance(table, Existing) else None
        place = struct.unpack_from("<Q", content, at)[0] if at is not None else 0
        if at is not None and place > 1:  # 0 and 1 mean that nothing lies outside
            changed = changed if changed is not None else bytearray(content)
            struct.pack_into("<Q", changed, at, place + shift)
    return content if changed is None else bytes(changed)


def stored_zip(files: Mapping[str, str], offset: int) -> bytes:
    """Zip of texts, stored, for the end of a file, where it begins at `offset`: places count from the file's begin."""
    out = _Behind(offset)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text.encode())
    return out.getvalue()


class _Behind(io.BytesIO):
    """Bytes whose positions begin at `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__()
        self._offset = offset

    def tell(self) -> int:
        return self._offset + super().tell()

    def seek(self, position: int, whence: int = 0, /) -> int:
        return self._offset + super().seek(position - (0 if whence else self._offset), whence)


def _field(content: bytes, table: Existing | Fields, number: int) -> FlatValue | None:
    at = field_positions(content, table.at).get(number) if isinstance(table, Existing) else None
    return None if at is None else Existing(at + int(struct.unpack_from("<I", content, at)[0]))


def _model(contract: Contract, labelled: bool) -> dict[int, Any]:
    """Table ModelMetadata."""
    axis = {0: LABELS, 1: "Names of the classes, in the order of the scores.", 2: Scalar("b", AXIS_LABELS)}
    scored = next((each for each in contract.outputs if each.values in ("logits", "probabilities")), None)
    subgraph = {
        0: contract.name,
        2: [_input(each) for each in contract.inputs],
        3: [_output(each, axis if labelled and each is scored else None) for each in contract.outputs],
    }
    named = [axis | {2: Scalar("b", DESCRIPTIONS)}] if labelled and scored is None else []
    file = {0: CONTRACT, 1: "Preprocessing, labels, lineage and bundle digest.", 2: Scalar("b", DESCRIPTIONS)}
    lineage = contract.lineage
    return {
        0: contract.name,
        1: f"{contract.task}, {lineage.precision}, for {lineage.target}; bundle {lineage.bundle_digest}",
        2: str(contract.version),
        3: [subgraph],
        6: [file, *named],
        7: MINIMAL_PARSER,
    }


def _input(each: ContractInput) -> dict[int, Any]:
    """Table TensorMetadata of an input. Pixels go in as they are: what is done to them is in the graph."""
    height_width_channels = each.shape[1:]
    picture = each.dtype == "uint8" and len(each.shape) == 4 and height_width_channels[-1] in (1, 3)
    if not picture:
        return {0: each.name, 1: _words(each), 3: {0: Scalar("B", FEATURE), 1: {}}}
    size = {0: Scalar("I", height_width_channels[1]), 1: Scalar("I", height_width_channels[0])}
    reversed_colours = any(step.get("colour") == "bgr" for step in each.steps or ())
    colour = GREY if height_width_channels[-1] == 1 else UNKNOWN if reversed_colours else RGB
    unchanged = {0: Scalar("B", NORMALIZATION), 1: {0: Scalars("f", (0.0,)), 1: Scalars("f", (1.0,))}}
    return {
        0: each.name,
        1: _words(each),
        3: {0: Scalar("B", IMAGE), 1: {0: Scalar("b", colour), 1: size}},
        4: [unchanged],
        5: {0: Scalars("f", (255.0,)), 1: Scalars("f", (0.0,))},
    }


def _output(each: ContractOutput, labels: dict[int, Any] | None) -> dict[int, Any]:
    described: dict[int, Any] = {0: each.name, 1: _words(each), 3: {0: Scalar("B", FEATURE), 1: {}}}
    return {**described, 6: [labels]} if labels else described


def _words(each: ContractInput | ContractOutput) -> str:
    values = each.values if isinstance(each, ContractOutput) and each.values else ""
    return f"{values} {each.dtype}{list(each.shape)}".strip()

"""Folder of an exported model: written whole, or not at all."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from edgekit.atomic import partial_beside, stored, sync_folder
from edgekit.bundle.archive import Bundle
from edgekit.errors import ExportError, StorageError
from edgekit.export.contract import KEY, Contract, contract_of
from edgekit.export.hugging_face import ATTRIBUTES, front_matter, git_attributes
from edgekit.export.onnx_metadata import metadata_entry
from edgekit.export.pte_named_data import with_named_data
from edgekit.export.readme import readme
from edgekit.export.signing_pair import SIGNATURE, SigningPair, signature_of
from edgekit.export.tflite_metadata import CONTRACT, LABELS, with_metadata
from edgekit.ir.measurement import Array
from edgekit.runner.model.lengths import LENGTHS
from edgekit.untrusted.npy import read_from
from edgekit.untrusted.paths import contained

README = "README.md"
GOLDEN = "golden/"
AGAIN = "build it again with this edgekit: edgekit build"
COPIED = (GOLDEN, "state/", "tokenizer/", "data-card.")
"""Beginnings of paths of a bundle whose files are copied."""


def export(bundle: Bundle, out: Path, *, signer: SigningPair | None = None, hub: bool = False) -> Contract:
    """Write the model of a bundle, which was verified as it was opened, into the new folder `out`.

    signer: pair that signs the folder as OpenSSF Model Signing has it; None for no such signature. hub: as a folder of
    the Hugging Face Hub. Returns the contract that lies in the model's file. Raises StorageError if `out` is there or
    cannot be written, ExportError if the model's file cannot hold a contract, SignatureError if the bundle changed.
    """
    if os.path.lexists(out):
        raise StorageError(f"'{out}' is there already", hint="--out NAME, a folder that is not there yet")
    paths = [file.path for file in bundle.manifest.files]
    golden = {
        spec.name: _array(bundle, f"golden/outputs/{spec.name}.npy") for spec in bundle.manifest.signature.reported
    }
    contract = contract_of(bundle, golden)
    copied = [path for path in paths if path.startswith(COPIED) or path in contract.files[1:]]
    page = readme(contract, _lengths(bundle), _steps(bundle), _described(contract, copied))
    labels = label_lines(contract)
    texts = {
        README: front_matter(contract) + page if hub else page,
        CONTRACT: contract.to_json() + "\n",
        **({LABELS: labels} if labels else {}),
        **({ATTRIBUTES: git_attributes(contract)} if hub else {}),
    }
    with stored(out), partial_beside(out) as partial:
        partial.mkdir()
        _write(partial, contract.files[0], _model(bundle, contract, labels))
        for path in copied:
            _write(partial, path, bundle.chunks(path))
        for path, words in texts.items():
            _write(partial, path, [words.encode()])
        if signer:
            _write(partial, SIGNATURE, [signature_of(partial, out.name, signer)])
        partial.rename(out)
        sync_folder(out.parent)
    return contract


def label_lines(contract: Contract) -> str:
    """Text of the label file: a line a class, in the order of the scores; empty where there are no classes."""
    return "".join(f"{' '.join(label.splitlines())}\n" for label in contract.labels)


def _model(bundle: Bundle, contract: Contract, labels: str) -> Iterator[bytes]:
    """Yield the pieces of the model's file, with its contract. Raises ExportError."""
    name, words = contract.files[0], contract.to_json()
    if contract.format == "onnx":
        yield from bundle.chunks(name)
        yield metadata_entry(KEY, words)
        return
    content = bundle.read(name)
    try:
        if contract.format == "tflite":
            yield from with_metadata(content, contract, labels)
        else:
            yield from with_named_data(content, KEY, words.encode())
    except (ValueError, struct.error) as error:
        message = (
            f"'{name}' in '{bundle.path}' is not laid out as a .{contract.format} that this edgekit knows: {error}"
        )
        raise ExportError(message, hint=AGAIN) from error


def _write(folder: Path, path: str, pieces: Iterable[bytes]) -> None:
    target = contained(folder, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


def _array(bundle: Bundle, path: str) -> Array:
    """Read an array of a bundle. Raises ExportError if it is none."""
    content = bundle.read(path)
    try:
        return read_from(io.BytesIO(content), len(content))
    except ValueError as error:
        raise ExportError(f"'{path}' in '{bundle.path}' is no array: {error}", hint=AGAIN) from error


def _lengths(bundle: Bundle) -> dict[tuple[str, int], int]:
    """Lengths of the first golden sample, by input and axis, where they are free."""
    return {
        (spec.name, axis.axis): int(_array(bundle, f"golden/inputs/{axis.length}{LENGTHS}.npy").flat[0])
        for spec in bundle.manifest.signature.sampled
        for axis in spec.free
    }


def _steps(bundle: Bundle) -> int | None:
    """Number of steps of a golden sequence; None for a model without state."""
    signature = bundle.manifest.signature
    if not signature.state:
        return None
    return int(_array(bundle, f"golden/inputs/{signature.sampled[0].name}.npy").shape[1])


def _described(contract: Contract, copied: Iterable[str]) -> Mapping[str, str]:
    """Words for each file, by path."""
    words = {
        contract.files[0]: f"the model, with its contract under `{KEY}`",
        **dict.fromkeys(contract.files[1:], "a part of the model: keep it beside the first"),
        **({LABELS: "names of the classes, a line each"} if contract.labels else {}),
        CONTRACT: "the contract: inputs, preprocessing, outputs, labels, origin",
        "golden/": "samples and the answers to them",
    }
    rest = {path: "as the bundle has it" for path in copied if path not in words and not path.startswith(GOLDEN)}
    return words | rest

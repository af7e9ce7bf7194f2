"""Kinds of files that torch writes, told by their content, and the code that a pickle would run.

Formats: torch.save and torch.jit.save write a zip archive with `data.pkl`
(https://docs.pytorch.org/docs/stable/notes/serialization.html), torch.export.save one with `archive_format` or, before
torch 2.8, `serialized_exported_program.json`. Nothing is unpickled here.
"""

from __future__ import annotations

import io
import json
import pickletools
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

from edgekit.untrusted.npy import DAMAGED

STATE, SCRIPT, PROGRAM, SAFETENSORS, PICKLE = (
    "state dict",
    "TorchScript",
    "torch.export program",
    "safetensors",
    "pickle",
)
MAX_PICKLE = 256 << 20
"""Limit in bytes of what torch pickles beside the tensors: names, shapes and strides."""
MOST_UNPACKED = 4
"""Limit of an unpacked archive, as a multiple of the file: torch compresses code alone, no tensors."""
LEGACY_PICKLES = 4
LFS_POINTER = b"version https://git-lfs"
"""Start of a file that stands for a larger one, which Git has not fetched."""
HARMLESS = {
    "_codecs": {"encode"},
    "builtins": {"bool", "bytearray", "complex", "dict", "float", "frozenset", "int", "list", "set", "slice", "tuple"},
    "collections": {"OrderedDict", "Counter", "defaultdict"},
}
"""Names of modules outside torch that torch.load(weights_only=True) takes."""
TENSORS = ("torch", "torch._utils", "torch._tensor", "torch.nn.parameter", "torch.serialization", "torch.storage")
"""Modules whose names a state dict may hold: tensors, dtypes, storages and parameters, no networks."""


def torch_file_kind(path: Path) -> str:
    """Kind of the file, or "" if torch wrote none such. Raises ValueError if it is damaged or a pointer; OSError."""
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise ValueError("it is empty")
    if start.startswith(LFS_POINTER):
        raise ValueError("it is a pointer of Git LFS, not the file: git lfs pull")
    if start.startswith(b"PK"):
        return _kind_of_archive(_names(path))
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size:
        return SAFETENSORS
    return PICKLE if start[:1] == b"\x80" else ""


def foreign_code(path: Path) -> list[str]:
    """Names, such as `ultralytics.nn.tasks.DetectionModel`, that unpickling the file would import.

    Names of tensors and plain containers are left out. Raises ValueError if the file is damaged; OSError.
    """
    stream = io.BytesIO(_pickle(path))
    named: dict[str, None] = {}
    try:
        # Before torch 1.6 a file was five pickles, the network or its state in the fourth.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes, which a damaged file may hold
            for _ in range(LEGACY_PICKLES):
                if stream.tell() < len(stream.getbuffer()):
                    named.update(dict.fromkeys(_imports(stream)))
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"its pickle is damaged: {error}") from error
    return [name for name in named if not _harmless(name)]


def program_version(path: Path) -> str:
    """Version of torch that wrote a `.pt2`, such as `2.13.0+cpu`; "" if it states none. Raises ValueError; OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(("models/model.json", "program.json"))]
            if not members:
                return ""
            if archive.getinfo(members[0]).file_size > MAX_PICKLE:
                raise ValueError("it is too large")
            document = json.loads(archive.read(members[0]))  # with NaN and Infinity, as torch writes them
    except (*DAMAGED, RecursionError) as error:
        raise ValueError(f"its program cannot be read: {error}") from error
    version = document.get("torch_version") if isinstance(document, dict) else None
    return version if isinstance(version, str) and version.startswith(tuple("123456789")) else ""


def _imports(stream: io.BytesIO) -> Iterator[str]:
    """Names that the next pickle of the stream imports."""
    texts: list[str] = []
    for operator, value, _ in pickletools.genops(stream):
        if operator.name == "GLOBAL":
            yield str(value).replace(" ", ".", 1)
        elif operator.name == "STACK_GLOBAL" and len(texts) > 1:
            yield f"{texts[-2]}.{texts[-1]}"
        elif isinstance(value, str):
            texts = [*texts[-1:], value]


def _kind_of_archive(names: list[str]) -> str:
    inner = {name.partition("/")[2] for name in names}
    if "archive_format" in inner or {"serialized_exported_program.json"} & {*inner, *names}:
        return PROGRAM
    if "constants.pkl" in inner:
        return SCRIPT
    return STATE if "data.pkl" in inner else ""


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            if min((member.header_offset for member in archive.infolist()), default=0):
                # What zipfile came upon is an archive inside of this one: a program has its weights so.
                raise ValueError("its end is missing")
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > MOST_UNPACKED * path.stat().st_size + MAX_PICKLE:
                raise ValueError(f"it unpacks to {unpacked:,} bytes, and has {path.stat().st_size:,}")
            return archive.namelist()
    except DAMAGED as error:
        raise ValueError(f"it is no whole archive: {error}") from error


def _pickle(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return file.read(MAX_PICKLE)
    try:
        with zipfile.ZipFile(path) as archive:
            member = next(each for each in archive.infolist() if each.filename.endswith("/data.pkl"))
            if member.file_size > MAX_PICKLE:
                raise ValueError(f"its pickle has {member.file_size:,} bytes")
            return archive.read(member)
    except DAMAGED as error:
        raise ValueError(str(error)) from error


def _harmless(name: str) -> bool:
    module, _, last = name.rpartition(".")
    return module in TENSORS or last in HARMLESS.get(module.replace("__builtin__", "builtins"), ())

"""Load programs (`.pt2`) with their weights mapped: pages of the file, which every process that loads it shares."""

from __future__ import annotations

import contextlib
import functools
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.ao.quantization.fx._decomposed  # registers the operators of quantized programs
from torch import Tensor
from torch.export import ExportedProgram


def load_mapped(path: Path) -> ExportedProgram:
    """Load the program in `path`. Its weights and constants are the file's pages, read as they are needed.

    Writes into a weight stay in this process (copy-on-write). The file may be removed, but must not be changed, as long
    as the program lives. Raises what `torch.export.load` raises.
    """
    with _mapped_records(path), _cached_type_hints():
        return torch.export.load(path)


@contextlib.contextmanager
def _cached_type_hints() -> Iterator[None]:
    """Let torch (2.13) resolve the type hints of its schema once: for each node anew they are half the time of loading
    a program, which each job of a build does."""
    from torch._export.serde import serialize

    with patch.object(serialize, "typing", _Typing()):
        yield


class _Typing:
    """The module `typing`, with the type hints of torch's schema cached."""

    def __getattr__(self, name: str) -> Any:
        return getattr(typing, name)

    def get_type_hints(self, cls: Any, **_: Any) -> Mapping[str, Any]:
        return _schema_hints(cls)


@functools.cache
def _schema_hints(cls: Any) -> Mapping[str, Any]:
    from torch._export.serde import schema

    return typing.get_type_hints(cls, globalns=vars(schema))


@contextlib.contextmanager
def _mapped_records(path: Path) -> Iterator[None]:
    """Let torch (2.13) map the tensors of an archive, which it would read: unlike `torch.load` it has no option."""
    from torch.export.pt2_archive import _package

    package: Any = _package
    original = package._build_file_map
    file: Any = torch.UntypedStorage.from_file(str(path), shared=False, nbytes=path.stat().st_size)

    def mapped(reader: Any, config: Any, folder: str) -> dict[str, Tensor]:
        raw = {meta.path_name: meta.tensor_meta for meta in config.config.values() if not meta.use_pickle}
        return {name: _tensor(file, reader.archive_file, f"{folder.rstrip('/')}/{name}", raw[name]) for name in raw}

    package._build_file_map = mapped
    try:
        yield
    finally:
        package._build_file_map = original


def _tensor(file: Any, archive: Any, record: str, meta: Any) -> Tensor:
    """Tensor of one axis over all bytes of a record, which the archive stores as they are, aligned to 64 bytes."""
    from torch._export.serde.serialize import deserialize_scalar_type, deserialize_size

    dtype, size = deserialize_scalar_type(meta.dtype), archive.get_record_size(record)
    if not size:
        return torch.zeros(deserialize_size(meta.sizes), dtype=dtype).requires_grad_(meta.requires_grad)
    offset = archive.get_record_offset(record)
    flat = torch.empty(0, dtype=dtype)
    storage: Any = file[offset : offset + size]
    flat.set_(storage, 0, (size // dtype.itemsize,), (1,))
    return flat.requires_grad_(meta.requires_grad)

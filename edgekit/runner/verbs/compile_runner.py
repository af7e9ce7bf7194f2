"""Verb `compile`: add bytecode of this Python to the runner's own zip, which then starts in half the time."""

from __future__ import annotations

import importlib.util
import marshal
import os
import zipfile
from pathlib import Path
from typing import Any

from ..files.durable import remove, sync_one
from ..files.integrity import digest_of_file

# PEP 552: by hash, and never compared with the source; both are in one file that is written once.
UNCHECKED = (1).to_bytes(4, "little")


def compile_runner(source: Path, program: Path) -> dict[str, Any]:
    """Write `program`, in one step, from the zip `source`, which stays: another host may be about to do the same.

    Every module is in it twice: a Python of another version ignores the bytecode and takes the sources. Its SHA-256 is
    written beside it, in a file that ends in `.sum`: a host detects a damaged program by that.
    """
    partial = program.with_name(f"{program.name}.{os.getpid()}")
    with zipfile.ZipFile(source) as sources, zipfile.ZipFile(partial, "w") as out:
        for entry in sources.infolist():
            raw = sources.read(entry)
            code = compile(raw, entry.filename, "exec", dont_inherit=True)
            out.writestr(zipfile.ZipInfo(entry.filename), raw)
            head = importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(raw)
            out.writestr(zipfile.ZipInfo(f"{entry.filename}c"), head + marshal.dumps(code))
    sync_one(partial)
    _write_sum(partial, program.with_suffix(".sum"))
    if program.is_dir():
        remove(program)
    partial.replace(program)
    sync_one(program.parent)
    return {"changed": True}


def _write_sum(program: Path, path: Path) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(f"{digest_of_file(program)}\n", "ascii")
    sync_one(partial)
    if path.is_dir():
        remove(path)
    partial.replace(path)

"""Files and texts that edgekit reads, whoever wrote them: changed, and given to the function that reads them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from edgekit.untrusted.npy import read_npz
from scripts.fuzzing.corpus import Corpus
from scripts.fuzzing.mutation import TEXTS, arrays_changed, bytes_changed, changed
from scripts.fuzzing.outcome import Folder, Tally
from scripts.fuzzing.readers import board, bundles, data, keys, processing, results, specs, statements
from scripts.fuzzing.readers.reader import Reader, Readers

LIMIT_S = 5.0
PATIENCE = 8
"""Times that, for a reader that starts processes."""
ROOMS: tuple[Callable[[Path], Readers], ...] = tuple(
    room.readers for room in (board, bundles, data, keys, processing, results, specs, statements)
)


def all_readers(folder: Path) -> Readers:
    """Every reader of outside bytes by name; in `folder` lies what they need."""
    folder.mkdir(exist_ok=True)
    return {name: reader for room in ROOMS for name, reader in room(folder).items()}


def readers(count: int, seed: int, folder: Folder, corpus: Corpus) -> Tally:
    """So many changed files for each reader: changed from honest ones, and from those of the corpus."""
    tally = Tally(LIMIT_S)
    files = folder.theirs / "files"
    for name, reader in all_readers(files).items():
        cases = (*reader.seeds, *corpus.files(name).values())
        for i, honest in enumerate(sorted(cases, key=len) if corpus.grows else ()):
            with corpus.watching(name, honest, tally):
                run(reader, honest, f"{name}, kept {i}", files, tally, folder)
        for i in range(-(-count // reader.one_in)):
            random = Random(f"{name} {seed} {i}")
            made = _made(random.choice(cases), random)
            with corpus.watching(name, made, tally):
                run(reader, made, f"{name} {i}", files, tally, folder)
    return tally


def run(reader: Reader, content: bytes, name: str, files: Path, tally: Tally, folder: Folder | None = None) -> None:
    """Give a file of that content to a reader, and note what became of it."""
    path = files / reader.name
    path.write_bytes(content)
    tally.note(name, lambda: reader.read(path), folder, patience=1 if reader.one_in == 1 else PATIENCE)


def _made(seed: bytes, random: Random) -> bytes:
    """Changed as a document or as arrays where it is that, or as bytes."""
    if random.random() < 0.7:
        with contextlib.suppress(ValueError, RecursionError):
            return changed(json.loads(seed), random)
        with contextlib.suppress(ValueError):
            return arrays_changed(read_npz(io.BytesIO(seed)), random)
    if random.random() < 0.1:
        return random.choice(TEXTS).encode("utf-8", "surrogatepass")
    return bytes_changed(seed, random)

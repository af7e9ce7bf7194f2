"""What `scripts/fuzz` kept: honest files that must be taken, and hostile ones, each taken or refused by a code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.fuzzing.corpus import HONEST, KEPT, Corpus
from scripts.fuzzing.outcome import Folder, Tally
from scripts.fuzzing.readers import LIMIT_S, all_readers, run
from scripts.fuzzing.readers.reader import Reader, Readers

pytestmark = pytest.mark.fuzzes

MAX_BYTES = 300_000
SLOW = 10
"""Times the limit of `scripts/fuzz`: a machine that runs tests is busy."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Where the readers are at home, as `scripts/fuzz` makes it; the environment is as it was, afterwards."""
    monkeypatch.setattr("tempfile.tempdir", None)
    for variable in ("TMPDIR", "EDGEKIT_CACHE", "EDGEKIT_CONFIG", "EDGEKIT_DATA", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(variable, str(tmp_path))
    return Folder.made(tmp_path)


@pytest.fixture
def readers(folder: Folder) -> Readers:
    return all_readers(folder.theirs / "files")


def _read(reader: Reader, contents: dict[str, bytes], folder: Folder) -> Tally:
    tally = Tally(SLOW * LIMIT_S)
    for name, content in contents.items():
        run(reader, content, name, folder.theirs / "files", tally, folder)
    return tally


def test_honest_files_are_taken_and_hostile_ones_refused_by_a_code(folder: Folder, readers: Readers) -> None:
    for name, reader in readers.items():
        kept = Corpus().files(name)
        honest = {file: content for file, content in kept.items() if file.startswith(HONEST)}
        honest |= {f"{HONEST} {i}": seed for i, seed in enumerate(reader.seeds)}
        assert honest, f"nothing honest is known of '{name}'"
        assert set(_read(reader, honest, folder).codes) == {"taken"}, name
        # A process each: what those readers make of hostile files, `scripts/fuzz` shows.
        hostile = {file: content for file, content in kept.items() if file not in honest and reader.one_in == 1}
        assert _read(reader, hostile, folder).broken == [], name


def test_every_folder_of_the_corpus_is_a_readers_and_it_stays_small(readers: Readers) -> None:
    assert {path.name for path in KEPT.iterdir()} <= {re.sub(r"\W+", "-", name) for name in readers}
    assert sum(path.stat().st_size for path in KEPT.rglob("*") if path.is_file()) < MAX_BYTES


def test_a_file_is_kept_once_it_reaches_what_no_other_did(readers: Readers, folder: Folder) -> None:
    corpus, reader, tally = Corpus(folder.theirs / "corpus", grows=True), readers["override"], Tally(LIMIT_S)
    for content in (b"profile.gates.agreement=0.9", b"profile.gates.agreement=0.8", b"no equals sign"):
        with corpus.watching("override", content, tally):
            run(reader, content, "override", folder.theirs / "files", tally, folder)
    assert sorted(corpus.files("override").values()) == [b"no equals sign", b"profile.gates.agreement=0.9"]

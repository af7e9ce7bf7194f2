"""Archives that somebody made with ill intent: nothing appears outside the staging folder, nothing in a slot."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.slots import lifecycle, stage
from tests.runner.slot import KEY, list_files

NAME, CONTENT = "golden/x.npy", b"newnew"
HUGE = 1 << 40


def member(name: str = NAME, content: bytes = CONTENT, **fields: Any) -> bytes:
    """One member as a tar has it, with any `fields` of its header."""
    made = tarfile.TarInfo(name)
    made.size = len(content)
    for field, value in fields.items():
        setattr(made, field, value)
    return made.tobuf(tarfile.PAX_FORMAT) + content.ljust(-len(content) % 512 + len(content), b"\0")


def link(kind: bytes, to: str, name: str = NAME) -> bytes:
    return member(name, b"", type=kind, linkname=to)


def pax(**records: str) -> bytes:
    """A plain member whose extended header says otherwise."""
    return member(NAME, CONTENT, pax_headers=records)


def long_name(name: str) -> bytes:
    """A plain member, after a header of GNU's for a name that is too long for it."""
    said = name.encode() + b"\0"
    return member("././@LongLink", said, type=tarfile.GNUTYPE_LONGNAME) + member()


END = bytes(1024)
WHOLE = member() + END
SPARSE = "GNU.sparse."
HOSTILE: dict[str, bytes] = {
    "a link out": link(tarfile.SYMTYPE, "../../../outside/secret") + member(),
    "a folder's link out, then a file through it": link(tarfile.SYMTYPE, "../../../outside", "golden") + member(),
    "a hard link out": link(tarfile.LNKTYPE, "../../../outside/secret"),
    "a hard link to what is served": link(tarfile.LNKTYPE, "../../a/model.onnx", "model.onnx"),
    "an absolute path": member("/outside/secret"),
    "a path that leaves": member("../../../outside/secret"),
    "a path that leaves and returns": member("golden/../../a/model.onnx"),
    "a dot before the path": member(f"./{NAME}"),
    "a folder": link(tarfile.DIRTYPE, "", "golden/"),
    "a folder in a file's place": link(tarfile.DIRTYPE, ""),
    "a character device": link(tarfile.CHRTYPE, ""),
    "a block device": link(tarfile.BLKTYPE, ""),
    "a pipe": link(tarfile.FIFOTYPE, ""),
    "a contiguous file": member(type=tarfile.CONTTYPE),
    "a file as of the first tars": member(type=tarfile.AREGTYPE),
    "a kind that nobody knows": member(type=b"Z"),
    "a sparse file": member(type=tarfile.GNUTYPE_SPARSE),
    "a sparse file by extended header": pax(
        **{SPARSE + "major": "1", SPARSE + "minor": "0", SPARSE + "realsize": "6", SPARSE + "name": NAME}
    ),
    "a sparse map that is none": pax(**{SPARSE + "map": "0,x", SPARSE + "size": "6"}),
    "a sparse map with a hole": pax(**{SPARSE + "map": "0,6", SPARSE + "size": "6"}),
    "a path by extended header": pax(path="../../../outside/secret"),
    "a link by extended header": pax(linkpath="/outside", path="elsewhere"),
    "a size by extended header": pax(size=str(HUGE)),
    "a size below zero": pax(size="-1"),
    "a size that is no number": pax(size="x"),
    "an extended header for all": member("x", b"30 path=../../outside/secret\n\n", type=b"g") + member(),
    "a long name that leaves": long_name("x/" * 80 + "../" * 90 + "outside/secret"),
    "a long name of terabytes": member("x", b"", type=tarfile.GNUTYPE_LONGNAME, size=HUGE) + member(),
    "a file of terabytes": member(size=HUGE),
    "a file that is too long": member(content=b"longer than listed"),
    "a file that is too short": member(content=b"new"),
    "a file that is not listed": member("more.npy"),
    "the manifest": member("manifest.json", b"{}"),
    "the signature": member("manifest.sig", b""),
    "a listed file, then one that is not": member() + member("more.npy"),
    "other letters": member(NAME.upper()),
    "a name with a zero": pax(path="golden/x\0.npy"),
    "cut in the header": member()[:300],
    "cut in the content": member()[:514],
    "no tar": b"PK\3\4" * 300,
    "a wrong checksum": b"H" + member()[1:],
    "compressed by gzip": gzip.compress(WHOLE),
    "compressed by bzip2": bz2.compress(WHOLE),
    "compressed by xz": lzma.compress(WHOLE),
}
HARMLESS: dict[str, bytes] = {
    "whole": WHOLE,
    "without an end": member(),
    "nothing in it": END,
    "something behind the end": WHOLE + b"garbage" * 100,
    "twice, the last one wrong": member() + member(content=b"foobar") + END,
    "twice, the first one wrong": member(content=b"foobar") + member() + END,
    "wrong content": member(content=b"foobar") + END,
    "of another user, all rights": member(uid=1 << 20, mode=0o6777, mtime=1 << 40) + END,
}
"""Unpacked as they are; whether the content is right is for `stage` to say."""


class Ground:
    """A device with a bundle that it serves, another one on its way, and a folder beside that is none of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "root"
        (folder / "outside").mkdir(parents=True)
        (folder / "outside" / "secret").write_text("secret")
        digest = self._arrives("old")
        self._stage(digest)
        lifecycle.begin_trial(self.root, digest)
        lifecycle.commit(self.root)
        self.before = self.tree()

    def send(self, archive: bytes) -> str:
        """The new bundle without one file, which the archive should bring. Its digest."""
        digest = self._arrives("new")
        (self.root / "staging" / digest / NAME).unlink()
        (self.root / "staging" / "sent.tar").write_bytes(archive)
        return digest

    def unpack(self, digest: str) -> None:
        sent = self.root / "staging" / "sent.tar"
        stage.unpack_archive(self.root, digest, sent, offered=[KEY.public.raw], stand_in=True)

    def tree(self) -> dict[str, tuple[int, int, bytes]]:
        """Everything except what is staged: kind and rights, number of names, content."""
        tree_now = {}
        for path in sorted(self.folder.rglob("*")):
            if path.is_relative_to(self.root / "staging") or path == self.root / "lock":
                continue
            status = path.lstat()
            content = (
                str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            )
            tree_now[str(path)] = status.st_mode, status.st_nlink if path.is_file() else 0, content
        return tree_now

    def stage(self, digest: str) -> dict[str, Any]:
        return self._stage(digest)

    def _stage(self, digest: str) -> dict[str, Any]:
        staging = self.root / "staging" / digest
        return stage.stage(self.root, staging, digest, offered=[KEY.public.raw], stand_in=True)

    def _arrives(self, text: str) -> str:
        made = self.folder / "made"
        (made / "golden").mkdir(parents=True)
        (made / "model.onnx").write_text(text)
        (made / NAME).write_text(text * 2)
        list_files(made, {})
        digest = hashlib.sha256((made / "manifest.json").read_bytes()).hexdigest()
        (self.root / "staging").mkdir(parents=True, exist_ok=True)
        made.rename(self.root / "staging" / digest)
        return digest


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path / "ground")


@pytest.mark.parametrize("archive", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_archive_writes_nothing_outside_and_is_refused_whole(ground: Ground, archive: bytes) -> None:
    digest = ground.send(archive)
    with pytest.raises(RunnerError) as caught:
        ground.unpack(digest)
    assert caught.value.kind == "data"
    assert ground.tree() == ground.before
    assert list((ground.root / "staging").iterdir()) == []


@pytest.mark.parametrize("name", HARMLESS)
def test_what_an_archive_brings_is_verified_once_more(ground: Ground, name: str) -> None:
    digest = ground.send(HARMLESS[name])
    ground.unpack(digest)
    assert ground.tree() == ground.before
    brought = ground.root / "staging" / digest / NAME
    if brought.exists() and brought.read_bytes() == CONTENT:
        assert brought.stat().st_mode & 0o6000 == 0
        assert ground.stage(digest)["state"] == "staged"
    else:
        with pytest.raises(RunnerError):
            ground.stage(digest)
        assert ground.tree() == ground.before


def _flipped(raw: bytes, choose: random.Random) -> bytes:
    place = choose.randrange(len(raw))
    return raw[:place] + choose.randbytes(choose.randrange(1, 5)) + raw[place + 1 :]


def _cut(raw: bytes, choose: random.Random) -> bytes:
    return raw[: choose.randrange(len(raw))]


def _mixed(raw: bytes, choose: random.Random) -> bytes:
    return raw[: 512 * choose.randrange(1, 4)] + choose.choice([*HOSTILE.values()])


@pytest.mark.parametrize("change", [_flipped, _cut, _mixed])
def test_of_hundreds_of_archives_with_random_damage_none_writes_outside(
    ground: Ground, change: Callable[[bytes, random.Random], bytes]
) -> None:
    choose, kinds = random.Random(6), set()
    for _ in range(150):
        digest = ground.send(change(choose.choice([WHOLE, *HOSTILE.values()]), choose))
        try:
            ground.unpack(digest)
        except RunnerError as error:
            kinds.add(error.kind)
        assert ground.tree() == ground.before
        shutil.rmtree(ground.root / "staging", ignore_errors=True)
    assert kinds == {"data"}

"""The cache: what is found again, what is not, and what an interruption leaves."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.cache import SEAL, Cache, digest_of, storage_errors, tool_versions
from edgekit.errors import StorageError
from tests.failing_converters import until

HALF = """
import os, signal, sys
from edgekit.cache import Cache

def make(folder):
    (folder / "half").write_text("x")
    exec(sys.argv[1])

Cache.default().fetch("ab" * 32, make)
"""
"""Makes half an entry, and then does what it is told to."""


def write(text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "value.txt").write_text(text)

    return make


def test_a_second_fetch_makes_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    first, was_there = cache.fetch(digest_of(["a"]), write("one"))
    assert not was_there
    second, was_there = cache.fetch(digest_of(["a"]), lambda folder: pytest.fail("made again"))
    assert was_there
    assert second == first
    assert (second / "value.txt").read_text() == "one"


def test_a_damaged_entry_is_made_again(tmp_path: Path) -> None:
    cache, key = Cache(tmp_path), digest_of(["a"])
    entry, _ = cache.fetch(key, write("whole"))
    (entry / "value.txt").write_text("holes")
    assert cache.find(key) is None
    entry, was_there = cache.fetch(key, write("whole"))
    assert not was_there
    assert (entry / "value.txt").read_text() == "whole"


def test_a_file_that_has_been_read_is_read_again_once_anybody_wrote_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if its size and the time of its content are what they were."""
    cache, key = Cache(tmp_path), digest_of(["a"])
    path = cache.fetch(key, write("whole"))[0] / "value.txt"
    monkeypatch.setattr("edgekit.cache.SETTLED_S", 0.0)
    assert cache.find(key) is not None
    with monkeypatch.context() as unread:
        unread.setattr("edgekit.cache.hashlib.file_digest", lambda *_: pytest.fail("read again"))
        assert cache.find(key) is not None
    before = path.stat()
    time.sleep(0.05)  # what the clock of a file system may be behind
    path.write_text("holes")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache.find(key) is None


def test_what_was_written_just_now_is_read_every_time(tmp_path: Path) -> None:
    """A change within one tick of the file system's clock would show by nothing else."""
    cache, key = Cache(tmp_path), digest_of(["a"])
    path = cache.fetch(key, write("whole"))[0] / "value.txt"
    for content, whole in (("whole", True), ("holes", False), ("whole", True)):
        path.write_text(content)
        assert (cache.find(key) is not None) is whole


def test_an_entry_with_a_file_missing_is_not_found(tmp_path: Path) -> None:
    cache, key = Cache(tmp_path), digest_of(["a"])
    entry, _ = cache.fetch(key, write("whole"))
    (entry / "value.txt").unlink()
    assert cache.find(key) is None


@pytest.mark.parametrize(
    "seal",
    ["{}", "[]", "null", "3", '"made"', '{"text": 1}', '{"../text": "0"}', "[" * 100_000, "", "\0", '{"text": null}'],
)
def test_a_seal_that_seals_nothing_is_none(seal: str, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    folder, _ = cache.fetch("key", write("one"))
    (folder / SEAL).write_text(seal)
    assert cache.find("key") is None
    assert cache.fetch("key", write("two")) == (folder, False)


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.fetch(digest_of(["a"]), fail)
    assert cache.find(digest_of(["a"])) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_killed_build_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path))
    argv = [sys.executable, "-c", HALF, "os.kill(os.getpid(), signal.SIGKILL)"]
    assert subprocess.run(argv, check=False, timeout=60).returncode == -9
    assert list(tmp_path.rglob("half"))
    Cache.default()
    assert not list(tmp_path.rglob("half"))


def test_so_is_what_it_left_if_nobody_reaped_it_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose first process never waits for orphans."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", HALF, "signal.pause()"]) as maker:
        assert until(lambda: bool(list(tmp_path.rglob("half"))))
        Cache.default()
        assert list(tmp_path.rglob("half"))  # it is at work
        maker.kill()
        os.waitid(os.P_PID, maker.pid, os.WEXITED | os.WNOWAIT)  # dead, and still a process
        Cache.default()
        assert not list(tmp_path.rglob("half"))


def test_the_loser_of_a_race_takes_the_winners_entry(tmp_path: Path) -> None:
    cache, key = Cache(tmp_path), digest_of(["a"])

    def slow(folder: Path) -> None:
        write("same")(folder)
        cache.fetch(key, write("same"))  # the other build ends first

    entry, _ = cache.fetch(key, slow)
    assert (entry / "value.txt").read_text() == "same"
    assert cache.find(key) == entry


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS])
def test_a_full_or_forbidden_disk_is_a_storage_error(number: int) -> None:
    with pytest.raises(StorageError, match="here"), storage_errors(Path("here")):
        raise OSError(number, os.strerror(number))


def test_other_errors_of_the_system_pass_through() -> None:
    with pytest.raises(FileNotFoundError), storage_errors(Path("here")):
        raise FileNotFoundError(errno.ENOENT, "no such file")


def test_keys_depend_on_values_not_on_order() -> None:
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": "1"})


def test_edgekits_own_source_is_part_of_its_version() -> None:
    versions = tool_versions(("numpy", "no-such-package"))
    assert "+" in versions["edgekit"]
    assert versions["no-such-package"] == "none"

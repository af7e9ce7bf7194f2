"""The cache in numbers, and its removal: never under a build that runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekit.cache import SEAL, Cache
from edgekit.cache_contents import cache_contents, clean
from edgekit.errors import CacheInUse
from tests.command_line import environment
from tests.conftest import Command

BUILD = """
import sys
from pathlib import Path
from edgekit.cache import Cache
cache = Cache(Path(sys.argv[1])).made()
cache.fetch("ab" * 32, lambda folder: (folder / "x").write_bytes(bytes(1000)) and None)
print("made", flush=True)
sys.stdin.read()
assert cache.find("ab" * 32)
print("whole", flush=True)
"""


def test_nothing_is_removed_under_a_build_and_all_is_once_it_has_ended(tmp_path: Path) -> None:
    build = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert build.stdout is not None
    assert build.stdout.readline() == "made\n"
    with pytest.raises(CacheInUse, match="uses the cache"):
        clean(tmp_path)
    contents = cache_contents(tmp_path)
    assert (contents.entries, contents.in_use) == (1, True)
    assert contents.bytes > 1000
    assert build.communicate("", timeout=60)[0] == "whole\n"
    assert clean(tmp_path)[0] == 1
    assert cache_contents(tmp_path).entries == 0
    assert clean(tmp_path) == (0, 0)


def fill(folder: Path) -> None:
    (folder / "x").write_bytes(bytes(10))


def test_only_what_is_older_goes_and_downloads_stay(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGEKIT_DOWNLOADS", raising=False)
    for root in ("cache", "cache/downloads"):
        for key in ("a" * 64, "b" * 64):
            Cache(tmp_path / root).fetch(key, fill)
    old = tmp_path / "cache" / "entries" / "aa" / ("a" * 64) / SEAL
    os.utime(old, (time.time() - 3 * 86400,) * 2)
    shown = command("cache", "show", "--json").document
    assert [shown[name]["entries"] for name in ("results", "downloads")] == [2, 2]
    assert "removed 1 entry" in command("cache", "clean", "--older-than", "2").out
    assert Cache(tmp_path / "cache").find("b" * 64)
    assert command("cache", "clean", "--json").document["removed"] == 1
    assert command("cache", "show", "--json").document["downloads"]["entries"] == 2
    assert command("cache", "clean", "--downloads", "--json").document["removed"] == 2


def test_an_empty_cache_is_shown_and_cleaned(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "none"))
    assert "stages of builds  0" in command("cache", "show").out
    assert "removed 0 entries" in command("cache", "clean").out
    assert not (tmp_path / "none").exists()

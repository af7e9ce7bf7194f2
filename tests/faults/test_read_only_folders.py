"""Folders that may not be written: what only reads works, the rest is refused with a hint and leaves no traces."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.command_line import COMMAND, Ended, environment
from tests.conftest import Built

WITHOUT = "-dac_override,-dac_read_search"
PLAIN = ("setpriv", f"--bounding-set={WITHOUT}", f"--inh-caps={WITHOUT}") if os.getuid() == 0 else ()
"""Has root keep to permissions, as everybody else does."""
pytestmark = pytest.mark.skipif(
    bool(PLAIN) and not shutil.which("setpriv"), reason="root may write everywhere, and there is no setpriv"
)


@pytest.fixture
def home(places: dict[str, str], tmp_path: Path) -> Iterator[dict[str, Path]]:
    """Folders of the user's own, as a build left them, by name."""
    folders = {name.removeprefix("EDGEKIT_").lower(): tmp_path / name.lower() for name in places}
    for folder, (name, place) in zip(folders.values(), places.items(), strict=True):
        folder.mkdir()
        # What all builds of a session have made takes seconds to copy: the test that needs it asks for `cached`.
        if name not in ("EDGEKIT_CACHE", "EDGEKIT_DOWNLOADS") and Path(place).is_dir():
            shutil.copytree(place, folder, symlinks=True, dirs_exist_ok=True)
    folders |= {name: tmp_path / name for name in ("device", "out", "project")}
    yield folders
    for folder in folders.values():
        subprocess.run(["chmod", "-R", "u+w", folder], check=False)


@pytest.fixture
def cached(home: dict[str, Path], places: dict[str, str]) -> None:
    """The session's cache in the user's own: its folders anew, its files linked."""
    shutil.copytree(places["EDGEKIT_CACHE"], home["cache"], symlinks=True, dirs_exist_ok=True, copy_function=os.link)


def closed(folder: Path) -> Mapping[str, int]:
    """Take away the right to write. All that is there, by when it was changed."""
    for path in (folder, *folder.rglob("*")):
        # Not a file that is linked: it is another folder's too. What is written to it shows in its time.
        if not path.is_symlink() and (path.is_dir() or path.stat().st_nlink == 1):
            path.chmod(path.stat().st_mode & ~0o222)
    return held(folder)


def held(folder: Path) -> Mapping[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in sorted((folder, *folder.rglob("*")))}


def edgekit(home: Mapping[str, Path], *argv: object) -> Ended:
    env = environment({f"EDGEKIT_{name.upper()}": str(home[name]) for name in ("cache", "config", "data")})
    argv = (*PLAIN, *COMMAND, *argv)
    done = subprocess.run(list(map(str, argv)), env=env, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.usefixtures("cached")
def test_what_is_only_read_may_be_read_only(home: dict[str, Path], built: Built) -> None:
    shutil.copytree(built.options[1], home["project"])  # type: ignore[arg-type]
    kept = {name: closed(home[name]) for name in ("project", "config", "data", "cache")}
    options = ("--project", home["project"], *built.options[2:])
    ended = edgekit(home, "plan", *options)
    assert ended.code == 0, ended.err
    bundle = shutil.copy(built.bundle, home["project"].parent)
    ended = edgekit(home, "flash", bundle, "--device", f"local://{home['device']}")
    assert ended.code == 0, ended.err
    assert kept == {name: held(home[name]) for name in kept}


@pytest.mark.parametrize("name", ["cache", "config", "data", "device", "out"])
def test_a_folder_that_may_not_be_written_is_refused_with_a_hint_and_left_as_it_was(
    home: dict[str, Path], built: Built, places: dict[str, str], name: str
) -> None:
    if name in ("cache", "config"):
        shutil.rmtree(home[name])
    home[name].mkdir(exist_ok=True)
    (home[name] / "kept").touch()
    before = closed(home[name])
    build = ("build", *built.options, "--out", home["out"])
    device = "local://" if name == "data" else f"local://{home['device']}"
    argv = build if name in ("cache", "config", "out") else ("flash", built.bundle, "--device", device)
    # What was built before is in the session's cache.
    cache = home["cache"] if name == "cache" else Path(places["EDGEKIT_CACHE"])
    refusal = edgekit({**home, "cache": cache}, *argv).refused("EK503", 3)
    assert f"ls -ld '{home[name]}" in refusal
    assert held(home[name]) == before
    assert not list(home[name].parent.rglob("*.partial"))


@pytest.mark.parametrize("verb", ["status", "rollback"])
def test_a_device_that_may_not_be_written_any_more_says_which_file(
    home: dict[str, Path], built: Built, verb: str
) -> None:
    device = ("--device", f"local://{home['device']}")
    assert edgekit(home, "flash", built.bundle, *device).code == 0
    before = closed(home["device"])
    refusal = edgekit(home, verb, *device).refused("EK503", 3)
    assert f"'{home['device']}/lock': Permission denied" in refusal
    assert held(home["device"]) == before

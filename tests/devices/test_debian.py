from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.cache import Cache
from edgekit.devices import debian
from edgekit.errors import ToolsMissing


def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: str, settings: str = "") -> None:
    """This machine's apt as another's: with these sources and settings, and no package list yet."""
    (tmp_path / "lists/partial").mkdir(parents=True)
    (tmp_path / "sources.list").write_text(sources)
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::SourceList "{tmp_path}/sources.list"; Dir::Etc::SourceParts "-"; Dir::Etc::Parts "-";\n'
        f'Dir::State::Lists "{tmp_path}/lists";\n{settings}'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))


def test_the_mirror_is_known_before_apt_was_ever_updated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = "deb http://a.test/debian-security trixie-security main\ndeb http://b.test/vendor stable main\n"
    apt(tmp_path, monkeypatch, others + "deb http://mirror.test:8080/some/debian trixie main\n")
    assert debian._own_mirror() == "http://mirror.test:8080/some/debian"


def test_ubuntus_mirror_is_not_taken_for_debians(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt(tmp_path, monkeypatch, "deb http://mirror.test/ubuntu noble main universe\n")
    with pytest.raises(ToolsMissing) as missing:
        debian._own_mirror()
    assert missing.value.hint
    assert "EDGEKIT_DEBIAN=URL" in missing.value.hint


def test_the_proxy_of_this_machines_apt_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt(tmp_path, monkeypatch, "", 'Acquire::http::Proxy "http://proxy.test:3128/";\n')
    assert debian._own_proxies() == 'Acquire::http::Proxy "http://proxy.test:3128/";\n'


def test_a_mirrors_index_is_fetched_once_for_all_that_a_process_needs_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an apt that fetches nothing."""
    asked: list[str] = []
    monkeypatch.setattr(debian, "_indexes", {})

    def ask(apt: debian._Apt, verb: str, *more: str, timeout: float) -> None:
        asked.append(f"{verb} {apt.root.name}")

    monkeypatch.setattr(debian._Apt, "_apt", ask)
    for mirror, name in (("a", "first"), ("a", "second"), ("b", "third")):
        monkeypatch.setenv("EDGEKIT_DEBIAN", f"http://{mirror}.test/debian")
        with debian._Apt.of(tmp_path / name, "arm64") as apt:
            apt.download(["adb"], debian.RELEASE)
    assert asked == ["update first", "install first", "install second", "update third", "install third"]
    monkeypatch.setattr(debian, "INDEX_S", 0.0)
    with debian._Apt.of(tmp_path / "fourth", "arm64"):
        assert asked[-1] == "update fourth"
    places = [index.folder for index in debian._indexes.values()]
    debian._indexes.clear()
    assert len(places) == 2
    assert not any(place.exists() for place in places)


def test_the_index_of_a_process_that_was_killed_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_DOWNLOADS", str(tmp_path))
    killed = "import os; from edgekit.devices import debian as d; x = d._Index.empty(''); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -9
    assert len(list((tmp_path / "partial").iterdir())) == 1
    Cache.of_downloads()
    assert list((tmp_path / "partial").iterdir()) == []


def test_a_program_is_started_by_the_loader_beside_it(tmp_path: Path) -> None:
    folder = debian.fetched(["adb"], debian.host(), Cache.of_downloads(), debian.BACKPORTS)
    loader, *_ = debian.command(folder, "usr/lib/android-sdk/platform-tools/adb")
    assert Path(loader).resolve().is_relative_to(folder)
    assert subprocess.run([loader, "--version"], capture_output=True, check=True).stdout

"""The log of what is done on devices: a line a command, and no secret in any."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from edgekit.devices import lease
from edgekit.devices.command_log import LINE_CHARACTERS, HiddenWord, shortened
from edgekit.devices.flash import commit, flash
from edgekit.devices.local import Local
from edgekit.devices.transport import Transport
from edgekit.errors import CommandFailed, DeviceBusy
from tests.devices.conftest import MakeBundle, with_more
from tests.devices.debian_programs import fetched
from tests.devices.shells import PACKAGES, Here, tools

TOKEN = "feedc0de12345678"


@pytest.fixture(params=["local", "shell"])
def way(request: pytest.FixtureRequest, places: dict[str, str], tmp_path: Path) -> Iterator[Transport]:
    """This machine as a device, and the half that ssh and adb have in common."""
    if request.param == "local":
        with Local(f"local://{tmp_path / 'root'}") as local:
            yield local
        return
    packages = fetched(PACKAGES, Path(places["EDGEKIT_CACHE"]) / "downloads")
    yield Here("here://dash", tools("dash", tmp_path / "tools", packages))  # type: ignore[misc]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="edgekit.devices")
    return caplog


def _lines(log: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in log.records if record.levelno == level]


def test_a_command_is_a_line_with_device_words_seconds_and_exit_status(
    way: Transport, log: pytest.LogCaptureFixture
) -> None:
    way.run(["sh", "-c", "exit 3"], timeout=30)
    (line,) = _lines(log, logging.INFO)
    assert re.fullmatch(rf"{re.escape(way.url)}: sh -c 'exit 3': \d+\.\d\d s, exit 3", line)
    assert log.records[-1].name == "edgekit.devices"


def test_a_command_that_does_not_end_is_a_line_with_its_error(way: Transport, log: pytest.LogCaptureFixture) -> None:
    with pytest.raises(CommandFailed):
        way.run(["sleep", "60"], timeout=0.3)
    (line,) = _lines(log, logging.INFO)
    assert line.endswith("s, CommandFailed")


def test_files_are_lines_with_their_bytes_for_who_wants_every_detail(
    way: Transport, log: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    local, back = tmp_path / "file", tmp_path / "back"
    local.write_bytes(bytes(1234))
    remote = PurePosixPath(tmp_path / "there/file")
    way.push(local, remote)
    way.pull(remote, back)
    with pytest.raises(CommandFailed):
        way.pull(remote.with_name("absent"), back)
    pushed, pulled, absent = _lines(log, logging.DEBUG)
    assert re.fullmatch(rf"{re.escape(way.url)}: push '.*file': 1234 bytes in \d+\.\d\d s", pushed)
    assert re.fullmatch(rf"{re.escape(way.url)}: pull '.*file': 1234 bytes in \d+\.\d\d s", pulled)
    assert re.fullmatch(rf"{re.escape(way.url)}: pull '.*absent': CommandFailed after \d+\.\d\d s", absent)
    assert not _lines(log, logging.INFO)


def test_the_token_of_a_lease_is_in_no_line(
    device: Local, make_bundle: MakeBundle, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.devices.lease.secrets.token_hex", lambda count: TOKEN)
    bundle = with_more(make_bundle("first"))
    commit(flash(bundle, device, "system"))
    runner = flash(bundle, device, "system").runner
    with pytest.raises(DeviceBusy), lease.lease(runner, bundle.digest):
        raise DeviceBusy("the flash fails, and its lease is given back")
    lines = [*_lines(log, logging.INFO), *_lines(log, logging.DEBUG)]
    assert any("slots install" in line and " … " in line for line in lines)
    assert any("slots abort" in line for line in lines)
    assert not any(TOKEN in line for line in lines)


def test_a_long_or_unprintable_command_is_one_short_line() -> None:
    line = shortened(["python3", "-c", "print(1)\n" * 1000, "\x1b[31mred", *map(str, range(500))])
    assert line.isprintable()
    assert len(line) <= LINE_CHARACTERS + 3
    assert line.startswith("python3 -c ")
    assert shortened(["slots", HiddenWord(TOKEN), sys.byteorder]) == f"slots … {sys.byteorder}"

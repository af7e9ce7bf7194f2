"""`--verbose`, `--log` and the lines of stages: what is done is told on stderr and in a file, and no secret with it."""

from __future__ import annotations

import logging
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.api.devices import status
from edgekit.cli.logs import OWN, without_secrets
from tests.command_line import edgekit
from tests.conftest import Command
from tests.networks import write_project

LINE = "ssh://pi@kitchen: uname -m: 0.21 s, exit 0"
STATUS = ("status", "--device", "local://")
ONNX = ("--target", "host", "--backend", "onnx", "--profile", "float32")


@pytest.fixture(autouse=True)
def _logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `status` log a command on a device, and another package log, too."""

    def logging_status(device: str) -> object:
        logging.getLogger("edgekit.devices").info(LINE)
        logging.getLogger("torch.deprecated").error("deprecated")
        return status(device)

    monkeypatch.setattr("edgekit.cli.status.status", logging_status)


@pytest.mark.parametrize("argv", [("-v", *STATUS), ("--verbose", *STATUS), (*STATUS, "-v"), ("-v", *STATUS, "-v")])
def test_verbose_shows_what_edgekit_logs_and_nobody_else(command: Command, argv: tuple[str, ...]) -> None:
    ended = command(*argv)
    assert ended.code == 0
    assert ended.err.count(f"edgekit.devices: {LINE}\n") == 1
    assert "deprecated" not in ended.err
    assert "edgekit.devices" not in ended.out
    assert logging.getLogger(OWN).handlers == []


def test_without_it_nothing_is_shown(command: Command) -> None:
    assert LINE not in command(*STATUS).err


def test_a_file_has_the_same_with_times_and_is_its_owners_alone(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "edgekit.log"
    for argv in ((*STATUS, "--log", file), ("--log", file, *STATUS), (f"--log={file}", *STATUS)):
        ended = command(*argv)
        assert ended.code == 0
        assert LINE not in ended.err
    lines = [line for line in file.read_text().splitlines() if LINE in line]
    assert len(lines) == 3
    for line in lines:
        assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z INFO edgekit.devices: {LINE}", line)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_opened_is_told_before_anything_is_done(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.cli.status.status", lambda device: pytest.fail("it was asked"))
    assert "cannot be written" in command(*STATUS, "--log", tmp_path / "none" / "x.log").refused("EK503", 3)
    assert "is a directory" in command("--log", tmp_path, *STATUS).refused("EK503", 3).lower()


@pytest.mark.parametrize(
    "text",
    [
        "passphrase: {}",
        "edgekit keys --pin {} x",
        "--passphrase '{}'",
        "pkcs11:token=edgekit;pin-value={}",
        "GET / Authorization: Bearer {}",
        "{{'Authorization': 'Basic {}'}}",
        "authorization={}",
        "slots commit --lease-token {} x",
        "API_TOKEN={} python",
        "PASSWORD='{}' python",
        "http://user:{}@server:8000/v2",
        "https://server/v2?access_token={}&x=1",
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
    ],
)
def test_a_secret_is_hidden(text: str) -> None:
    assert "c3cr3t" not in without_secrets(text.format("c3cr3t"))


@pytest.mark.parametrize(
    "text", [LINE, "stage 'quantize' ended after 14.10 s: made", "local://: push '/a/b': 12 bytes in 0.01 s"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_a_passphrase_comes_into_no_log(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "passphrase").write_text("c3cr3t")
    (tmp_path / "passphrase").chmod(0o600)
    monkeypatch.setenv("EDGEKIT_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "config"))
    log = tmp_path / "edgekit.log"
    ended = command("-v", "keys", "new", "locked", "--encrypt", "--log", log)
    assert ended.code == 0, ended.err
    project = write_project(tmp_path / "project", samples=8)
    built = command("-v", "build", "--project", project, *ONNX, "--key", "locked", "--log", log, "--out", tmp_path)
    assert built.code == 0, built.err
    assert "c3cr3t" not in ended.out + ended.stderr + built.out + built.stderr + log.read_text()


def test_what_runs_under_the_supervisor_logs_too(tmp_path: Path) -> None:
    body = "import logging\nlogging.getLogger('edgekit.pipeline').info('it is read')\nnet = None\n"
    project, log = write_project(tmp_path / "project", body, samples=8), tmp_path / "edgekit.log"
    ended = edgekit("-v", "--log", log, "build", "--project", project, *ONNX, "--out", tmp_path / "out", cwd=tmp_path)
    assert "error EK201: " in ended.err
    assert "edgekit.pipeline: it is read\n" in ended.err
    assert "INFO edgekit.pipeline: it is read\n" in log.read_text()


def test_without_a_terminal_a_line_tells_of_a_stage_as_it_begins(
    command: Command, tmp_path: Path, project_folder: Path
) -> None:
    argv = ("build", "--project", project_folder, *ONNX, "--out", tmp_path / "out", "--json", "--no-cache")
    ended = command(*argv)
    assert ended.document
    assert {"reference", "verify", "compare"} <= set(ended.stages)
    assert "[host · onnx · float32] compare\n" in ended.stderr
    assert ended.err == "" or ended.err.startswith("made your signing key")


@pytest.mark.parametrize("choose", [lambda folder: ("--target", "hsot"), lambda folder: ("--project", folder / "none")])
def test_a_refusal_before_the_first_stage_tells_of_none(
    command: Command, tmp_path: Path, choose: Callable[[Path], tuple[object, ...]]
) -> None:
    ended = command("build", "--example", "digits", "--target", "host", *choose(tmp_path))
    assert ended.code == 2
    assert ended.stages == []
    assert ended.stderr.startswith("error EK")

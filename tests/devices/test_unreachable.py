"""A device that cannot be reached, or is none, is told as what it is; nothing is sent to it, and nothing left here."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgekit.devices import ssh
from edgekit.devices.adb import serial
from tests.command_line import Ended
from tests.conftest import Built, Command
from tests.devices import sshd as real
from tests.devices.adbd import Network, opened
from tests.devices.debian_programs import fetched
from tests.devices.sshd import Sshd

Flash = Callable[..., Ended]


@pytest.fixture
def flash(command: Command, built: Built) -> Flash:
    """`edgekit flash` of the small bundle to a device, which fails: how it ended."""

    def call(device: str, *more: object) -> Ended:
        return command("flash", built.bundle, "--device", device, *more)

    return call


def told(ended: Ended, code: str, exit_code: int = 3) -> tuple[str, str]:
    """What an error says in one line, and its hint in another."""
    message, hint = ended.refused(code, exit_code).splitlines()
    return message, hint.removeprefix("  hint: ")


@pytest.mark.parametrize(
    ("device", "code", "message", "hint"),
    [
        ("raspberry-pi-5", "EK104", "'raspberry-pi-5' is no device", "a URL: adb://, emulated://, local://, ssh://"),
        ("emulatd", "EK104", "'emulatd' is no device", "did you mean 'emulated://'?"),
        ("sssh://pi", "EK102", "no transport is named 'sssh'", "did you mean 'ssh'?"),
        ("ssh://pi:99999", "EK104", "is no device: Port out of range", "ssh://user@host:22/absolute/folder"),
        ("ssh://me:secret@pi", "EK104", "a password has no place in it", "ssh://user@host:22/absolute/folder"),
        ("adb://pi:port", "EK104", "'adb://pi:port' is no adb device", "adb://SERIAL, adb://HOST:PORT, or adb://"),
        ("emulated://", "EK104", "'emulated://' is no emulated device", "emulated://raspberry-pi-5"),
        ("emulated://nonsense", "EK102", "no emulated device is called 'nonsense'", "edgekit device list"),
        ("emulated://raspberry-pi-6", "EK102", "no emulated device is called", "did you mean 'raspberry-pi-5'?"),
        ("emulated://host", "EK104", "target 'host' cannot be emulated", "edgekit targets"),
    ],
)
def test_what_is_no_device_is_bad_usage(flash: Flash, device: str, code: str, message: str, hint: str) -> None:
    refusal = told(flash(device), code, 2)
    assert message in refusal[0]
    assert hint in refusal[1]
    assert "secret" not in refusal[0]


@pytest.mark.parametrize(
    ("runtime", "code", "message", "hint"),
    [
        ("nonsense", "EK102", "no runtime is named 'nonsense'", "known: auto, system, ai-edge-litert"),
        ("onnxrunime", "EK102", "no runtime is named 'onnxrunime'", "did you mean 'onnxruntime'?"),
        ("tflite-runtime", "EK104", "'tflite-runtime' runs .tflite, not .onnx", "--runtime auto, or onnxruntime"),
    ],
)
def test_a_runtime_that_is_none_or_runs_other_formats_is_told_before_the_device_is_asked(
    flash: Flash, command: Command, small: Path, tmp_path: Path, runtime: str, code: str, message: str, hint: str
) -> None:
    options = ("--project", small, "--target", "raspberry-pi-5", "--backend", "onnx", "--out", tmp_path / "out")
    nowhere = "ssh://127.0.0.1:1"
    for ended in (
        flash(nowhere, "--runtime", runtime),
        command("run", *options, "--device", nowhere, "--runtime", runtime),
    ):
        refusal = told(ended, code, 2)
        assert refusal[0] == message
        assert refusal[1].startswith(hint)
    assert not (tmp_path / "out").exists()


def test_a_pack_is_not_brought_to_this_machine(flash: Flash, tmp_path: Path) -> None:
    message, hint = told(flash(f"local://{tmp_path}/device", "--runtime", "onnxruntime"), "EK104", 2)
    assert "is this machine, and runs what is installed here" in message
    assert hint == "--runtime auto"
    assert not (tmp_path / "device").exists()


def test_a_target_that_is_not_emulated_is_not_run_emulated(command: Command, small: Path, tmp_path: Path) -> None:
    argv = ("run", "--project", small, "--target", "host", "--backend", "onnx", "--device", "emulated")
    message, hint = told(command(*argv, "--out", tmp_path / "out"), "EK104", 2)
    assert "target 'host' cannot be emulated" in message
    assert hint == "edgekit targets"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", "[1, 2]", "{}", '{"schema": 1, "verdict": "pas', "\0\xff"])
def test_a_damaged_baseline_is_told_before_anything_is_done(
    command: Command, small: Path, tmp_path: Path, content: str
) -> None:
    (tmp_path / "report.json").write_bytes(content.encode("latin-1"))
    argv = ("run", "--project", small, "--target", "raspberry-pi-5", "--backend", "onnx", "--device", "emulated")
    message, hint = told(command(*argv, "--baseline", tmp_path, "--out", tmp_path / "out"), "EK101", 2)
    assert message.startswith(f"the baseline cannot be used: '{tmp_path}/report.json'")
    assert hint.startswith("edgekit run --device emulated --out DIR")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def sshd(places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A real one, which the user has not vouched for, and which knows none of the user's keys."""
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "no-agent"))
    packages = fetched(real.PACKAGES, Path(places["EDGEKIT_CACHE"]) / "downloads")
    with real.running(tmp_path / "sshd", packages) as started:
        yield started


def test_a_host_key_is_to_be_vouched_for_and_to_stay_and_the_user_to_be_known(
    flash: Flash, command: Command, sshd: Sshd
) -> None:
    message, hint = told(flash(sshd.url), "EK407")
    assert f"nobody has vouched yet for the host key of '[127.0.0.1]:{sshd.port}'" in message
    assert hint == f"edgekit device trust {sshd.url}"
    old = sshd.host_key.fingerprint
    assert command("device", "trust", sshd.url, "--fingerprint", old).code == 0

    message, hint = told(flash(sshd.url), "EK406")
    assert "Permission denied (publickey" in message
    assert hint == f"ssh-copy-id -p {sshd.port} device@127.0.0.1"

    sshd.stop()
    sshd.new_key("host")
    sshd.start()
    message, hint = told(flash(sshd.url), "EK407")
    assert "ITS HOST KEY HAS CHANGED" in message
    assert f"it shows {sshd.host_key.fingerprint}, known is {old}" in message
    assert hint == f"edgekit device trust {sshd.url} --replace"

    sshd.stop()
    message, hint = told(flash(sshd.url), "EK401")
    assert "Connection refused" in message
    assert hint == f"ssh -p {sshd.port} device@127.0.0.1 true"
    assert not (sshd.folder / "root").exists()


def test_a_host_that_is_not_there_or_says_nothing_is_unreachable(
    flash: Flash, command: Command, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "CONNECT_S", 1)
    message, hint = told(flash("ssh://no-such-host.invalid"), "EK401")
    assert "Could not resolve hostname" in message
    assert hint == "ssh no-such-host.invalid true"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ssh://127.0.0.1:{silent.getsockname()[1]}"
        argv = ("run", "--project", small, "--target", "host", "--backend", "onnx", "--device", url)
        message, _ = told(command(*argv, "--out", tmp_path / "out"), "EK401")
    assert "timed out" in message
    assert not (tmp_path / "out").exists()


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """Where devices with adbd are, whose server is the user's."""
    (tmp_path / "full").mkdir()
    with opened(tmp_path / "full") as network:
        monkeypatch.setenv("ADB_SERVER_SOCKET", str(network.server.socket))
        monkeypatch.setattr(serial, "SETTLE_S", 0.5)
        yield network


def test_a_device_behind_adb_is_to_be_there_to_be_one_and_to_let_the_user_in(
    flash: Flash, network: Network, tmp_path: Path
) -> None:
    message, hint = told(flash("adb://"), "EK401")
    assert "there is no such device: adb devices lists none" in message
    assert hint.startswith("adb devices -l")
    message, hint = told(flash("adb://127.0.0.1:5698"), "EK401")
    assert "Connection refused" in message
    assert hint.endswith("adb connect 127.0.0.1:5698")

    with network.device(5605) as one, network.device(5606) as other:
        for device in (one, other):
            network.server.told("connect", f"127.0.0.1:{device.port}")
        message, hint = told(flash("adb:///root"), "EK408")
        assert "2 devices are there: '127.0.0.1:5605' (device), '127.0.0.1:5606' (device)" in message
        assert hint == "one of adb://127.0.0.1:5605/root, adb://127.0.0.1:5606/root"
        network.server.told("disconnect", "127.0.0.1:5606")
        one.kill()
        message, hint = told(flash("adb://"), "EK401")
        assert "'127.0.0.1:5605' is offline" in message
        assert hint.endswith("adb connect 127.0.0.1:5605")

    with network.stranger(5607, "unauthorized"):
        message, hint = told(flash(f"adb://127.0.0.1:5607{tmp_path}/root"), "EK406")
    assert "the device has not accepted this machine's key" in message
    assert hint == "accept the key on the device's screen, then try again"
    assert not (tmp_path / "root").exists()


def test_without_adb_and_without_ssh_it_says_what_to_install(
    flash: Flash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EDGEKIT_DOWNLOADS", str(tmp_path / "downloads"))
    message, hint = told(flash("adb://"), "EK601")
    assert message == "there is no adb here, and there is no 'apt-get' here"
    assert hint == "apt-get install adb"
    message, hint = told(flash("ssh://pi"), "EK601")
    assert message == "there is no 'ssh' here"
    assert hint == "apt-get install openssh-client"

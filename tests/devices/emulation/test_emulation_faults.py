"""Where a device cannot be emulated it is said why, what is damaged is made anew, and nothing is ever left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

from edgekit.cache import SEAL, Cache, file_digest
from edgekit.devices import debian
from edgekit.devices.emulation.image import find_image
from edgekit.devices.emulation.snapshot import MEMORY
from edgekit.devices.emulation.tools import find_tools
from tests.command_line import LENIENT, edgekit, edgekit_here
from tests.conftest import Command
from tests.devices.emulation.test_tools import program
from tests.devices.test_unreachable import told
from tests.failing_converters import gone, until
from tests.networks import substitute
from tests.pipeline.test_interrupted_build import stopping

INSTALL = "apt-get install --target-release bookworm-backports qemu-system-arm qemu-utils; "
TOOLS = {
    "nothing": ("qemu-system-aarch64 is not here", "there is no 'apt-", "Debian or Ubuntu"),
    "too old": ("qemu-system-aarch64 is 7.2.15, which is too old", "there is no 'apt-", "Debian or Ubuntu"),
    "no mirror": ("qemu-system-aarch64 is not here", "Failed to fetch http://127.0.0.1:9/", "EDGEKIT_DEBIAN=URL"),
    "no keys": ("qemu-system-aarch64 is not here", "there is no '/no/keys'", "EDGEKIT_DEBIAN_KEYRING=FILE"),
}
"""Why there is no QEMU, why none can be fetched, and what the hint ends with."""


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the devices of a test are."""
    monkeypatch.setenv("EDGEKIT_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "emulated"


def left(place: Path) -> list[str]:
    """The devices, and what is left of devices, in that place."""
    return [path.name for path in place.iterdir()] if place.exists() else []


@pytest.mark.emulated
@pytest.mark.parametrize("kind", TOOLS)
def test_without_the_tools_it_says_what_to_install(
    command: Command, small: Path, tmp_path: Path, own_data: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    without, why, end = TOOLS[kind]
    if kind == "too old":
        program(tmp_path / "bin/qemu-system-aarch64", "echo QEMU emulator version 7.2.15")
        program(tmp_path / "bin/qemu-img", "true")
    (tmp_path / "bin").mkdir(exist_ok=True)
    if kind in ("no mirror", "no keys"):
        for name in ("apt-config", "apt-get", "dpkg"):
            executable = shutil.which(name)
            if executable is None:
                pytest.skip(f"this machine has no {name}")
            (tmp_path / "bin" / name).symlink_to(executable)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("EDGEKIT_DOWNLOADS", str(tmp_path / "downloads"))
    monkeypatch.setenv("EDGEKIT_DEBIAN", "http://127.0.0.1:9/debian")
    # Each retry waits longer than the one before.
    monkeypatch.setattr(debian, "SETTINGS", substitute('Retries "3"', 'Retries "0"', debian.SETTINGS))
    if kind == "no keys":
        monkeypatch.setenv("EDGEKIT_DEBIAN_KEYRING", "/no/keys")
    run = ("run", "--project", small, "--target", "raspberry-pi-5", "--backend", "onnx", "--device", "emulated")
    for argv in (("device", "up", "raspberry-pi-5"), (*run, "--out", tmp_path / "out")):
        message, hint = told(command(*argv), "EK601")
        assert without in message
        assert why in message
        assert hint.startswith(INSTALL)
        assert end in hint
    assert left(own_data) == []
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "downloads").rglob("*.deb"))


@pytest.mark.usefixtures("emulation")
def test_a_port_that_is_taken_is_named(command: Command, own_data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message, hint = told(command("device", "up", "late", "--target", "raspberry-pi-5", "--port", port), "EK602")
    assert message == f"a program listens on port {port} of this machine"
    assert "leave out --port" in hint
    assert left(own_data) == []


def private_downloads(folder: Path) -> Path:
    """A place for downloads with the packages that all have, and an image of its own, which may be damaged."""
    shared = Cache.of_downloads()
    image = find_image(find_tools(shared), shared).folder
    for entry in shared.root.glob("entries/*/*"):
        if (entry / "packages.txt").exists() and not (entry / "vmlinuz").exists():
            shutil.copytree(entry, folder / entry.relative_to(shared.root), symlinks=True, copy_function=linked)
    copy = folder / image.relative_to(shared.root)
    shutil.copytree(image, copy)
    return copy


def linked(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another disk
        shutil.copy2(source, target, follow_symlinks=False)


def sealed(entry: Path) -> None:
    """Have the cache take an entry for whole as it is."""
    names = json.loads((entry / SEAL).read_text())
    (entry / SEAL).write_text(json.dumps({name: file_digest(entry / name) for name in names}))


@pytest.mark.usefixtures("emulation")
def test_an_image_that_is_damaged_is_made_anew_and_a_device_that_is_up_stays_what_it_is(
    command: Command, tmp_path: Path, own_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = private_downloads(tmp_path / "downloads")
    monkeypatch.setenv("EDGEKIT_DOWNLOADS", str(tmp_path / "downloads"))
    reached = ("device", "shell", "old", "test", "-e", "/etc/prepared")
    try:
        assert command("device", "up", "old", "--target", "raspberry-pi-5").code == 0
        # The state that devices wake up from is whole as the cache knows it, and of no use to this QEMU.
        (memory,) = (tmp_path / "downloads").glob(f"entries/*/*/{MEMORY}")
        os.truncate(memory, memory.stat().st_size // 2)
        sealed(memory.parent)
        assert command("device", "up", "second", "--target", "raspberry-pi-5").code == 0
        kernel = (image / "vmlinuz").read_bytes()
        (image / "vmlinuz").write_bytes(kernel[:100_000] + b"\xff\xfe" + kernel[100_002:])
        third = command("device", "up", "third", "--target", "raspberry-pi-5")
        assert (third.code, third.err) == (0, "")
        assert (image / "vmlinuz").read_bytes() == kernel
        assert command(*reached).code == 0
    finally:
        command("device", "down", "--all")
    (image / "disk.qcow2").write_bytes(b"no disk" * 999)
    sealed(image)
    message, hint = told(command("device", "up", "fourth", "--target", "raspberry-pi-5"), "EK603")
    assert f"'{image}/disk.qcow2' is no disk" in message
    assert hint.startswith(f"rm -r {image} ")
    assert left(own_data) == []


MOMENTS = {
    "a device has woken up": ("run", "raspberry-pi-5", "open", "device.json"),
    "it is asked what it is": ("flash", "raspberry-pi-5", "subprocess.Popen", "uname"),
    "a file is sent": ("flash", "raspberry-pi-5", "subprocess.Popen", "cat >>"),
    "adb connects": ("flash", "android-arm64", "subprocess.Popen", "'connect'"),
}
"""What is typed, the device, and where it is stopped. A flash does all that a run does there, and starts sooner."""


@pytest.fixture(scope="module")
def bundle(small: Path, places: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "out"
    options = ("--project", small, "--target", "raspberry-pi-5", "--backend", "onnx", *LENIENT)
    ended = edgekit_here("build", *options, "--out", out, env=places)
    assert ended.code == 0, ended.err
    return next(out.glob("*.edgekit"))


@pytest.mark.usefixtures("emulation")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_is_stopped_leaves_no_emulator_no_folder_and_no_server(
    small: Path, bundle: Path, tmp_path: Path, own_data: Path, moment: str, number: signal.Signals
) -> None:
    command, target, event, fragment = MOMENTS[moment]
    if number == signal.SIGKILL:
        command = "flash"  # of a run, nothing is left that could be cleaned up: it ends as the flash does
    (tmp_path / "tmp").mkdir()
    env = stopping(tmp_path, event, fragment, number) | {"TMPDIR": str(tmp_path / "tmp")}
    run = ("run", "--project", small, "--target", target, "--backend", "onnx", *LENIENT, "--device", "emulated")
    flash = ("flash", bundle, "--device", f"emulated://{target}")
    ended = edgekit(*(flash if command == "flash" else (*run, "--out", tmp_path / "out")), env=env)
    if number == signal.SIGINT:
        assert "run it again" in told(ended, "EK504")[1]
        assert not (tmp_path / "out").exists()
        assert not list((tmp_path / "tmp").glob("edgekit-*"))
    else:
        assert (ended.code, ended.out) == (-signal.SIGKILL, "")
        assert "error " not in ended.err  # a key is made, and told, where there was none yet
    assert gone(str(tmp_path))
    assert until(lambda: left(own_data) == [])


@pytest.mark.usefixtures("emulation")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["kill", "kill -9"])
def test_a_device_that_was_not_up_yet_goes_with_who_started_it(
    tmp_path: Path, own_data: Path, number: signal.Signals
) -> None:
    env = stopping(tmp_path, "open", "device.json", number)
    ended = edgekit("device", "up", "half", "--target", "raspberry-pi-5", env=env)
    assert ended.code == (-signal.SIGKILL if number == signal.SIGKILL else 3)
    assert ended.out == ""
    assert gone(str(tmp_path))
    assert until(lambda: left(own_data) == [])

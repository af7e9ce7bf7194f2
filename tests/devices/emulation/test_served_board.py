"""A served model on a board: a flash under load, and a power cut, after which systemd serves it again."""

from __future__ import annotations

import contextlib
import json
import shlex
import tarfile
import time
from dataclasses import asdict
from pathlib import Path, PurePosixPath

import pytest

from edgekit.cache import Cache
from edgekit.devices import debian
from edgekit.devices.emulation.faults import Device
from edgekit.devices.emulation.registry import CARD
from edgekit.devices.transport import Completed, Transport
from edgekit.errors import ConnectionLost, Unreachable
from tests.command_line import LENIENT, edgekit_here

LIMIT_S = 300.0
# The image starts sshd and adbd by a script, as its own first program; as others have it, systemd goes on from there.
INSTALL = """
set -e
tar -xzf /opt/systemd.tgz -C / --skip-old-files --keep-directory-symlink
rm /opt/systemd.tgz
ldconfig
mkdir -p /etc/systemd/system
ln -sf /lib/systemd/system/multi-user.target /etc/systemd/system/default.target
ln -sf /dev/null /etc/systemd/system/getty.target
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
busybox sed -i 's|^while :.*|exec /lib/systemd/systemd|' /sbin/start
sync
"""
GIVEN = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from edgekit_client import ModelError, Remote
model = Remote(sys.argv[2])
[stated] = model.metadata()["inputs"]
shape = [max(size, 1) for size in stated["shape"]]
given = {stated["name"]: np.zeros(shape, {"FP32": "float32", "UINT8": "uint8"}[stated["datatype"]])}
"""
ASK = f"{GIVEN}print(model.version, *(values.shape for values in model.predict(given).values()))"
LOAD = f"""{GIVEN}
import json, os, time
answers, lost, times = {{}}, [], []
while not os.path.exists("/opt/enough"):
    began = time.monotonic()
    try:
        [scores] = model.predict(given).values()
        answers.setdefault(model.version, set()).add(scores.tobytes().hex())
    except ModelError as error:
        lost.append(str(error))
    times.append(time.monotonic() - began)
    time.sleep(max(0.0, 0.02 - times[-1]))
times.sort()
p99_ms = 1e3 * times[int(0.99 * len(times))]
told = {{"requests": len(times), "lost": lost, "p50_ms": 1e3 * times[len(times) // 2], "p99_ms": p99_ms}}
print(json.dumps({{**told, "answers": {{version: sorted(seen) for version, seen in answers.items()}}}}))
print("done")
"""


@pytest.mark.timeout(1800)
def test_the_model_is_served_again_after_a_power_cut(
    device: Device, small: Path, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = _named(device, places, monkeypatch)
    _flash(_bundle(small, "float32", tmp_path), url)

    refused = edgekit_here("device", "serve", url, "--boot", "--json")
    assert "no systemd runs this device" in json.loads(refused.out)["error"]["message"]
    with device.connected() as transport:
        _install_systemd(transport, tmp_path)
    device.cut_power()
    device.boot()
    _wait_for_systemd(device)
    started = edgekit_here("device", "serve", url, "--boot", "--workers", "1", "--json")
    assert started.code == 0, started.out + started.err
    serving = json.loads(started.out)
    assert serving["at_boot"]
    with device.connected() as transport:
        version = _ask(transport, serving)
    device.cut_power()
    device.boot()
    _wait_for_systemd(device)
    with device.connected() as transport:
        until = time.monotonic() + LIMIT_S
        while _asked(transport, serving).returncode:
            assert time.monotonic() < until, _journal(transport, serving)
            time.sleep(1.0)
        assert _ask(transport, serving) == version
        stopped = edgekit_here("device", "serve", url, "--stop")
        assert stopped.code == 0, stopped.err
        assert transport.run(["test", "-e", serving["unit"]], timeout=LIMIT_S).returncode == 1


@pytest.mark.timeout(1800)
def test_a_flash_under_load_loses_no_request_and_mixes_no_models(
    device: Device, small: Path, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = _named(device, places, monkeypatch)
    older, newer = (_bundle(small, profile, tmp_path) for profile in ("float32", "dynamic-int8"))
    _flash(older, url)
    started = edgekit_here("device", "serve", url, "--workers", "1", "--json")
    assert started.code == 0, started.out + started.err
    serving = json.loads(started.out)
    asking = f"{shlex.join([*serving['python'], '-c', LOAD, *_library(serving)])} >/opt/answers 2>&1 &"
    with device.connected() as transport:
        # What has no session of its own yet ends with the command that started it.
        transport.run(["sh", "-c", f"setsid {asking} sleep 5"], timeout=LIMIT_S)
        _flash(newer, url)
        edgekit_here("rollback", "--device", url)
        transport.run(["touch", "/opt/enough"], timeout=LIMIT_S)
        until = time.monotonic() + LIMIT_S
        while "done" not in (told := transport.run(["cat", "/opt/answers"], timeout=LIMIT_S).stdout):
            assert time.monotonic() < until, told
            time.sleep(1.0)
    counted = json.loads(told.splitlines()[-2])
    assert counted["lost"] == []
    # Of each version all answers to the one sample are equal, and the older one came back.
    assert len(counted["answers"]) == 2
    assert all(len(answers) == 1 for answers in counted["answers"].values())
    assert counted["requests"] > 100


def _named(device: Device, places: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of the board for the command line, whose settings are those of the tests."""
    for name, folder in places.items():
        monkeypatch.setenv(name, folder)
    card = asdict(device.card) | {"guard": device.machine.pid}
    (device.card.folder / CARD).write_text(json.dumps(card))
    return f"emulated://{device.card.name}"


def _bundle(small: Path, profile: str, folder: Path) -> Path:
    options = ("--project", small, "--target", "raspberry-pi-5", "--backend", "onnx", "--profile", profile)
    built = edgekit_here("build", *options, *LENIENT, "--out", folder / profile)
    assert built.code == 0, built.err
    [bundle] = (folder / profile).glob("*.edgekit")
    return bundle


def _flash(bundle: Path, url: str) -> None:
    flashed = edgekit_here("flash", bundle, "--device", url)
    assert flashed.code == 0, flashed.err


def _install_systemd(transport: Transport, folder: Path) -> None:
    packages = debian.fetched(["systemd"], "arm64", Cache.of_downloads())
    archive = folder / "systemd.tgz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as written:
        for part in ("bin", "sbin", "lib", "usr", "etc"):
            written.add(packages / part, part)
    transport.push(archive, PurePosixPath("/opt/systemd.tgz"))
    installed = transport.run(["sh", "-c", INSTALL], timeout=LIMIT_S)
    assert installed.returncode == 0, installed.stderr


def _wait_for_systemd(device: Device) -> None:
    """Wait until it has started all units; sshd, which is no unit here, may lose connections meanwhile."""
    until = time.monotonic() + LIMIT_S
    said = ""
    while said != "running\n":
        assert time.monotonic() < until, said
        time.sleep(1.0)
        with contextlib.suppress(ConnectionLost, Unreachable), device.connected() as transport:
            said = transport.run(["systemctl", "is-system-running"], timeout=LIMIT_S).stdout


def _journal(transport: Transport, serving: dict[str, str]) -> str:
    unit = PurePosixPath(serving["unit"]).name
    told = f"systemctl status --no-pager {unit}; journalctl --no-pager -n 30 -u {unit}; ls -l /etc/systemd/system/*"
    return transport.run(["sh", "-c", told], timeout=LIMIT_S).stdout


def _library(serving: dict[str, str]) -> tuple[str, str]:
    """Folder of the client library on the device, and the server's address."""
    return str(PurePosixPath(serving["client"]).parent), serving["addresses"][0]


def _asked(transport: Transport, serving: dict[str, str]) -> Completed:
    """Ask the model as an application on the device does."""
    return transport.run([*serving["python"], "-c", ASK, *_library(serving)], timeout=LIMIT_S)


def _ask(transport: Transport, serving: dict[str, str]) -> str:
    answered = _asked(transport, serving)
    assert answered.returncode == 0, answered.stderr
    return answered.stdout

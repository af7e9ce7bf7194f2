"""`adb://` against Debian's own adbd, through a server of its own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from time import monotonic, sleep

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.devices.adb import Adb, serial
from edgekit.errors import (
    AuthenticationRefused,
    CommandFailed,
    ConnectionLost,
    DeviceAmbiguous,
    DeviceError,
    OptionError,
    StorageError,
    Unreachable,
)
from tests.devices.adbd import Adbd, Network, opened
from tests.failing_converters import stopped

LARGE = 96 << 20
names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..")
)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with opened(tmp_path_factory.mktemp("full")) as network:
        yield network


@pytest.fixture(scope="module")
def adbd(network: Network) -> Iterator[Adbd]:
    with network.device(5601) as daemon:
        yield daemon


@pytest.fixture
def mortal(network: Network) -> Iterator[Adbd]:
    """A device that a test may kill."""
    with network.device(5602) as daemon:
        yield daemon


@pytest.fixture
def device(network: Network, adbd: Adbd, tmp_path: Path) -> Iterator[Adb]:
    with network.open(adbd, tmp_path / "device") as opened:
        yield opened


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(name=names, content=st.binary(max_size=3000))
def test_whatever_it_is_called_a_file_goes_there_and_comes_back(
    device: Adb, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / "there").write_bytes(content)
    remote = device.root / "folder" / name
    device.push(tmp_path / "there", remote)
    assert Path(remote).read_bytes() == content
    device.pull(remote, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    assert device.run(["rm", "--", str(remote)], timeout=60).returncode == 0
    assert list((tmp_path / "device" / "folder").iterdir()) == []


def test_a_large_file_goes_there_and_comes_back(device: Adb, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(os.urandom(14_000_000))
    device.push(tmp_path / "there", device.root / "file")
    device.pull(device.root / "file", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "there").read_bytes()


def test_what_a_command_says_and_how_it_ends_are_kept_apart(device: Adb) -> None:
    done = device.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)


@pytest.mark.parametrize("code", [0, 1, 127, 255])
def test_every_exit_code_arrives(device: Adb, code: int) -> None:
    assert device.run(["sh", "-c", f"exit {code}"], timeout=60).returncode == code


def test_a_command_ended_by_a_signal_says_which(device: Adb) -> None:
    assert device.run(["sh", "-c", "kill -9 $$"], timeout=60).returncode == -9


def test_arguments_are_not_read_by_a_shell(device: Adb) -> None:
    assert device.run(["echo", "$HOME; `id` *", "'\"", "\\"], timeout=60).stdout == "$HOME; `id` * '\" \\\n"


def test_a_command_that_is_not_there_is_an_error(device: Adb) -> None:
    with pytest.raises(CommandFailed, match="no-such-command"):
        device.run(["no-such-command"], timeout=60)


def test_a_command_that_does_not_end_is_stopped_on_the_device(device: Adb, tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid; sleep 1000; true"
    stopped(lambda limit_s: device.run(["sh", "-c", script], timeout=limit_s), tmp_path / "pid")
    assert _soon(lambda: not Path("/proc", (tmp_path / "pid").read_text().strip()).exists())


def test_two_devices_at_once_are_told_apart(network: Network, adbd: Adbd, mortal: Adbd, tmp_path: Path) -> None:
    with network.open(adbd, tmp_path) as one, network.open(mortal, tmp_path) as other:
        assert one.run(["printenv", "ADBD_PORT"], timeout=60).stdout == "5601\n"
        assert other.run(["printenv", "ADBD_PORT"], timeout=60).stdout == "5602\n"
        with pytest.raises(DeviceAmbiguous, match=r"2 devices .*:5601' \(device\), .*:5602' \(device\)") as caught:
            Adb("adb:///root", network.server).__enter__()
    assert caught.value.hint == "one of adb://127.0.0.1:5601/root, adb://127.0.0.1:5602/root"
    network.server.told("disconnect", "127.0.0.1:5602")
    with Adb(f"adb://{tmp_path}", network.server) as only:
        assert only.run(["printenv", "ADBD_PORT"], timeout=60).stdout == "5601\n"


def test_where_no_device_is_it_says_so(network: Network) -> None:
    network.server.told("disconnect")
    with pytest.raises(Unreachable, match="no such device: adb devices lists none"):
        Adb("adb://", network.server).__enter__()
    with pytest.raises(Unreachable, match="no such device: adb devices lists none") as caught:
        Adb("adb://R5CT30", network.server).__enter__()
    assert "USB debugging" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("address", "reason"), [("127.0.0.1:5699", "Connection refused"), ("no-such-host.invalid:5555", "resolve")]
)
def test_an_address_where_nothing_listens_is_unreachable(network: Network, address: str, reason: str) -> None:
    with pytest.raises(Unreachable, match=reason) as caught:
        Adb(f"adb://{address}", network.server).__enter__()
    assert caught.value.hint == f"is it on, and does adbd listen there? adb connect {address}"


def test_a_device_that_was_away_is_connected_to_anew(network: Network, mortal: Adbd, tmp_path: Path) -> None:
    with network.open(mortal, tmp_path):
        pass
    mortal.kill()
    with pytest.raises(Unreachable):
        network.open(mortal, tmp_path).__enter__()
    mortal.start()
    with network.open(mortal, tmp_path) as device:
        assert device.run(["true"], timeout=60).returncode == 0


def test_a_device_that_is_offline_is_unreachable(
    network: Network, mortal: Adbd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial, "SETTLE_S", 0.5)
    network.server.told("disconnect")
    with network.open(mortal, tmp_path):
        mortal.kill()
    with pytest.raises(Unreachable, match=r"'127\.0\.0\.1:5602' is offline"):
        Adb("adb://", network.server).__enter__()


def test_a_device_that_stopped_answering_is_unreachable(
    network: Network, mortal: Adbd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial, "GREET_S", 1.0)
    with network.open(mortal, tmp_path):
        pass
    mortal.send(signal.SIGSTOP)
    with pytest.raises(Unreachable, match="no answer within 1 s"):
        network.open(mortal, tmp_path).__enter__()


def test_a_device_lost_in_the_midst_of_a_push_keeps_the_old_file(
    network: Network, mortal: Adbd, tmp_path: Path
) -> None:
    (tmp_path / "old").write_bytes(b"old")
    with (tmp_path / "new").open("wb") as file:
        file.truncate(LARGE)
    folder = tmp_path / "device"
    with network.open(mortal, folder) as device:
        device.push(tmp_path / "old", device.root / "file")
        killer = threading.Thread(target=_kill_when_it_grows, args=(mortal, folder))
        killer.start()
        with pytest.raises(ConnectionLost):
            device.push(tmp_path / "new", device.root / "file")
        killer.join()
    assert (folder / "file").read_bytes() == b"old"
    mortal.start()
    with network.open(mortal, folder) as device:
        device.push(tmp_path / "new", device.root / "file")
    assert (folder / "file").stat().st_size == LARGE
    assert [path.name for path in folder.iterdir()] == ["file"]


def _kill_when_it_grows(daemon: Adbd, folder: Path) -> None:
    if _soon(lambda: any(path.name != "file" and path.stat().st_size for path in folder.iterdir())):
        daemon.kill()


def test_a_device_lost_in_the_midst_of_a_command_is_an_error(network: Network, mortal: Adbd, tmp_path: Path) -> None:
    with network.open(mortal, tmp_path) as device:
        threading.Timer(0.5, mortal.kill).start()
        # `adb shell` ends with 0 then.
        with pytest.raises(ConnectionLost):
            device.run(["sleep", "30"], timeout=60)
        with pytest.raises(ConnectionLost):
            device.run(["true"], timeout=60)


def test_a_full_disk_leaves_the_old_file(network: Network, adbd: Adbd, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "new").write_bytes(bytes(2_000_000))
    with network.open(adbd, network.full) as device:
        device.push(tmp_path / "old", device.root / "file")
        with pytest.raises(StorageError, match="full"):
            device.push(tmp_path / "new", device.root / "file")
        assert device.run(["cat", str(device.root / "file")], timeout=60).stdout == "old"
        assert device.run(["ls", "-A", str(device.root)], timeout=60).stdout == "file\n"


def test_a_device_whose_owner_accepted_no_key_lets_nobody_in(network: Network, tmp_path: Path) -> None:
    refused = pytest.raises(AuthenticationRefused, match="has not accepted this machine's key")
    with network.stranger(5603, "unauthorized") as stranger, refused as caught:
        network.open(stranger, tmp_path).__enter__()
    assert caught.value.hint == "accept the key on the device's screen, then try again"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("device no permissions (missing udev rules? user is in the plugdev group); see [...]", AuthenticationRefused),
        ("adb: more than one device/emulator", DeviceAmbiguous),
        ("adb: device offline", None),
    ],
)
def test_what_adb_says_of_a_device_on_usb_is_understood(said: str, error: type[DeviceError] | None) -> None:
    assert isinstance(serial.refusal("adb://", said), error or type(None))


def test_a_device_that_tells_no_exit_codes_is_refused(network: Network, tmp_path: Path) -> None:
    with network.stranger(5604, "old") as stranger, pytest.raises(CommandFailed, match="Android 7"):
        network.open(stranger, tmp_path).__enter__()


@pytest.mark.parametrize(
    "url",
    [
        "adb://host:port",
        "adb://host:0",
        "adb://host:70000",
        "adb://a b",
        "adb://a?b",
        "adb://a#b",
        "adb://a%00",
        "adb://[::1",
        "ssh://a",
        "adb://a/../b",
    ],
)
def test_a_url_that_means_no_device_is_refused(url: str) -> None:
    with pytest.raises(OptionError, match="is no adb device"):
        Adb(url)


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("adb://", "/data/local/tmp/edgekit"),
        ("adb://R5CT30/", "/data/local/tmp/edgekit"),
        ("adb://192.168.1.7:5555/data/my%20folder", "/data/my folder"),
    ],
)
def test_a_path_names_another_root(url: str, root: str) -> None:
    assert Adb(url).root == PurePosixPath(root)


def _soon(happened: Callable[[], bool], limit_s: float = 60.0) -> bool:
    deadline = monotonic() + limit_s
    while not happened():
        if monotonic() > deadline:
            return False
        sleep(0.001)
    return True

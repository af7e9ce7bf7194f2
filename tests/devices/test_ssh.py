"""`ssh://` against a real sshd."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from edgekit.devices import ssh
from edgekit.devices.known_hosts import HostKey, KnownHosts
from edgekit.devices.ssh import Ssh
from edgekit.devices.ssh.address import ROOT, SshAddress
from edgekit.errors import (
    AuthenticationRefused,
    ConnectionLost,
    EdgekitError,
    HostKeyChanged,
    OptionError,
    ToolsMissing,
    Unreachable,
)
from tests.devices.debian_programs import fetched
from tests.devices.ended_processes import gone
from tests.devices.sshd import PACKAGES, Sshd, running
from tests.devices.test_shell import FAMILY, names, until, written
from tests.failing_converters import stopped

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packages(places: dict[str, str]) -> Path:
    return fetched(PACKAGES, Path(places["EDGEKIT_CACHE"]) / "downloads")


@pytest.fixture(scope="module")
def shared(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd that no test stops."""
    with running(tmp_path_factory.mktemp("shared") / "sshd", packages) as sshd:
        yield sshd


@pytest.fixture
def sshd(packages: Path, tmp_path: Path) -> Iterator[Sshd]:
    """One of its own."""
    with running(tmp_path / "sshd", packages) as sshd:
        yield sshd


@pytest.fixture
def device(shared: Sshd) -> Iterator[Ssh]:
    with shared.device() as device:
        yield device


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ssh://pi", SshAddress("pi", None, None, ROOT)),
        ("ssh://pi/", SshAddress("pi", None, None, ROOT)),
        ("ssh://me@Pi-Lab_1.local:2222/srv/a%20b", SshAddress("Pi-Lab_1.local", "me", 2222, PurePosixPath("/srv/a b"))),
        ("ssh://me@[fe80::1%25eth0]:22", SshAddress("fe80::1%eth0", "me", 22, ROOT)),
        ("ssh://10.0.0.1:22/x", SshAddress("10.0.0.1", None, 22, PurePosixPath("/x"))),
    ],
)
def test_an_address_is_read(url: str, address: SshAddress) -> None:
    assert Ssh(url).address == address
    assert Ssh(url).root == address.root


@pytest.mark.parametrize(
    "url",
    [
        "ssh://",
        "ssh:///folder",
        "ssh://me:secret@pi",
        "ssh://pi?root=/x",
        "ssh://pi#x",
        "ssh://pi:99999",
        "ssh://pi:0",
        "ssh://pi:x",
        "ssh://-oProxyCommand=id",
        "ssh://-l@pi",
        "ssh://a%20b@pi",
        "ssh://`id`@pi",
        "ssh://pi;id",
        "ssh://pi/a/../../etc",
        "ssh://[::1",
        "adb://pi",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(OptionError, match="is no device") as caught:
        Ssh(url)
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_it_runs_pushes_and_pulls(device: Ssh, tmp_path: Path) -> None:
    done = device.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)
    there = written(tmp_path / "there", 3_000_000)
    device.push(there, device.root / "a b" / "it's\n$x")
    device.pull(device.root / "a b" / "it's\n$x", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == there.read_bytes()
    assert device.free_bytes(device.root / "more")
    assert device.kind == "device"


@pytest.mark.parametrize("code", [0, 127, 255])
def test_a_code_of_the_command_is_not_taken_for_one_of_ssh(device: Ssh, code: int) -> None:
    assert device.run(["sh", "-c", f"exit {code}"], timeout=60).returncode == code
    assert device.run(["sh", "-c", "kill -9 $$"], timeout=60).returncode == -9


def test_a_long_output_arrives(device: Ssh) -> None:
    done = device.run(["sh", "-c", "head -c 3000000 /dev/zero; echo end; echo end >&2"], timeout=60)
    assert (len(done.stdout), done.stdout[-4:], done.stderr) == (3_000_004, "end\n", "end\n")


def test_calls_share_one_connection(sshd: Sshd) -> None:
    with sshd.device() as device:
        for _ in range(3):
            device.run(["true"], timeout=60)
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda i: device.run(["echo", str(i)], timeout=60).stdout, range(8)))
        assert done == [f"{i}\n" for i in range(8)]
        assert (sshd.folder / "log").read_text().count("Accepted publickey") == 1
        assert masters(device)
    assert not masters(device)
    assert not socket_folder(device).exists()


def socket_folder(device: Ssh) -> Path:
    (option,) = [option for option in device.options() if option.startswith("-oControlPath")]
    return Path(option.partition('"')[2].strip('"')).parent


def masters(device: Ssh) -> list[str]:
    """The processes of this machine that hold its connection."""
    return holders(str(socket_folder(device)))


def holders(mark: str) -> list[str]:
    listed = subprocess.run(["ps", "-ewwo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if mark in line and "ssh" in line]


def until_not(still: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 60
    while still() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not still()


def test_nothing_is_left_on_the_device_after_a_time_limit(device: Ssh, tmp_path: Path) -> None:
    note = tmp_path / "note"
    stopped(lambda limit_s: device.run(["sh", "-c", FAMILY, str(note)], timeout=limit_s), note)
    assert gone(note)


HOST = """
import sys
from pathlib import Path
from edgekit.devices import ssh
ssh.IDLE_S = 1
with ssh.Ssh(sys.argv[1], identity=Path(sys.argv[2]), known_hosts=Path(sys.argv[3])) as device:
    Path(sys.argv[4]).with_name("mark").write_text(str(device._folder))
    device.run(["sh", "-c", sys.argv[5], sys.argv[4]], timeout=60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_anywhere_of_a_run_that_is_stopped(shared: Sshd, tmp_path: Path, number: int) -> None:
    device, note = shared.device(), tmp_path / "note"
    argv = [sys.executable, "-c", HOST, device.url, device.identity, device.known_hosts, note, FAMILY]
    with subprocess.Popen(list(map(str, argv)), cwd=CHECKOUT, stderr=subprocess.PIPE) as host:
        until(note)
        mark = (tmp_path / "mark").read_text()
        assert holders(mark)
        host.send_signal(number)
        host.wait(60)
    assert gone(note)
    assert until_not(lambda: holders(mark))
    # After SIGKILL nobody was left to remove it; it is empty, and who connects later removes it.
    assert Path(mark).exists() == (number == signal.SIGKILL)
    if number == signal.SIGKILL:
        with shared.device():
            assert Path(mark).exists()  # as young as it is, a connection may be about to be made
        os.utime(mark, (0, 0))
        with shared.device() as other:
            assert not Path(mark).exists()
            os.utime(socket_folder(other), (0, 0))
            with shared.device():
                assert masters(other)
                assert socket_folder(other).exists()  # in use


def test_ctrl_c_while_it_connects_leaves_nothing(tmp_path: Path, silent: str) -> None:
    device = Ssh(silent)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt), device:
        pass
    assert not masters(device)
    assert not socket_folder(device).exists()


def test_a_host_key_that_nobody_vouched_for_is_refused_until_it_is_trusted(shared: Sshd) -> None:
    known = shared.folder / "nobody"
    device = replace(shared.device(), known_hosts=known)
    with pytest.raises(
        HostKeyChanged, match=rf"vouched yet for the host key of '\[127.0.0.1\]:{shared.port}'"
    ) as caught:
        device.__enter__()
    assert caught.value.hint == f"edgekit device trust {shared.url}"
    assert not known.exists()
    key = device.host_key()
    assert key == shared.host_key
    assert not known.exists()
    assert key.fingerprint == fingerprint(shared.folder / "host.pub")
    KnownHosts(known).keep(key)
    with device:
        assert device.run(["echo", "in"], timeout=60).stdout == "in\n"


def fingerprint(path: Path) -> str:
    """As ssh-keygen has it."""
    said = subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, text=True, check=True).stdout
    return said.split()[1]


def test_a_host_key_that_has_changed_is_refused_until_it_is_replaced(sshd: Sshd) -> None:
    device, old = sshd.device(), sshd.host_key
    assert device.known_hosts
    known = KnownHosts(device.known_hosts)
    sshd.stop()
    sshd.new_key("host")
    sshd.start()
    with pytest.raises(HostKeyChanged, match="ITS HOST KEY HAS CHANGED") as caught:
        device.__enter__()
    assert f"shows {sshd.host_key.fingerprint}, known is {old.fingerprint}" in str(caught.value)
    key = device.host_key()
    with pytest.raises(HostKeyChanged, match="another host key"):
        known.keep(key)
    assert known.keys(key.name) == (old,)
    known.keep(key, replace=True)
    assert known.keys(key.name) == (key,)
    with device:
        assert device.run(["true"], timeout=60).returncode == 0


def test_edgekits_own_file_is_asked_beside_the_users(shared: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    own = KnownHosts.of_user()
    own.keep(shared.host_key)
    assert own.path.stat().st_mode & 0o777 == 0o600
    assert "nobody" not in str(own.path)
    with replace(shared.device(), known_hosts=None) as device:
        assert device.run(["true"], timeout=60).returncode == 0


@pytest.fixture
def configured(shared: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder .ssh of a user whose ssh knows our sshd as `Lab`, and another host behind it."""
    folder = shared.known_as_lab(tmp_path, monkeypatch)
    with (folder / "config").open("a") as config:
        config.write(
            f"Host Behind\n HostName 127.0.0.1\n HostKeyAlias behind\n ProxyJump Lab\n"
            f" Port {shared.port}\n User device\n IdentityFile {shared.folder}/user\n"
        )
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "config"))
    return folder


def test_the_users_ssh_configuration_holds(configured: Path) -> None:
    device = Ssh("ssh://Lab/opt/mine")
    with pytest.raises(HostKeyChanged):
        device.__enter__()
    KnownHosts.of_user().keep(device.host_key())
    with device:
        assert device.run(["id", "-un"], timeout=60).returncode == 0
    assert [path.name for path in configured.iterdir()] == ["config"]


def test_a_device_behind_a_jump_host_is_trusted_by_its_own_name(configured: Path, shared: Sshd) -> None:
    (configured / "known_hosts").write_text(shared.host_key.line)
    device = Ssh("ssh://Behind")
    with pytest.raises(HostKeyChanged):
        device.__enter__()
    key = device.host_key()
    assert key == replace(shared.host_key, name="behind")
    KnownHosts.of_user().keep(key)
    with device:
        assert device.run(["echo", "in"], timeout=60).stdout == "in\n"


def test_a_key_kept_by_edgekit_stands_beside_an_old_one_of_the_users(configured: Path, shared: Sshd) -> None:
    shared.new_key("elsewhere")
    kind, text, *_ = (shared.folder / "elsewhere.pub").read_text().split()
    (configured / "known_hosts").write_text(HostKey(shared.host_key.name, kind, text).line)
    device = Ssh("ssh://Lab")
    with pytest.raises(HostKeyChanged, match="ITS HOST KEY HAS CHANGED"):
        device.__enter__()
    KnownHosts.of_user().keep(device.host_key())
    with device:
        assert device.run(["true"], timeout=60).returncode == 0


def test_keys_kept_at_once_are_all_kept(tmp_path: Path) -> None:
    known = KnownHosts(tmp_path / "new" / "known_hosts")
    keys = [HostKey(f"host{i}", "ssh-ed25519", "AAAA") for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(known.keep, keys))
    assert sorted(known.all(), key=str) == sorted(keys, key=str)
    known.keep(keys[0])
    assert len(known.all()) == 16


def test_what_a_user_wrote_into_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("# mine\n@cert-authority * ssh-ed25519 AAAA\n\nother ssh-rsa AAAA\n")
    KnownHosts(path).keep(HostKey("host", "ssh-ed25519", "AAAA"))
    text = "# mine\n@cert-authority * ssh-ed25519 AAAA\n\nother ssh-rsa AAAA\nhost ssh-ed25519 AAAA\n"
    assert path.read_text() == text


def test_a_key_that_it_does_not_know_is_refused(shared: Sshd, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    with pytest.raises(AuthenticationRefused, match=r"Permission denied \(publickey") as caught:
        replace(shared.device(), identity=tmp_path / "other").__enter__()
    assert caught.value.hint == f"ssh-copy-id -p {shared.port} device@127.0.0.1"


@pytest.mark.parametrize(
    ("shell", "setting", "said"),
    [
        ("/bin/sh", "ForceCommand internal-sftp", "it said 'This service allows sftp connections only.'"),
        ("/usr/sbin/nologin", "", "it said 'This account is currently not available.'"),
        ("/bin/false", "", "it said nothing, and ended with 1"),
        ("/bin/sh", "ForceCommand echo the menu; exit 3", "it said 'the menu'"),
        ("/bin/sh", "ForceCommand echo the menu; exit 200", "it said 'the menu'"),
        ("/bin/sh", "ForceCommand exit 254", "it said nothing, and ended with 254"),
    ],
)
def test_an_account_that_may_not_run_commands_is_told_so_in_the_devices_words(
    packages: Path, tmp_path: Path, shell: str, setting: str, said: str
) -> None:
    sshd = Sshd(tmp_path / "sshd", packages, shell)
    with (sshd.folder / "config").open("a") as config:
        config.write(f"{setting}\n")
    try:
        sshd.start()
        with pytest.raises(AuthenticationRefused) as refused, sshd.device():
            pass
    finally:
        sshd.stop()
    assert said in str(refused.value)
    assert "connection was lost" not in str(refused.value)
    assert f"-p {sshd.port} device@127.0.0.1 true" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo the menu; exit 129", "ended with 129, as a signal has it: it said 'the menu'"),
        ("kill -KILL $$", "the connection was lost"),
        ("exit 255", "the connection was lost"),
    ],
)
def test_what_a_signal_or_ssh_itself_ended_is_no_account_without_a_shell(
    packages: Path, tmp_path: Path, command: str, said: str
) -> None:
    sshd = Sshd(tmp_path / "sshd", packages)
    with (sshd.folder / "config").open("a") as config:
        config.write(f"ForceCommand {command}\n")
    try:
        sshd.start()
        with pytest.raises(ConnectionLost, match=said), sshd.device():
            pass
    finally:
        sshd.stop()


def test_no_answer_is_an_error(sshd: Sshd) -> None:
    device = sshd.device()
    sshd.stop()
    with pytest.raises(Unreachable, match="Connection refused"):
        device.__enter__()
    with pytest.raises(Unreachable, match="Could not resolve hostname"):
        Ssh("ssh://no-such-host.invalid").__enter__()
    with pytest.raises(Unreachable, match="Connection refused"):
        device.host_key()


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"ssh://127.0.0.1:{server.getsockname()[1]}"


def test_a_host_that_says_nothing_is_an_error(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "CONNECT_S", 1)
    with pytest.raises(Unreachable, match="timed out"):
        Ssh(silent).__enter__()
    with pytest.raises(Unreachable):
        Ssh(silent).host_key()


def test_without_ssh_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/no/such/folder")
    with pytest.raises(ToolsMissing, match="no 'ssh'") as caught:
        Ssh("ssh://pi").__enter__()
    assert "openssh-client" in (caught.value.hint or "")


def drop_once(note: Path, sshd: Sshd, number: signal.Signals = signal.SIGKILL) -> None:
    """Send every connection a signal, once the note is there."""
    until(note)
    sshd.drop(number)


def test_a_connection_lost_in_a_command_is_an_error_and_the_next_one_connects_anew(sshd: Sshd, tmp_path: Path) -> None:
    note = tmp_path / "note"
    with sshd.device() as device:
        threading.Thread(target=drop_once, args=(note, sshd)).start()
        with pytest.raises(ConnectionLost, match="the connection was lost"):
            device.run(["sh", "-c", FAMILY, str(note)], timeout=60)
        assert gone(note)
        assert device.run(["echo", "again"], timeout=60).stdout == "again\n"
        sshd.stop()
        with pytest.raises(Unreachable):
            device.run(["true"], timeout=60)


def test_a_dead_link_is_noticed(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ssh.ALIVE_S * (ssh.ALIVE_COUNT + 1) <= 15
    monkeypatch.setattr(ssh, "ALIVE_S", 1)
    monkeypatch.setattr(ssh, "ALIVE_COUNT", 1)
    note = tmp_path / "note"
    with sshd.device() as device:
        threading.Thread(target=drop_once, args=(note, sshd, signal.SIGSTOP)).start()
        with pytest.raises(ConnectionLost):  # and not that it took longer than its time
            device.run(["sh", "-c", FAMILY, str(note)], timeout=60)
        sshd.drop(signal.SIGCONT)
    assert gone(note)


def test_a_push_that_lost_its_connection_goes_on_where_it_was(sshd: Sshd, tmp_path: Path) -> None:
    there = tmp_path / "there"
    with there.open("wb") as file:
        file.write(os.urandom(1 << 20))
        file.truncate(200 << 20)
    with sshd.device() as device:
        target = device.root / "file"
        device.push(written(tmp_path / "old", 1000), target)
        folder = Path(device.root)

        def cut() -> None:
            while not any(path.stat().st_size > 4 << 20 for path in folder.glob(".*.partial")):
                time.sleep(0.001)
            sshd.drop()

        thread = threading.Thread(target=cut)
        thread.start()
        with pytest.raises(ConnectionLost):
            device.push(there, target)
        thread.join()
        assert Path(target).read_bytes() == (tmp_path / "old").read_bytes()
        (left,) = folder.glob(".*.partial")
        assert until_not(Path("/proc", left.name.split(".")[3], "cwd").exists)
        assert 4 << 20 < left.stat().st_size < 200 << 20
        inode = left.stat().st_ino
        device.push(there, target)
        assert Path(target).stat().st_ino == inode
        assert Path(target).read_bytes() == there.read_bytes()
        assert names(folder) == ["file"]


def test_two_devices_at_once_do_not_mind_each_other(shared: Sshd, tmp_path: Path) -> None:
    there = written(tmp_path / "there", 3_000_000)
    with shared.device() as one, shared.device() as two:
        failures: list[EdgekitError] = []

        def push(device: Ssh) -> None:
            try:
                device.push(there, device.root / "shared")
            except EdgekitError as error:
                failures.append(error)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(push, (one, two)))
        assert failures == []
        assert Path(one.root / "shared").read_bytes() == there.read_bytes()
        one.__exit__()
        assert two.run(["echo", "still here"], timeout=60).stdout == "still here\n"

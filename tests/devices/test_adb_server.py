"""adb's server: the user's where there is one, one of ours that leaves nothing behind, and one that answers nothing."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic, sleep

import pytest

from edgekit.devices.adb import Adb
from edgekit.devices.adb import server as adb_server
from edgekit.devices.adb.server import Server, private_server, program, users_server
from edgekit.errors import ToolsMissing, Unreachable
from tests.devices.adbd import impossible, opened

pytestmark = pytest.mark.served

HOLD = """
import sys
from edgekit.devices.adb.server import private_server
with private_server() as server:
    print(server.socket, flush=True)
    sys.stdin.read()
"""
USERS_PORT = 5037


@pytest.fixture(autouse=True)
def _adb() -> None:
    try:
        program()
    except ToolsMissing as error:
        impossible(str(error))


@pytest.fixture
def no_adb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    """A user without adb, or a server; the port where one would be."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    for name, value in {"PATH": str(tmp_path), "ANDROID_ADB_SERVER_PORT": str(port), **adb_server.ALONE}.items():
        monkeypatch.setenv(name, value)
    return port


def test_a_server_of_our_own_is_seen_by_nobody_and_gone_at_the_end() -> None:
    before = _listens(USERS_PORT)
    with private_server() as server:
        assert server.devices() == ()
        assert len(_servers(server)) == 1
    assert _soon_none(server)
    assert _listens(USERS_PORT) == before


def test_two_servers_of_our_own_do_not_meet() -> None:
    with private_server() as one, private_server() as other:
        assert one.socket != other.socket
        assert len(_servers(one)) == len(_servers(other)) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_server_goes_with_the_process_that_started_it(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as holder:
        assert holder.stdout is not None
        server = Server((), holder.stdout.readline().decode().strip())
        assert len(_servers(server)) == 1
        holder.send_signal(number)
        assert holder.wait(20) != 0
    assert _soon_none(server)


def test_a_server_that_a_client_started_in_the_place_of_ours_goes_too(tmp_path: Path) -> None:
    starter = _starter(tmp_path)
    with private_server() as server:
        os.kill(_servers(server)[0], signal.SIGKILL)
        while _servers(server):
            sleep(0.01)
        # As every adb does that finds none.
        assert subprocess.run([starter, "-L", str(server.socket), "devices"], timeout=60).returncode == 0
        assert len(_servers(server)) == 1
    assert _soon_none(server)


def test_a_server_that_answers_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adb_server, "ASK_S", 1.0)
    with private_server() as server:
        os.kill(_servers(server)[0], signal.SIGSTOP)
        with pytest.raises(Unreachable, match="did not end within 1 s") as caught:
            Adb("adb://", server).__enter__()
    assert "adb kill-server" in (caught.value.hint or "")
    assert _soon_none(server)


def test_a_server_that_cannot_be_started_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adb_server, "START_S", 0.5)
    with (
        pytest.raises(Unreachable, match=r"did not start within 0\.5 s: .*no such"),
        private_server(["sh", "-c", "echo no such >&2"]),
    ):
        pass


def test_a_long_temporary_folder_is_no_obstacle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with private_server() as server:
        assert server.devices() == ()


def test_the_users_server_is_the_one_that_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with opened(tmp_path_factory.mktemp("full")) as network, network.device(5601) as daemon:
        monkeypatch.setenv("ADB_SERVER_SOCKET", str(network.server.socket))
        with Adb(network.url(daemon, tmp_path)) as device:
            assert device.run(["printenv", "ADBD_PORT"], timeout=60).stdout == "5601\n"


def test_the_users_own_adb_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    starter = _starter(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with private_server() as running:
        monkeypatch.setenv("ADB_SERVER_SOCKET", str(running.socket))
        with users_server() as server:
            assert server == Server((str(starter),))
            assert server.devices() == ()


def test_a_user_without_adb_has_a_server_only_while_it_is_needed(no_adb: int) -> None:
    with users_server() as server:
        assert server.devices() == ()
        assert len(_servers(server)) == 1
    assert _soon_none(server)
    assert not _listens(no_adb)


def test_adb_that_cannot_be_fetched_is_missing(no_adb: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEKIT_DOWNLOADS", str(tmp_path / "nothing"))
    with pytest.raises(ToolsMissing, match="there is no adb here, and there is no 'apt-get'") as caught:
        Adb("adb://").__enter__()
    assert caught.value.hint == "apt-get install adb"


def _starter(folder: Path) -> Path:
    """An adb as a user has it, in the folder: one that can start a server."""
    *_, binary = program()
    path = folder / "adb"
    libraries = next((argument for argument in program() if ":" in argument), "")
    path.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={shlex.quote(libraries)} exec {shlex.quote(binary)} "$@"\n')
    path.chmod(0o755)
    return path


def _path(server: Server) -> str:
    return str(server.socket).removeprefix("localfilesystem:")


def _servers(server: Server) -> list[int]:
    """The processes that serve at the socket of that server, by what they were started with."""
    replies = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if server.socket in words and "server" in words and words[0] != "/bin/sh":
            replies.append(int(path.parent.name))
    return replies


def _soon_none(server: Server) -> bool:
    """Whether nothing serves there, nor is a folder left, now or in a moment."""
    deadline = monotonic() + 20
    while _servers(server) or Path(_path(server)).parent.exists():
        if monotonic() > deadline:
            return False
        sleep(0.01)
    return True


def _listens(port: int) -> bool:
    with socket.socket() as end:
        return end.connect_ex(("127.0.0.1", port)) == 0

"""`edgekit reference serve`, as its users have it: a real server that is there until it is told to end."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from edgekit.bundle.archive import Bundle
from edgekit.servers.serve import ServerPorts
from tests import reference_servers as servers
from tests.command_line import edgekit, end, start
from tests.conftest import Built, Command
from tests.failing_converters import until

pytestmark = pytest.mark.served

READY_S = 240.0


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    made = servers.float_bundle(servers.digits(), tmp_path_factory.mktemp("float"))
    servers.installed(made, *servers.SERVERS)
    return made


@contextmanager
def serving(places: dict[str, str], tmp: Path, *argv: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the first line that it says once it is ready; its scratch folders are in `tmp`."""
    tmp.mkdir()
    env = places | {"EDGEKIT_DOWNLOADS": str(servers.DOWNLOADS), "TMPDIR": str(tmp)}
    command = start("reference", "serve", *argv, env=env)
    try:
        assert command.stdout is not None
        said, _, _ = select.select([command.stdout], [], [], READY_S)
        assert said, "it did not get ready"
        line = command.stdout.readline()
        assert line, command.communicate()[1]
        yield command, line
    finally:
        command.kill()
        command.communicate()


def ports() -> tuple[tuple[object, ...], ServerPorts]:
    found = ServerPorts.free()
    return ("--port", found.http, "--grpc-port", found.grpc), found


def open_port(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("server", "number"), [("triton", signal.SIGINT), ("mlserver", signal.SIGTERM)], ids=servers.SERVERS
)
def test_the_float_model_of_an_example_is_served_until_a_signal_and_nothing_stays(
    server: str, number: signal.Signals, bundle: Bundle, places: dict[str, str], tmp_path: Path
) -> None:
    options, chosen = ports()
    with serving(places, tmp_path / "tmp", "--example", "digits", "--server", server, *options) as (command, line):
        url = f"http://127.0.0.1:{chosen.http}/v2/models/digits"
        assert line == f"digits is served by {server}: {url}\n"
        with urlopen(url) as answer:
            assert json.load(answer)["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 8, 8, 1]}]
        assert open_port(chosen.grpc)
        with socket.create_connection(("127.0.0.1", chosen.http)):  # a client that stays must not hold it up
            command.send_signal(number)
            ended = end(command, timeout=120)
        assert ended.code == 0, ended.err
        assert not open_port(chosen.http)
        assert not open_port(chosen.grpc)
        assert not [path for path in (tmp_path / "tmp").iterdir() if path.name.startswith("tmp")]


def test_any_bundle_is_served_and_described_in_json(
    built: Built, bundle: Bundle, places: dict[str, str], tmp_path: Path
) -> None:
    options, chosen = ports()
    argv = (built.bundle, "--server", "mlserver", *options, "--json")
    with serving(places, tmp_path / "tmp", *argv) as (command, line):
        assert command.stdout is not None
        document = line + "".join(iter(command.stdout.readline, "}\n")) + "}"
        command.send_signal(signal.SIGINT)
        assert end(command, timeout=120).code == 0
        assert json.loads(document) == {
            "url": f"http://127.0.0.1:{chosen.http}/v2/models/small",
            "grpc_url": f"grpc://127.0.0.1:{chosen.grpc}/small",
            "model": "small",
            "server": "mlserver",
        }


def test_killed_without_a_word_it_takes_its_server_with_it(
    built: Built, bundle: Bundle, places: dict[str, str], tmp_path: Path
) -> None:
    options, chosen = ports()
    with serving(places, tmp_path / "tmp", built.bundle, "--server", "mlserver", *options) as (command, _):
        pass
    del command
    assert until(lambda: not open_port(chosen.http))


def test_a_port_that_is_taken_is_named_with_the_option(bundle: Bundle, places: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        argv = ("--example", "digits", "--grpc-port", port, "--port", ServerPorts.free().http)
        nowhere = places | {"EDGEKIT_DOWNLOADS": os.devnull}
        said = edgekit("reference", "serve", *argv, env=nowhere).refused("EK705", 3)
    assert f"port {port} of 127.0.0.1 cannot be listened on" in said
    assert "hint: --grpc-port N" in said


def test_a_bundle_and_a_project_at_once_are_refused(command: Command, built: Built) -> None:
    assert "give one of them" in command("reference", "serve", built.bundle, "--example", "digits").refused("EK104", 2)

"""`keys`: made, listed and trusted; encrypted, in an agent or in a token, and asked for what unlocks them."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from edgekit.cli.passphrase import ask
from tests.bundle.ssh_agent import add_to, lying_agent, running_agent
from tests.command_line import COMMAND, edgekit_here, environment
from tests.conftest import Built, Command

SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keys of this test alone, no agent, and nothing that an earlier test has typed."""
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "config"))
    for name in ("EDGEKIT_PASSPHRASE_FILE", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)
    ask.cache_clear()
    yield
    ask.cache_clear()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\nmore\n")
    path.chmod(0o600)
    return path


def test_keys_for_model_signing_are_made_listed_and_used_by_name(
    built: Built, places: dict[str, str], tmp_path: Path
) -> None:
    env = {"EDGEKIT_CONFIG": str(tmp_path / "config")}
    made = edgekit_here("keys", "new", "release", "--p256", "--json", env=env).document
    listed = edgekit_here("keys", "list", "--json", env=env).document["keys"]
    row = {"name": "release", "id": made["id"], "state": "own, for export --oms", "location": "file"}
    assert row in listed
    edgekit_here("keys", "trust", Path(places["EDGEKIT_CONFIG"]) / "keys" / "default.pub", env=env)
    exported = edgekit_here("export", built.bundle, "--out", tmp_path / "out", "--oms", "--oms-key", "release", env=env)
    assert exported.code == 0, exported.stderr
    verified = edgekit_here(
        "verify-source", tmp_path / "out", "--oms", tmp_path / "out" / "model.sig", "--key", made["public"]
    )
    assert verified.code == 0, verified.stderr
    refused = edgekit_here("export", built.bundle, "--oms", "--oms-key", "relase", env=env).refused("EK102", 2)
    assert "did you mean 'release'?" in refused


def _typed(*argv: object, answers: list[str], env: Mapping[str, str]) -> tuple[int, str]:
    """The command at a terminal where somebody types an answer to each question: its exit, and all that was shown."""
    ours, theirs = pty.openpty()
    typed = (*COMMAND, *map(str, argv))
    left, shown, until = list(answers), b"", time.monotonic() + 120
    process = subprocess.Popen(
        typed, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(env), start_new_session=True
    )
    os.close(theirs)
    try:
        while time.monotonic() < until:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                part = os.read(ours, 4096)
            except OSError:  # the terminal's other end is closed
                break
            shown += part
            if left and shown.endswith(b": "):
                # getpass drops what was typed before it asked, and asks only then.
                os.write(ours, left.pop(0).encode() + b"\n")
        return process.wait(timeout=60), shown.decode()
    finally:
        process.kill()
        os.close(ours)


def test_an_encrypted_key_is_made_used_and_listed_by_a_file(
    command: Command, secret: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command("keys", "new", "locked", "--encrypt").refused("EK307", 3)
    assert not (tmp_path / "config").exists()
    monkeypatch.setenv("EDGEKIT_PASSPHRASE_FILE", str(secret))
    made = command("keys", "new", "locked", "--encrypt")
    assert made.code == 0
    assert command("keys", "new", "open").code == 0
    rows = [line.split(maxsplit=3) for line in command("keys", "list").out.splitlines()[1:]]
    assert [(row[0], row[3]) for row in rows] == [("locked", "encrypted file"), ("open", "file")]
    pem = (tmp_path / "config" / "keys" / "locked.key").read_text()
    assert pem.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert SECRET not in pem + made.out + made.err


@pytest.mark.parametrize(
    ("content", "mode", "code"), [("", 0o600, "EK307"), ("x" * 1025, 0o600, "EK307"), ("x", 0o644, "EK100")]
)
def test_a_passphrase_file_that_will_not_do_is_refused(
    command: Command, secret: Path, monkeypatch: pytest.MonkeyPatch, content: str, mode: int, code: str
) -> None:
    secret.write_text(content)
    secret.chmod(mode)
    monkeypatch.setenv("EDGEKIT_PASSPHRASE_FILE", str(secret))
    ended = command("keys", "new", "locked", "--encrypt")
    assert f"error {code}:" in ended.err
    secret.unlink()
    assert "error EK503:" in command("keys", "new", "locked", "--encrypt").err


def test_a_passphrase_is_typed_at_the_terminal_and_not_shown(tmp_path: Path) -> None:
    env = {"EDGEKIT_CONFIG": str(tmp_path / "config"), "TERM": "dumb"}
    code, shown = _typed("keys", "new", "locked", "--encrypt", answers=[SECRET, SECRET + "x"], env=env)
    assert code == 3
    assert "EK307: the two passphrases differ" in shown
    code, shown = _typed("keys", "new", "locked", "--encrypt", answers=[SECRET, SECRET], env=env)
    assert code == 0, shown
    assert SECRET not in shown
    (tmp_path / "config" / "keys" / "locked.pub").unlink()
    code, shown = _typed("device", "trust", "local:///nowhere", "--key", "locked", answers=["wrong"], env=env)
    assert code == 3
    assert "EK307: that is not the passphrase" in shown


def test_a_pipe_gives_the_passphrase(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    out, into = os.pipe()
    os.write(into, b"from a pipe\n")
    monkeypatch.setenv("EDGEKIT_PASSPHRASE_FILE", f"/dev/fd/{out}")
    try:
        assert command("keys", "new", "locked", "--encrypt").code == 0
    finally:
        os.close(out)
        os.close(into)


def test_keys_of_an_agent_are_listed_named_and_trusted(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with running_agent() as address:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        path = add_to(address, tmp_path, "release")
        (row,) = command("keys", "list").out.splitlines()[1:]
        assert row.endswith("not used yet  agent:release")
        assert command("keys", "trust", path).out == f"trusted {row.split()[0]}\n"
        assert command("keys", "list").out.splitlines()[1].endswith("trusted  agent:release")
        assert command("keys", "add", "build", "agent:release").code == 0
        assert command("keys", "list").out.split()[4:] == ["build", row.split()[0], "own", "agent:release"]
        command("keys", "add", "other", "release").refused("EK104", 2)
        command("keys", "add", "other", "agent:relaese").refused("EK308", 3)
    with lying_agent(b"\xff" * 9) as address:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        ended = command("keys", "list")
        assert ended.code == 0
        assert "makes no sense" in ended.err
        assert "build" in ended.out


def test_a_key_that_cannot_sign_is_told_before_anything_is_built(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small: Path
) -> None:
    with running_agent() as address:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        add_to(address, tmp_path, "release", "ed25519", "-c")  # each use must be confirmed, and nobody does
        argv = ("build", "--project", small, "--target", "host", "--out", tmp_path / "out", "--key", "agent:release")
        command(*argv).refused("EK308", 3)
        assert not (tmp_path / "out").exists()


def test_keys_are_made_listed_and_trusted(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "mine"))
    none = command("keys", "list")
    assert (none.code, none.out) == (0, "")
    assert "edgekit keys new" in none.err

    name, identity, public = command("keys", "new", "work").out.strip().split(maxsplit=2)
    assert name == "work"
    assert identity.startswith("ed25519:")
    assert [row.split() for row in command("keys", "list").out.splitlines()[1:]] == [["work", identity, "own", "file"]]

    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "theirs"))
    assert command("keys", "trust", public).out == f"trusted {identity}\n"
    assert [row.split() for row in command("keys", "list").out.splitlines()[1:]] == [[identity, "trusted"]]


def test_a_key_is_never_replaced(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path))
    command("keys", "new", "work")
    before = {path: path.read_bytes() for path in tmp_path.rglob("work.*")}
    assert "there is a key 'work' already" in command("keys", "new", "work").refused("EK100", 2)
    assert {path: path.read_bytes() for path in tmp_path.rglob("work.*")} == before


@pytest.mark.parametrize("name", ["../work", "", ".hidden", "a b"])
def test_a_key_s_name_is_a_plain_one(command: Command, name: str) -> None:
    assert "cannot be the name of a key" in command("keys", "new", "--", name).refused("EK100", 2)


def test_only_a_public_key_can_be_trusted(command: Command, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pub"
    assert f"there is no file '{nothing}'" in command("keys", "trust", nothing).refused("EK100", 2)
    nothing.write_text("-----BEGIN\n")
    assert "is no public key" in command("keys", "trust", nothing).refused("EK100", 2)

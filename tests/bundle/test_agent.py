"""Keys in an SSH agent: a real one, and others that lie."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgekit.bundle import agent
from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.key_uri import key_at
from edgekit.bundle.keys import KeyStore
from edgekit.bundle.manifest import ManifestContent
from edgekit.bundle.passphrase import from_file
from edgekit.bundle.signing import PublicKey, SigningKey
from edgekit.errors import KeyUnreachable, UsageError
from tests.bundle.ssh_agent import add_to, lying_agent, running_agent


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with running_agent() as address:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        yield address


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def _listed(*keys: tuple[bytes, bytes]) -> bytes:
    body = b"".join(_framed(blob) + _framed(comment) for blob, comment in keys)
    return _framed(bytes([agent.LISTED]) + len(keys).to_bytes(4, "big") + body)


def _blob(key: SigningKey) -> bytes:
    return _framed(b"ssh-ed25519") + _framed(key.public.raw)


def test_a_key_in_an_agent_signs_a_bundle_and_does_so_again_to_the_same_bytes(
    address: Path, tmp_path: Path, description: ManifestContent, files: dict[str, bytes]
) -> None:
    public = PublicKey.from_pem(add_to(address, tmp_path, "release").read_bytes(), "there")
    add_to(address, tmp_path, "other", "ecdsa")
    key = key_at("agent:release", from_file)
    assert key.public == public
    bundles = [pack(description, files, key, tmp_path / f"{i}.edgekit") for i in range(2)]
    assert bundles[0].digest == bundles[1].digest
    assert Bundle.open(bundles[0].path, [public]).signers == (public,)


def test_it_is_found_by_comment_fingerprint_id_or_alone(address: Path, tmp_path: Path) -> None:
    path = add_to(address, tmp_path, "one")
    shown = subprocess.run(["ssh-keygen", "-lf", path], check=True, capture_output=True, text=True).stdout.split()[1]
    keys_there = key_at("agent:", from_file).public
    assert [key_at(f"agent:{name}", from_file).public for name in ("one", shown, keys_there.id)] == [keys_there] * 3
    add_to(address, tmp_path, "two")
    with pytest.raises(KeyUnreachable, match="several such keys"):
        key_at("agent:", from_file)
    with pytest.raises(KeyUnreachable, match="no Ed25519 key 'tow'") as caught:
        key_at("agent:tow", from_file)
    assert caught.value.hint == "did you mean 'agent:two'?"


def test_a_named_key_signs_and_is_revoked_like_any_other(address: Path, tmp_path: Path) -> None:
    add_to(address, tmp_path, "release")
    store = KeyStore(tmp_path / "keys")
    key = store.add("build", "agent:release")
    assert store.list() == {"build": key.public}
    assert store.location("build") == "agent:release"
    assert store.trusted() == (key.public,)
    assert store.get("build").sign(b"text") == store.get("agent:release").sign(b"text")
    makers: tuple[Callable[[], object], ...] = (
        lambda: store.new("build"),
        lambda: store.add("build", "agent:release"),
    )
    for make in makers:
        with pytest.raises(UsageError, match="there is a key 'build' already"):
            make()
    store.revoke("build")
    for name in ("build", "agent:release"):
        with pytest.raises(UsageError, match="was revoked"):
            store.get(name)


def test_what_a_uri_names_is_trusted_from_then_on(address: Path, tmp_path: Path) -> None:
    add_to(address, tmp_path, "release")
    store = KeyStore(tmp_path / "keys")
    assert store.trusted() == ()
    assert (store.public("agent:release"),) == store.trusted()
    assert (store.get("agent:release").public,) == store.trusted()


def test_a_name_is_not_moved_to_another_key_by_the_agent(address: Path, tmp_path: Path) -> None:
    add_to(address, tmp_path, "release")
    store = KeyStore(tmp_path / "keys")
    store.add("build", "agent:")
    subprocess.run(["ssh-add", "-qD"], check=True, capture_output=True, env={"SSH_AUTH_SOCK": str(address)})
    add_to(address, tmp_path, "stranger")
    with pytest.raises(UsageError, match="is not the public half"):
        store.get("build")


def test_an_agent_that_is_locked_empty_or_gone_is_told(
    address: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_to(address, tmp_path, "release")
    key = key_at("agent:release", from_file)
    subprocess.run(["ssh-add", "-qD"], check=True, capture_output=True, env={"SSH_AUTH_SOCK": str(address)})
    with pytest.raises(KeyUnreachable, match="did not sign with 'release'"):
        key.sign(b"text")
    with pytest.raises(KeyUnreachable, match="no Ed25519 key 'release'"):
        key_at("agent:release", from_file)
    for value, said in ((str(tmp_path / "gone"), "cannot be reached"), ("x" * 200, "cannot be reached")):
        monkeypatch.setenv("SSH_AUTH_SOCK", value)
        with pytest.raises(KeyUnreachable, match=said):
            key_at("agent:release", from_file)
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(KeyUnreachable, match="SSH_AUTH_SOCK is not set"):
        key_at("agent:release", from_file)


def test_a_manifest_that_an_agent_cannot_take_is_told(address: Path, tmp_path: Path) -> None:
    add_to(address, tmp_path, "release")
    key = key_at("agent:release", from_file)
    largest = agent.MAX_BYTES - 64  # beside the message: the verb, the key, two lengths and the flags
    assert len(key.sign(bytes(largest))) == 64
    with pytest.raises(KeyUnreachable, match="signs at most"):
        key.sign(bytes(largest + 1))


def test_an_agent_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for answers in (b"", _framed(b"x" * 10)[:8]):
        with lying_agent(answers, hang=True) as address:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
            with pytest.raises(KeyUnreachable, match="did not answer within"):
                agent.agent_keys(limit_s=0.2)


def test_an_agent_that_signs_with_another_key_is_noticed(
    monkeypatch: pytest.MonkeyPatch, key: SigningKey, other_key: SigningKey
) -> None:
    signature = _framed(_framed(b"ssh-ed25519") + _framed(other_key.sign(b"text")))
    with lying_agent(_listed((_blob(key), b"a\x1b[2Jb\n")), _framed(bytes([agent.SIGNED]) + signature)) as address:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        held = key_at("agent:", from_file)
        assert held.public == key.public
        with pytest.raises(KeyUnreachable, match="gave another signature"):
            held.sign(b"text")


def test_what_an_agent_says_is_shown_without_control_characters(
    monkeypatch: pytest.MonkeyPatch, key: SigningKey
) -> None:
    with lying_agent(_listed((_blob(key), b"a\x1b[2Jb\n\xff\xe2\x80\xae"))) as address:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        (held,) = agent.agent_keys()
        assert held.comment.isprintable()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        bytes(4),
        b"\xff" * 4,
        _framed(b"\x0c" + b"\xff" * 4),
        _framed(bytes([agent.LISTED]) + bytes([0, 0, 0, 1])),
        _framed(bytes([agent.LISTED]) + bytes([0, 0, 0, 1]) + b"\xff" * 8),
        _listed((_framed(b"ssh-ed25519"), b"no key in it")),
        _listed((_framed(b"ssh-ed25519") + b"\0\0\0\x20", b"cut short")),
        _framed(bytes([agent.FAILURE])),
    ],
)
def test_an_answer_that_makes_no_sense_is_an_error_of_its_own(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with lying_agent(answer) as address:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        with pytest.raises(KeyUnreachable):
            agent.agent_keys()


def test_of_a_thousand_damaged_answers_none_gives_a_traceback(monkeypatch: pytest.MonkeyPatch, key: SigningKey) -> None:
    choose, whole = random.Random(13), _listed((_blob(key), b"comment"), (_framed(b"ssh-rsa") + bytes(300), b"rsa"))
    answers = []
    for _ in range(1000):
        changed = bytearray(whole)
        for _ in range(choose.randrange(1, 4)):
            changed[choose.randrange(len(changed))] = choose.randrange(256)
        answers.append(bytes(changed[: choose.randrange(len(changed))] if choose.random() < 0.2 else changed))
    refused = 0
    with lying_agent(*answers) as address:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        for _ in answers:
            try:
                keys_there = agent.agent_keys()
            except KeyUnreachable:
                refused += 1
            else:
                assert all(len(held.public.raw) == 32 and held.comment.isprintable() for held in keys_there)
    assert refused > 200

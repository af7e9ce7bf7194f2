"""The key store: private files, names, trust, and two processes at once."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from edgekit.bundle.keys import KeyStore
from edgekit.bundle.signing import PublicKey, SigningKey
from edgekit.errors import KeyUnreachable, StorageError, UnknownName, UnprotectedFile, UsageError

MAKE_DEFAULT = """
import sys
from pathlib import Path
from edgekit.bundle.keys import KeyStore
sys.stdin.readline()
key, made = KeyStore(Path(sys.argv[1])).default()
print(key.id, made)
"""


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "config" / "keys")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_key_is_kept_for_its_owner_only(store: KeyStore) -> None:
    key = store.new("release")
    assert {path.name: mode(path) for path in store.root.iterdir()} == {"release.key": 0o600, "release.pub": 0o600}
    assert store.get("release").public == key.public
    assert store.get("release").sign(b"x") == key.sign(b"x")


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_all_of_it_is_its_owners_alone_whatever_the_umask(store: KeyStore, tmp_path: Path, umask: int) -> None:
    friend = KeyStore(tmp_path / "friend" / "keys")
    friend.new("friend")
    before = os.umask(umask)
    try:
        store.new("release")
        store.trust(friend.root / "friend.pub")
        store.revoke("release")
    finally:
        os.umask(before)
    everything = [store.root.parent, *store.root.parent.rglob("*")]
    assert len(everything) == 8
    assert {mode(path) for path in everything if path.is_dir()} == {0o700}
    assert {mode(path) for path in everything if path.is_file()} == {0o600}


@pytest.mark.parametrize("bits", [0o020, 0o002, 0o1022])
@pytest.mark.parametrize("folder", ["", "keys", "keys/trusted", "keys/revoked"])
def test_a_folder_of_keys_that_others_can_write_to_is_refused(store: KeyStore, folder: str, bits: int) -> None:
    """Whoever can put a file there says whom to believe."""
    for name in ("trusted", "revoked"):
        (store.root / name).mkdir(parents=True, mode=0o700, exist_ok=True)
    open_folder = store.root.parent / folder
    open_folder.chmod(0o700 | bits)
    with pytest.raises(UnprotectedFile, match="others can write to") as caught:
        KeyStore(store.root)
    assert caught.value.hint == f"chmod go-w '{open_folder}'"
    open_folder.chmod(0o755)
    assert KeyStore(store.root).list() == {}


def test_a_key_is_never_overwritten(store: KeyStore) -> None:
    first = store.new("release")
    with pytest.raises(UsageError, match="there is a key 'release' already"):
        store.new("release")
    assert store.get("release").public == first.public
    assert len(list(store.root.iterdir())) == 2


def test_an_unknown_name_gets_the_nearest(store: KeyStore) -> None:
    with pytest.raises(UnknownName, match="no key is named 'release'") as caught:
        store.get("release")
    assert caught.value.hint == "edgekit keys new release"
    store.new("release")
    with pytest.raises(UnknownName) as caught:
        store.get("relaese")
    assert caught.value.hint == "did you mean 'release'?"


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "a\0b", "-x", ".hidden", "a b", "ä", "a\n", "x" * 65])
def test_a_name_that_cannot_be_a_file_is_refused(store: KeyStore, name: str) -> None:
    for use in (store.new, store.get):
        with pytest.raises(UsageError, match="cannot be the name of a key"):
            use(name)
    assert not store.root.exists()


@pytest.mark.parametrize("bits", [0o040, 0o004, 0o020, 0o666])
def test_a_private_key_that_others_can_reach_is_refused(store: KeyStore, bits: int) -> None:
    store.new("release")
    path = store.root / "release.key"
    path.chmod(0o600 | bits)
    with pytest.raises(UsageError, match="others can read the private key") as caught:
        store.get("release")
    assert caught.value.hint == f"chmod 600 '{path}'"
    path.chmod(0o400)
    assert store.get("release").id


def test_a_key_file_that_holds_something_else_is_named(store: KeyStore) -> None:
    store.new("release")
    (store.root / "release.key").write_bytes(b"-----BEGIN PRIVATE KEY-----\nhello\n-----END PRIVATE KEY-----\n")
    with pytest.raises(UsageError, match=r"release\.key' is no private key"):
        store.get("release")
    (store.root / "trusted").mkdir()
    (store.root / "trusted" / "friend.pub").write_bytes(b"hello")
    with pytest.raises(UsageError, match=r"friend\.pub' is no public key"):
        store.trusted()


def test_a_public_half_that_was_lost_is_written_again(store: KeyStore) -> None:
    key = store.new("release")
    (store.root / "release.pub").unlink()
    assert store.list() == {"release": key.public}
    assert store.trusted() == (key.public,)


def test_a_public_half_that_was_lost_is_that_of_the_secret_one(store: KeyStore) -> None:
    key = store.new("release")
    (store.root / "release.pub").unlink()
    assert store.public("release") == key.public


def test_a_place_that_is_no_text_is_named_without_what_cannot_be_read(store: KeyStore) -> None:
    store.new("other")
    path = store.root / "release.uri"
    path.write_bytes(b"agent:\xff")
    path.chmod(0o600)
    assert store.location("release") == "agent:\ufffd"
    with pytest.raises(KeyUnreachable, match="SSH_AUTH_SOCK is not set"):
        store.get("release")


def test_no_more_than_64_kib_of_a_key_file_is_read(store: KeyStore, other_key: SigningKey, tmp_path: Path) -> None:
    path, pem = tmp_path / "friend.pub", other_key.public.to_pem()
    path.write_bytes(b"\n" * ((1 << 16) - len(pem)) + pem)
    assert store.public(str(path)) == other_key.public
    path.write_bytes(b"\n" * (1 << 16) + pem)
    with pytest.raises(UsageError, match="is no public key"):
        store.public(str(path))


def test_halves_that_do_not_belong_together_are_refused(store: KeyStore, other_key: SigningKey) -> None:
    store.new("release")
    (store.root / "release.pub").write_bytes(other_key.public.to_pem())
    with pytest.raises(UsageError, match="is not the public half of"):
        store.get("release")


def test_a_name_whose_secret_was_lost_is_not_given_away(store: KeyStore) -> None:
    key, _ = store.default()
    (store.root / "default.key").unlink()
    for make in (store.default, lambda: store.new("default")):
        with pytest.raises(UsageError, match="has lost its private key"):
            make()
    assert store.trusted() == (key.public,)


def test_own_keys_and_those_of_others_are_trusted(store: KeyStore, tmp_path: Path) -> None:
    assert store.trusted() == ()
    friend = KeyStore(tmp_path / "friend")
    theirs = friend.new("theirs")
    ours = store.new("ours")
    assert store.trust(friend.root / "theirs.pub") == theirs.public
    assert store.trust(friend.root / "theirs.pub") == theirs.public
    assert set(store.trusted()) == {ours.public, theirs.public}
    assert len(store.trusted()) == 2
    assert store.list() == {"ours": ours.public}


def test_a_revoked_key_is_neither_believed_nor_signs(store: KeyStore, other_key: SigningKey, tmp_path: Path) -> None:
    own, kept = store.new("own"), store.new("kept")
    path = tmp_path / "theirs.pub"
    path.write_bytes(other_key.public.to_pem())
    store.trust(path)
    assert store.revoke("own") == own.id
    assert store.revoke(other_key.id) == other_key.id
    assert store.revoke(other_key.id) == other_key.id, "once more changes nothing"
    assert store.trusted() == (kept.public,)
    store.trust(path)
    assert store.trusted() == (kept.public,), "to trust it anew does not bring it back"
    with pytest.raises(UsageError, match=f"'own' \\({own.id}\\) was revoked"):
        store.get("own")
    with pytest.raises(UnknownName) as at:
        store.revoke("kep")
    assert "kept" in (at.value.hint or "")


def test_only_a_public_key_can_be_trusted(store: KeyStore, tmp_path: Path) -> None:
    friend = KeyStore(tmp_path / "friend")
    friend.new("theirs")
    with pytest.raises(UsageError, match="is a private key"):
        store.trust(friend.root / "theirs.key")
    with pytest.raises(UsageError, match="there is no file"):
        store.trust(tmp_path / "nowhere.pub")
    with pytest.raises(UsageError, match="there is no file"):
        store.trust(tmp_path)
    assert store.trusted() == ()


def test_the_default_key_is_made_once(store: KeyStore) -> None:
    first, made = store.default()
    assert made
    second, made = store.default()
    assert not made
    assert first.public == second.public


def test_processes_that_make_the_default_key_at_once_agree(store: KeyStore) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE_DEFAULT, store.root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in processes]
    assert len({key for key, _ in answers}) == 1
    assert sorted(made for _, made in answers) == ["False", "False", "False", "True"]
    assert sorted(path.name for path in store.root.iterdir()) == ["default.key", "default.pub"]


def test_many_threads_agree_on_the_default_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for turn in range(20):
            store, start = KeyStore(tmp_path / f"{turn}"), Barrier(8)

            def ask(store: KeyStore = store, start: Barrier = start) -> tuple[str, bool]:
                start.wait()
                key, made = store.default()
                assert store.trusted() == (key.public,)
                return key.id, made

            answers = [future.result() for future in [pool.submit(ask) for _ in range(8)]]
            assert len({key for key, _ in answers}) == 1
            assert sum(made for _, made in answers) == 1


def test_a_store_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "config").touch()
    with pytest.raises(StorageError, match="may not be written"):
        KeyStore(tmp_path / "config" / "keys").default()


def test_the_users_store_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "here"))
    assert KeyStore.of_user().root == tmp_path / "here" / "keys"
    monkeypatch.delenv("EDGEKIT_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert KeyStore.of_user().root.name == "keys"
    assert KeyStore.of_user().root.parent.name == "edgekit"


def test_a_key_of_small_order_is_trusted_by_no_way(store: KeyStore, tmp_path: Path) -> None:
    neutral = PublicKey((1).to_bytes(32, "little"))
    path = tmp_path / "neutral.pub"
    path.write_bytes(neutral.to_pem())
    with pytest.raises(UsageError, match="no key that signs"):
        store.trust(path)
    assert store.trusted() == ()
    (store.root / "trusted").mkdir(parents=True)
    path.rename(store.root / "trusted" / "neutral.pub")
    with pytest.raises(UsageError, match="no key that signs"):
        store.trusted()

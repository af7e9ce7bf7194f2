"""States of keys in the list of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.api.keys import ListedKey, list_keys
from edgekit.bundle.agent import AgentKey
from edgekit.bundle.keys import KeyStore
from edgekit.bundle.signing import PublicKey, SigningKey


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys")


def _public() -> PublicKey:
    return SigningKey.generate().public


def _trusted(store: KeyStore, key: PublicKey, folder: Path) -> PublicKey:
    file = folder / f"{key.id.rpartition(':')[2]}.pub"
    file.write_bytes(key.to_pem())
    return store.trust(file)


def test_no_keys_are_an_empty_list(store: KeyStore) -> None:
    assert list_keys(store) == ()


def test_every_key_is_listed_once_with_its_state(store: KeyStore, tmp_path: Path) -> None:
    own, withdrawn = store.new("release").public, store.new("withdrawn").public
    store.revoke("withdrawn")
    theirs, refused, fresh = (_trusted(store, _public(), tmp_path), _public(), _public())
    _trusted(store, refused, tmp_path)
    store.revoke(refused.id)
    agent_keys = [AgentKey(theirs, "theirs", ""), AgentKey(fresh, "fresh", "")]
    assert list_keys(store, agent_keys) == (
        ListedKey("release", own.id, "own", "file"),
        ListedKey("withdrawn", withdrawn.id, "revoked", "file"),
        ListedKey("", theirs.id, "trusted", "agent:theirs"),
        ListedKey("", refused.id, "revoked", ""),
        ListedKey("", fresh.id, "not used yet", "agent:fresh"),
    )

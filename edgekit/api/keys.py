"""Listing of keys: the user's own, those of the SSH agent, and those that are trusted or revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgekit.bundle.agent import SCHEME, AgentKey
from edgekit.bundle.keys import KeyStore

KeyState = Literal["own", "trusted", "revoked", "not used yet"]
"""State of a key for edgekit; `not used yet` is a key of the SSH agent that edgekit has no record of."""


@dataclass(frozen=True)
class ListedKey:
    """One key as `list_keys` describes it."""

    name: str
    """Name of the user's own key; empty for any other."""
    id: str
    state: KeyState
    location: str
    """Location of the private half: `file`, `encrypted file`, or a URI; empty if it lies elsewhere."""


def list_keys(store: KeyStore, agent_keys: Sequence[AgentKey] = ()) -> tuple[ListedKey, ...]:
    """List every key that is known: own keys first, then trusted ones, revoked ones, and the rest of the agent's.

    agent_keys: keys that the SSH agent holds. Raises StorageError.
    """
    own, revoked = store.list(), store.revoked()
    uris = {key.public: f"{SCHEME}{key.comment}" for key in agent_keys}
    listed = [
        ListedKey(name, key.id, "revoked" if key.id in revoked else "own", store.location(name))
        for name, key in own.items()
    ]
    others = [key for key in store.trusted() if key not in own.values()]
    listed += [ListedKey("", key.id, "trusted", uris.get(key, "")) for key in others]
    listed += [ListedKey("", id, "revoked", "") for id in sorted(revoked - {key.id for key in own.values()})]
    ids = {key.id for key in listed}
    listed += [ListedKey("", key.id, "not used yet", uri) for key, uri in uris.items() if key.id not in ids]
    return tuple(listed)

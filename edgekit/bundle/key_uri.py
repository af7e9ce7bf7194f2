"""URIs of signing keys that are in no file: `agent:…` (an SSH agent) and `pkcs11:…` (a token)."""

from __future__ import annotations

from edgekit.bundle import agent, pkcs11
from edgekit.bundle.passphrase import Passphrase
from edgekit.bundle.signing import PublicKey, SigningKey

SCHEMES = (agent.SCHEME, pkcs11.SCHEME)


def is_uri(name: str) -> bool:
    return name.startswith(SCHEMES)


def key_at(uri: str, passphrase: Passphrase, public: PublicKey | None = None) -> SigningKey:
    """Find the key that `uri` names.

    passphrase: called for a token's PIN at each signature. public: the public half if known; else a token is asked for
    it. Raises UsageError for a URI that is wrong, KeyUnreachable, KeyLocked, MissingExtra.
    """
    if uri.startswith(agent.SCHEME):
        held = agent.find_key(uri.removeprefix(agent.SCHEME))
        return SigningKey(held.public, held)
    token = pkcs11.TokenKey.parse(uri, passphrase)
    return SigningKey(public or token.public(), token)

"""Signing keys in an SSH agent, by its protocol (draft-ietf-sshm-ssh-agent): the private half stays there.

With an ssh-ed25519 key (RFC 8709) an agent signs the very bytes that it is given, so that its signature is a plain
Ed25519 one. A manifest begins with `{`, and can be mistaken for nothing that SSH has signed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from edgekit.bundle.signing import PublicKey
from edgekit.errors import KeyUnreachable, suggest

SCHEME = "agent:"
KIND = b"ssh-ed25519"
FAILURE, LIST, LISTED, SIGN, SIGNED = 5, 11, 12, 13, 14
MAX_BYTES = 256 << 10
"""Largest size of a request and of an answer: the limit of OpenSSH's agent."""
LIST_S = 10.0
SIGN_S = 60.0
"""Time limit of a signature in seconds: a person may have to confirm it."""


@dataclass(frozen=True)
class AgentKey:
    """An Ed25519 key that an agent holds: a `bundle.signing.Secret`."""

    public: PublicKey
    comment: str
    """Comment of the key, by which its owner names it; control characters are replaced."""
    address: str
    """The agent's socket."""

    @property
    def fingerprint(self) -> str:
        """Fingerprint as `ssh-add -l` shows it."""
        digest = hashlib.sha256(_blob(self.public)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    def sign(self, message: bytes, /) -> bytes:
        """Sign by the agent: 64 bytes. Raises KeyUnreachable within SIGN_S."""
        request = bytes([SIGN]) + _string(_blob(self.public)) + _string(message) + bytes(4)
        if len(request) > MAX_BYTES:
            raise KeyUnreachable(
                f"the manifest has {len(message)} bytes, and an SSH agent signs at most {MAX_BYTES}",
                hint="sign it with a key in a file or in a token: --key NAME",
            )
        answer = _ask(self.address, request, SIGN_S)
        if answer[0] != SIGNED:
            raise KeyUnreachable(
                f"the SSH agent did not sign with '{self.comment}'",
                hint="is it locked (ssh-add -X), or was it refused?",
            )
        (signed,) = _strings(answer[1:], 1)
        kind, signature = _strings(signed, 2)
        if kind != KIND:
            raise _senseless()
        return signature


def agent_keys(limit_s: float = LIST_S) -> tuple[AgentKey, ...]:
    """List the Ed25519 keys of the agent at SSH_AUTH_SOCK. Raises KeyUnreachable, within `limit_s`, without one."""
    address = os.environ.get("SSH_AUTH_SOCK")
    if not address:
        raise KeyUnreachable("there is no SSH agent: SSH_AUTH_SOCK is not set", hint='eval "$(ssh-agent)"; ssh-add')
    answer = _ask(address, bytes([LIST]), limit_s)
    if answer[0] != LISTED:
        raise KeyUnreachable("the SSH agent does not list its keys", hint="ssh-add -l")
    fields = _strings(answer[5:], 2 * int.from_bytes(answer[1:5], "big"))
    pairs = zip(fields[::2], fields[1::2], strict=True)
    return tuple(AgentKey(key, _text(comment), address) for blob, comment in pairs if (key := _public(blob)))


def find_key(name: str) -> AgentKey:
    """Find the agent's key of that comment, fingerprint or id; its only one if the name is empty.

    Raises KeyUnreachable.
    """
    keys = agent_keys()
    matches = [key for key in keys if name in ("", key.comment, key.fingerprint, key.public.id)]
    if len(matches) == 1:
        return matches[0]
    known = [f"{SCHEME}{key.comment}" for key in keys]
    if matches:
        ids = " ".join(key.public.id for key in matches)
        raise KeyUnreachable(
            f"the SSH agent has several such keys: {ids}", hint=f"--key {SCHEME}{matches[0].public.id}"
        )
    hint = suggest(SCHEME + name, known, "ssh-add FILE; edgekit keys list shows what it has")
    raise KeyUnreachable(f"the SSH agent has no Ed25519 key '{name}'", hint=hint)


def _public(blob: bytes) -> PublicKey | None:
    """Parse a key in an agent's list; None for another kind of key: one in a FIDO token, say, signs other bytes."""
    if not blob.startswith(_string(KIND)):
        return None
    _, raw = _strings(blob, 2)
    return PublicKey(raw) if len(raw) == 32 else None


def _ask(address: str, request: bytes, limit_s: float) -> bytes:
    """Send a request to the agent, and return its answer, at least one byte. Raises KeyUnreachable."""
    deadline = time.monotonic() + limit_s
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(limit_s)
            link.connect(address)
            link.sendall(_string(request))
            size = int.from_bytes(_received(link, 4, deadline), "big")
            if not 0 < size <= MAX_BYTES:
                raise _senseless()
            return _received(link, size, deadline)
    except TimeoutError as error:
        raise KeyUnreachable(f"the SSH agent did not answer within {limit_s:.0f} s", hint="ssh-add -l") from error
    except (OSError, ValueError) as error:  # ValueError: an address with a NUL
        raise KeyUnreachable(f"the SSH agent at '{address}' cannot be reached: {error}", hint="ssh-add -l") from error


def _received(link: socket.socket, size: int, deadline: float) -> bytes:
    content = b""
    while len(content) < size:
        link.settimeout(max(0.001, deadline - time.monotonic()))
        part = link.recv(size - len(content))
        if not part:
            raise _senseless()
        content += part
    return content


def _blob(key: PublicKey) -> bytes:
    return _string(KIND) + _string(key.raw)


def _string(content: bytes) -> bytes:
    """Encode a string as in RFC 4251, section 5."""
    return len(content).to_bytes(4, "big") + content


def _strings(raw: bytes, count: int) -> list[bytes]:
    """Decode exactly `count` strings. Raises KeyUnreachable."""
    strings = list(_read(raw))
    if len(strings) != count:
        raise _senseless()
    return strings


def _read(raw: bytes) -> Iterator[bytes]:
    while raw:
        end = 4 + int.from_bytes(raw[:4], "big")
        if not 4 <= end <= len(raw):
            raise _senseless()
        yield raw[4:end]
        raw = raw[end:]


def _text(comment: bytes) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in comment.decode("utf-8", "replace"))


def _senseless() -> KeyUnreachable:
    return KeyUnreachable("the SSH agent's answer makes no sense", hint="ssh-add -l")

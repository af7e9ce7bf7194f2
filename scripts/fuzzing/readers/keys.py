"""Readers of keys, signatures, and what says whom to believe."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgekit.bundle import agent
from edgekit.bundle.pkcs11 import TokenKey
from edgekit.bundle.signing import PublicKey, SigningKey, check_signature, signer_ids, write_signature
from edgekit.devices.known_hosts import KnownHosts
from scripts.fuzzing.readers.reader import Reader, Readers, text_of

KEY = SigningKey.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = SigningKey.of(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
MESSAGE = b"{}\n"
TOKEN = b"pkcs11:token=build;object=release?module-path=/usr/lib/softhsm/libsofthsm2.so"


def readers(folder: Path) -> Readers:
    openssh = (
        Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        .public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    )
    signatures = b"".join(sorted(write_signature(key, MESSAGE) for key in (KEY, OTHER)))
    return {
        "public key": Reader(lambda path: PublicKey.from_pem(path.read_bytes(), "it"), (KEY.public.to_pem(), openssh)),
        "private key": Reader(
            lambda path: SigningKey.from_pem(path.read_bytes(), "it", lambda what: b"secret"), (KEY.to_pem(),)
        ),
        "signatures": Reader(_checked, (signatures,)),
        "agent's list": Reader(lambda path: _asked(path, agent.agent_keys), (_listed(),)),
        "agent's signature": Reader(lambda path: _asked(path, _signed), (_signature(),)),
        "token's address": Reader(lambda path: TokenKey.parse(text_of(path), lambda what: b""), (TOKEN,)),
        "known hosts": Reader(_hosts, (b"[pi]:22 ssh-ed25519 " + openssh.split()[1] + b"\n",)),
    }


def _checked(path: Path) -> object:
    raw = path.read_bytes()
    return signer_ids(raw), check_signature(raw, MESSAGE, [KEY.public])


def _hosts(path: Path) -> object:
    return [(key.name, key.fingerprint, key.line) for key in KnownHosts(path).all()]


def _string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def _blob() -> bytes:
    return _string(agent.KIND) + _string(KEY.public.raw)


def _listed() -> bytes:
    return _string(bytes([agent.LISTED]) + (1).to_bytes(4, "big") + _string(_blob()) + _string(b"release"))


def _signature() -> bytes:
    return _string(bytes([agent.SIGNED]) + _string(_string(agent.KIND) + _string(KEY.sign(MESSAGE))))


def _signed() -> bytes:
    held = agent.AgentKey(KEY.public, "release", os.environ["SSH_AUTH_SOCK"])
    return SigningKey(KEY.public, held).sign(MESSAGE)


def _asked(path: Path, ask: Callable[[], object]) -> object:
    """Result of `ask` with an SSH agent that answers with the file and hangs up."""
    with socket.socket(socket.AF_UNIX) as listening:
        address = path.with_name("agent")
        address.unlink(missing_ok=True)
        listening.bind(str(address))
        listening.listen()
        os.environ["SSH_AUTH_SOCK"] = str(address)
        thread = threading.Thread(target=_answer, args=(listening, path.read_bytes()))
        thread.start()
        try:
            return ask()
        finally:
            thread.join()


def _answer(listening: socket.socket, answer: bytes) -> None:
    link, _ = listening.accept()
    with link:
        link.recv(1 << 16)
        try:
            link.sendall(answer)
        except OSError:
            return

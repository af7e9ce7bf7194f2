"""Signing keys in a PKCS #11 token, such as a smart card, named by a URI (RFC 7512). The private half stays there.

`pkcs11:token=build;object=release?module-path=/usr/lib/softhsm/libsofthsm2.so`
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from edgekit.bundle.passphrase import Passphrase
from edgekit.bundle.signing import PublicKey
from edgekit.errors import KeyLocked, KeyUnreachable, MissingExtra, UsageError
from edgekit.errors.extras import extra_hint

SCHEME = "pkcs11:"
MODULE = "EDGEKIT_PKCS11_MODULE"
LIMIT_S = 60.0
"""Time limit of the token's module in seconds: a person may have to touch the token."""
ATTRIBUTES = ("token", "serial", "object", "id", "type")
EXAMPLE = "pkcs11:token=TOKEN;object=KEY?module-path=/usr/lib/softhsm/libsofthsm2.so"


@dataclass(frozen=True)
class TokenKey:
    """An Ed25519 key in a token: a `bundle.signing.Secret`."""

    uri: str
    module: str
    """Path of the library of the token's maker. It runs in a process of its own, for at most LIMIT_S."""
    token: str | None
    serial: str | None
    object: str | None
    """The key's label."""
    id: bytes | None
    passphrase: Passphrase
    """Function that is called for the token's PIN, at every signature."""

    @classmethod
    def parse(cls, uri: str, passphrase: Passphrase) -> TokenKey:
        """Parse a URI. Raises UsageError for one that is wrong, or has a PIN in it: all users see command lines."""
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        try:
            written = _attributes(path, ";") | _attributes(query, "&")
            attributes = {name: value.decode() for name, value in written.items() if name != "id"}
        except UnicodeError as error:
            raise UsageError("the URI of a key in a token is not UTF-8", hint=EXAMPLE) from error
        if {"pin-value", "pin-source"} & written.keys():
            raise UsageError("a PIN is not named in a URI", hint="EDGEKIT_PASSPHRASE_FILE=FILE, or type it when asked")
        unknown = sorted(written.keys() - {*ATTRIBUTES, "module-path"})
        if unknown or not {"object", "id"} & written.keys():
            raise UsageError(f"'{unknown[0] if unknown else uri}' names no key in a token", hint=EXAMPLE)
        module = attributes.get("module-path") or os.environ.get(MODULE)
        if not module:
            raise UsageError("no PKCS #11 module is named", hint=f"{EXAMPLE}, or {MODULE}=FILE")
        token, serial, label = map(attributes.get, ("token", "serial", "object"))
        return cls(uri, module, token, serial, label, written.get("id"), passphrase)

    def public(self) -> PublicKey:
        """Read the public half, which most tokens show without PIN. Raises KeyUnreachable, KeyLocked, MissingExtra."""
        return PublicKey(bytes.fromhex(self._answer(None, None)))

    def sign(self, message: bytes, /) -> bytes:
        """Sign by the token: 64 bytes. Raises KeyUnreachable within LIMIT_S, KeyLocked for a wrong PIN."""
        pin = self.passphrase(f"the token '{self.token or self.serial or self.module}'")
        return bytes.fromhex(self._answer(pin, message))

    def _answer(self, pin: bytes | None, message: bytes | None) -> str:
        """Ask the token for hex digits: the signature of `message`, or the public key if that is None."""
        if importlib.util.find_spec("pkcs11") is None:
            raise MissingExtra("keys in tokens need 'python-pkcs11'", hint=extra_hint("pkcs11"))
        named = {"token": self.token, "serial": self.serial, "object": self.object, "id": self.id and self.id.hex()}
        secret = None if pin is None else pin.decode("utf-8", "surrogateescape")
        content = None if message is None else base64.b64encode(message).decode()
        answer = _asked({"module": self.module, **named, "pin": secret, "message": content})
        match answer:
            case {"hex": str(text)} if re.fullmatch("([0-9a-f]{2})+", text):
                return text
            case {"locked": str(why)}:
                raise KeyLocked(f"'{self.uri}': {why}", hint="a token locks itself after some wrong PINs: look first")
            case {"error": str(why)}:
                raise KeyUnreachable(f"'{self.uri}': {why}", hint=f"pkcs11-tool --module {self.module} --list-objects")
        raise KeyUnreachable(f"'{self.uri}': its module '{self.module}' gave no answer", hint="is it the right one?")


def _asked(question: dict[str, Any]) -> Any:
    """Ask a process that loads the module; None without an answer. The PIN goes through its standard input."""
    argv = [sys.executable, "-P", "-m", "edgekit.bundle.token_session"]
    try:
        ended = subprocess.run(
            argv,
            input=json.dumps(question).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=LIMIT_S,
        )
        return json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        return {"error": f"its module did not answer within {LIMIT_S:.0f} s"}
    except (ValueError, RecursionError):
        return None


def _attributes(text: str, separator: str) -> dict[str, bytes]:
    pairs = (part.partition("=") for part in text.split(separator))
    return {name: unquote_to_bytes(value) for name, _, value in pairs if value}

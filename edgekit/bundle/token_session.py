"""Process that loads a token's PKCS #11 module for one request: a module that hangs or crashes harms nothing else.

A question comes as JSON on standard input, the answer goes as JSON to standard output: `hex` (the signature, or the
public key where nothing is to be signed), `locked` or `error`.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from typing import Any

POINT_HEADER = b"\x04\x20"
"""Header in DER of a string of 32 bytes."""


def answer(question: dict[str, Any]) -> dict[str, str]:
    """Ask the token: `hex`, or `locked` or `error` with the reason."""
    import pkcs11
    from pkcs11 import exceptions

    try:
        return {"hex": _hex(question).hex()}
    except (exceptions.PinIncorrect, exceptions.PinInvalid, exceptions.PinLenRange):
        return {"locked": "the PIN is wrong"}
    except exceptions.PinLocked:
        return {"locked": "the token is locked, after too many wrong PINs"}
    except exceptions.UserNotLoggedIn:
        return {"locked": "the token shows this key only with its PIN"}
    except (pkcs11.PKCS11Error, LookupError, UnicodeError) as error:
        name = "" if type(error) is LookupError else f"{type(error).__name__}: "
        return {"error": f"{name}{error}".rstrip(": ")}


def _hex(question: dict[str, Any]) -> bytes:
    import pkcs11
    from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

    token = _token(pkcs11.lib(question["module"]), question["token"], question["serial"])
    id = question["id"] and bytes.fromhex(question["id"])
    named = {"key_type": KeyType.EC_EDWARDS, "label": question["object"], "id": id}
    with token.open(user_pin=question["pin"]) as session:
        if question["message"] is None:
            point = bytes(session.get_key(object_class=ObjectClass.PUBLIC_KEY, **named)[Attribute.EC_POINT])
            if len(point.removeprefix(POINT_HEADER)) != 32:
                raise LookupError("it is not an Ed25519 key")
            return point.removeprefix(POINT_HEADER)
        key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, **named)
        return bytes(key.sign(base64.b64decode(question["message"]), mechanism=Mechanism.EDDSA))


def _token(library: Any, label: str | None, serial: str | None) -> Any:
    """Find the one token of that label and serial number. Raises LookupError if there is none, or several."""
    from pkcs11 import TokenFlag

    named = {"token_label": label, "token_serial": serial and serial.encode()}
    tokens = [token for token in library.get_tokens(**named) if TokenFlag.TOKEN_INITIALIZED in token.flags]
    if len(tokens) != 1:
        names = ", ".join(token.label for token in tokens)
        raise LookupError(f"several tokens are called so: {names}" if tokens else "there is no such token")
    return tokens[0]


def main() -> None:
    out = os.dup(1)
    os.dup2(2, 1)  # a module may write what it likes
    os.write(out, json.dumps(answer(json.load(sys.stdin))).encode())


if __name__ == "__main__":
    main()

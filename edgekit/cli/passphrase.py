"""Passphrases and PINs: typed at the terminal and not shown, or read from EDGEKIT_PASSPHRASE_FILE."""

from __future__ import annotations

import functools
import getpass
import os
import sys

from edgekit.bundle.passphrase import VARIABLE, from_file
from edgekit.errors import KeyLocked


@functools.cache  # a run signs twice
def ask(locked: str) -> bytes:
    """Return the passphrase of what is `locked`, asked for once.

    Raises KeyLocked if nobody is at the terminal, and what `from_file` does.
    """
    if os.environ.get(VARIABLE) or not sys.stdin.isatty():
        return from_file(locked)
    return _typed(f"passphrase or PIN of {locked}: ")


def ask_new(name: str) -> bytes:
    """Return a passphrase for the new key `name`, typed twice.

    Raises KeyLocked if the two differ, and what `ask` does.
    """
    if os.environ.get(VARIABLE) or not sys.stdin.isatty():
        return from_file(f"the new key '{name}'")
    passphrase = _typed(f"passphrase of the new key '{name}': ")
    if _typed("once more: ") != passphrase:
        raise KeyLocked("the two passphrases differ", hint="type it again")
    return passphrase


def _typed(prompt: str) -> bytes:
    try:
        typed = getpass.getpass(prompt).encode("utf-8", "surrogateescape")
    except EOFError:
        typed = b""
    if not typed:
        raise KeyLocked("an empty passphrase locks nothing", hint="type one")
    return typed

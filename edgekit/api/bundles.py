"""Signed bundles: open one, add a signature, choose the key that signs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.bundle.archive import Bundle, sign
from edgekit.bundle.keys import DEFAULT, KeyStore
from edgekit.bundle.passphrase import Passphrase, from_file
from edgekit.bundle.signing import PublicKey, SigningKey
from edgekit.errors import OptionError, UntrustedKey


def open_bundle(path: Path | str, *, trusted: Sequence[PublicKey] | None = None) -> Bundle:
    """Verify a bundle, byte for byte, and read its manifest.

    Args:
        path: a `.edgekit` file.
        trusted: keys whose signature counts; by default the user's own and those of `edgekit keys trust`.

    Raises:
        BundleError, SignatureError, UntrustedKey: it is not what was signed, or not by whom it must be.
        StorageError: it cannot be read.

    >>> open_bundle(bundle.path).manifest.format
    'onnx'
    """
    keys = KeyStore.of_user().trusted() if trusted is None else trusted
    return Bundle.open(Path(path), keys)


def signing_key(key: str | SigningKey, ask: Passphrase = from_file) -> tuple[SigningKey, bool]:
    """Return the key that signs, and whether it was made just now: `default` is made where there is none.

    `ask` is called for the passphrase of a locked key. The key is tried before anything is built. Raises UnknownName,
    UsageError for one that was revoked, KeyLocked or KeyUnreachable.
    """
    if not isinstance(key, str):
        signer, new = key, False
    else:
        store = KeyStore.of_user(ask)
        signer, new = store.default() if key == DEFAULT else (store.get(key), False)
    signer.check()
    return signer, new


def sign_bundle(
    path: Path, key: str, keep: Sequence[str] = (), ask: Passphrase = from_file
) -> tuple[Bundle, tuple[str, ...]]:
    """Add a signature by the user's key to a bundle; signatures by keys that are not trusted are dropped.

    Args:
        path: a `.edgekit` file; it is replaced.
        key: name or URI of the key that signs.
        keep: ids of keys that are not trusted, whose signatures stay.
        ask: called for the passphrase of a locked key.

    Returns:
        The signed bundle, and the ids of the signatures that were dropped.

    Raises:
        OptionError: an id in `keep` signed nothing here. Else as `open_bundle` and `signing_key`.
    """
    store = KeyStore.of_user(ask)
    trusted, signer = store.trusted(), store.get(key)
    opened = _opened_without(signer.public, path, trusted)
    dropped = [one for one in opened.unknown_signers if one not in (*keep, signer.id)]
    unknown = [one for one in keep if one not in (*opened.unknown_signers, *(known.id for known in opened.signers))]
    if unknown:
        raise OptionError(f"--keep: '{path}' is not signed by {unknown[0]}", hint=f"edgekit inspect {path}")
    return sign(opened, signer, trusted, keep), tuple(dropped)


def _opened_without(signer: PublicKey, path: Path, trusted: Sequence[PublicKey]) -> Bundle:
    """Open a bundle as the others signed it: a signature in the signer's name is about to be replaced."""
    try:
        return Bundle.open(path, [key for key in trusted if key != signer])
    except UntrustedKey:
        return Bundle.open(path, trusted)

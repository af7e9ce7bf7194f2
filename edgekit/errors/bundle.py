"""Errors of bundles, signatures, signing keys and releases."""

from __future__ import annotations

from edgekit.errors.base import EdgekitError


class BundleError(EdgekitError):
    """The file is not a bundle, or not a whole one."""

    code = "EK301"


class SignatureError(BundleError):
    """The signature, or the digest of a file inside, does not match: the bundle was changed after it was signed."""

    code = "EK302"


class UntrustedKey(BundleError):
    """The bundle is signed by a key that is not among yours. `edgekit keys trust FILE` adds one."""

    code = "EK303"


class Incompatible(BundleError):
    """The bundle is whole, but was built for another kind of device or runtime."""

    code = "EK304"


class VersionTooOld(BundleError):
    """The bundle's version is below the floor of the device, which was raised so that it never goes back there."""

    code = "EK305"


class Expired(BundleError):
    """The bundle says until when it may be installed (`expires`), and that is over. What is installed is served on."""

    code = "EK306"


class KeyLocked(BundleError):
    """The signing key is encrypted, or lies in a token, and its passphrase or PIN was missing or wrong.

    It is asked for at the terminal; elsewhere EDGEKIT_PASSPHRASE_FILE names a file whose first line it is.
    """

    code = "EK307"


class KeyUnreachable(BundleError):
    """The SSH agent or the token that holds the signing key could not be reached, has no such key, or did not sign."""

    code = "EK308"


class ExportError(BundleError):
    """The bundle is trusted, but its model cannot be exported: its file has no place for the contract."""

    code = "EK309"


class ReportMismatch(BundleError):
    """A report or a history is of another bundle than the one that evidence is asked for, or there is none.

    Evidence is about one bundle: the report names it by the digest of its manifest, and lists its files.
    """

    code = "EK311"


class SourceSignatureError(BundleError):
    """Weights that come signed are not what was signed, or not by that key, or their signature cannot be read.

    `edgekit verify-source` compares every file of a model with a signature of OpenSSF Model Signing 1.0.
    """

    code = "EK312"

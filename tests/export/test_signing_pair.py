"""Signatures of OpenSSF Model Signing: accepted by the public tool, and refused by it once a byte has changed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edgekit.bundle.passphrase import from_file
from edgekit.errors import KeyLocked, UnknownName, UnprotectedFile, UsageError
from edgekit.export.folder import export
from edgekit.export.pair_store import PairStore
from edgekit.export.signing_pair import SIGNATURE, SigningPair
from tests.export.conftest import Packed

PINS = Path(__file__).with_name("model_signing_pins.txt")
"""The public tool and what it needs beyond our own packages, exactly: it would raise some of these."""


def pair() -> SigningPair:
    return SigningPair(ec.generate_private_key(ec.SECP256R1()))


def pem(secret: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return secret.private_bytes(serialization.Encoding.PEM, form, locked)


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which `python -m model_signing` is the public tool, in a folder of its own."""
    folder = tmp_path_factory.mktemp("model-signing")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps"]
    done = subprocess.run(
        [*pip, "--no-compile", "--target", str(folder), "-r", str(PINS)], capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        pytest.skip(f"the public tool cannot be installed here: {done.stderr.strip()[-300:]}")
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.mark.installs
def test_the_public_tool_accepts_the_folder_and_no_other_byte(
    tool: dict[str, str], packed: Packed, tmp_path: Path
) -> None:
    folder, key = tmp_path / "out", tmp_path / "key.pub"
    signer = pair()
    export(packed(), folder, signer=signer, hub=True)
    key.write_bytes(signer.public.pem)
    assert verified(tool, folder, key) == (0, True)
    with (folder / "labels.txt").open("ab") as file:
        file.write(b"x")
    code, accepted = verified(tool, folder, key)
    assert code != 0
    assert not accepted


def verified(tool: dict[str, str], folder: Path, key: Path) -> tuple[int, bool]:
    """Exit code of the public tool, and whether it says that the signature holds."""
    verify = ["verify", "key", str(folder), "--signature", str(folder / SIGNATURE), "--public_key", str(key)]
    argv = [sys.executable, "-m", "model_signing", *verify]
    done = subprocess.run(argv, env=tool, cwd=folder.parent, capture_output=True, text=True, timeout=120)
    return done.returncode, "Verification succeeded" in done.stdout + done.stderr


def test_every_file_is_signed_as_the_format_has_it(packed: Packed, tmp_path: Path) -> None:
    signer, folder = pair(), tmp_path / "out"
    export(packed(), folder, signer=signer, hub=True)
    envelope = json.loads((folder / SIGNATURE).read_text())["dsseEnvelope"]
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    signer.secret.public_key().verify(signature, signed, ec.ECDSA(hashes.SHA256()))  # raises if it does not hold
    statement = json.loads(payload)
    digests = {each["name"]: each["digest"] for each in statement["predicate"]["resources"]}
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in (SIGNATURE, ".gitattributes")]
    assert digests == {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    whole = hashlib.sha256(b"".join(bytes.fromhex(digests[name]) for name in sorted(digests))).hexdigest()
    assert statement["subject"] == [{"name": "out", "digest": {"sha256": whole}}]


def test_the_users_own_pair_is_made_once_and_is_theirs_alone(places: dict[str, str]) -> None:
    first, public, _ = PairStore.of_user().default(from_file)
    again, _, is_new = PairStore.of_user().default(from_file)
    assert not is_new
    assert first.public.pem == again.public.pem == public.read_bytes()
    assert public.with_suffix(".key").stat().st_mode & 0o777 == 0o600
    assert public.parent.stat().st_mode & 0o777 == 0o700


def test_pairs_have_names_and_are_encrypted_by_a_passphrase(places: dict[str, str]) -> None:
    store = PairStore.of_user()
    made = store.new("release", b"word")
    assert made in store.list()
    assert made.location == "encrypted file"
    opened = subprocess.run(
        ["openssl", "pkey", "-in", made.public.with_suffix(".key"), "-passin", "pass:word", "-pubout"],
        capture_output=True,
        check=True,
    )
    assert opened.stdout == made.public.read_bytes()
    pair, public = store.get("release", lambda _: b"word")
    assert (pair.public.pem, public) == (made.public.read_bytes(), made.public)
    assert made.id == f"p256:{pair.public.hint[:16]}"
    with pytest.raises(UsageError, match="already"):
        store.new("release")
    with pytest.raises(UsageError, match="cannot be the name"):
        store.new("../release")
    with pytest.raises(UnknownName, match="no key for model signing is named 'relaese'") as unknown:
        store.get("relaese", from_file)
    assert unknown.value.hint == "did you mean 'release'?"


def test_an_encrypted_key_asks_for_its_passphrase(tmp_path: Path) -> None:
    secret, path = ec.generate_private_key(ec.SECP256R1()), tmp_path / "key.pem"
    path.write_bytes(pem(secret, b"word"))
    path.chmod(0o600)
    assert SigningPair.read(path, lambda _: b"word").public.pem == SigningPair(secret).public.pem
    with pytest.raises(KeyLocked):
        SigningPair.read(path, lambda _: b"another")


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    path.chmod(0o640)
    with pytest.raises(UnprotectedFile) as refused:
        SigningPair.read(path, from_file)
    assert refused.value.hint == f"chmod 600 '{path}'"


def test_what_is_no_key_on_the_curve_is_refused_with_what_to_type(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(UsageError) as missing:
        SigningPair.read(path, from_file)
    for content in (b"", b"no key", pem(ec.generate_private_key(ec.SECP384R1()))):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(UsageError) as refused:
            SigningPair.read(path, from_file)
        assert refused.value.hint == missing.value.hint
        assert refused.value.hint == "edgekit keys new --p256 NAME"

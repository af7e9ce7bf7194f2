"""Models that come signed by OpenSSF Model Signing: what is accepted, and what is refused.

The files below `signed/` were made by the public `model_signing` 1.1.1, with a key of its own: a folder in whole files,
the same in parts of four bytes by BLAKE2b, and one file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edgekit.attestation.dsse import Envelope
from edgekit.attestation.ecdsa_key import EcdsaPublicKey
from edgekit.attestation.model_signing import ModelDigests, Resource, sigstore_bundle
from edgekit.attestation.model_source import verify_source
from edgekit.errors import SourceSignatureError, UsageError
from tests.conftest import Command

SIGNED = Path(__file__).parent / "signed"
PUBLISHER = EcdsaPublicKey.from_pem((SIGNED / "publisher.pem").read_bytes(), "it")
CONTENTS = {"weights.safetensors": b"hello\n", "sub/ü.txt": b"x\n"}


class Publisher:
    """A key that signs, as a publisher has one."""

    id = ""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message, ec.ECDSA(hashes.SHA256()))

    @property
    def public(self) -> EcdsaPublicKey:
        return EcdsaPublicKey(self.key.public_key())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for name, content in CONTENTS.items():
        path = tmp_path / "net" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "net"


@pytest.mark.parametrize("signature", ["files.sig", "shards.sig"])
def test_a_folder_that_the_public_tool_signed_is_verified(model: Path, signature: str) -> None:
    (model / ".git").mkdir()
    (model / ".git/config").write_bytes(b"left out by its signer")
    source = verify_source(model, SIGNED / signature, PUBLISHER)
    assert (source.name, source.files, source.bytes, source.others) == ("net", 2, 8, 0)
    assert len(source.sha256) == 64
    assert source.key_hint == hashlib.sha256((SIGNED / "publisher.pem").read_bytes()).hexdigest()


def test_a_file_is_verified_by_its_own_signature_or_that_of_its_folder(model: Path) -> None:
    weights = model / "weights.safetensors"
    assert verify_source(weights, SIGNED / "file.sig", PUBLISHER).others == 0
    assert verify_source(weights, SIGNED / "files.sig", PUBLISHER).others == 1


def test_the_signature_may_lie_in_the_folder(model: Path) -> None:
    shutil.copy(SIGNED / "files.sig", model / "model.sig")
    assert verify_source(model, model / "model.sig", PUBLISHER).files == 2


@pytest.mark.parametrize("signature", ["files.sig", "shards.sig"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda model: (model / "weights.safetensors").write_bytes(b"hellO\n"), "'weights.safetensors' changed"),
        (lambda model: (model / "weights.safetensors").write_bytes(b"hello\n\n"), "'weights.safetensors' changed"),
        (lambda model: (model / "weights.safetensors").write_bytes(b"hell"), "'weights.safetensors' changed"),
        (lambda model: (model / "weights.safetensors").unlink(), "'weights.safetensors' is missing"),
        (lambda model: (model / "code.py").write_bytes(b"print()"), "'code.py' was not signed"),
        (lambda model: (model / "sub/link").symlink_to("ü.txt"), "is a symbolic link"),
        (lambda model: (model / "more").symlink_to("sub"), "is a symbolic link"),
    ],
)
def test_another_model_is_refused(model: Path, change: Callable[[Path], object], words: str, signature: str) -> None:
    change(model)
    with pytest.raises(SourceSignatureError, match=words):
        verify_source(model, SIGNED / signature, PUBLISHER)


def test_a_fifo_is_refused_and_not_waited_for(model: Path) -> None:
    os.mkfifo(model / "pipe")
    with pytest.raises(SourceSignatureError, match="there is no model"):
        verify_source(model / "pipe", SIGNED / "file.sig", PUBLISHER)
    with pytest.raises(SourceSignatureError, match="there is no signature"):
        verify_source(model, model / "pipe", PUBLISHER)
    with pytest.raises(SourceSignatureError, match="is no file that can be read"):
        verify_source(model, SIGNED / "files.sig", PUBLISHER)


def test_another_key_verifies_nothing(model: Path) -> None:
    with pytest.raises(SourceSignatureError, match="was not made by this key, or was changed; it names the key"):
        verify_source(model, SIGNED / "files.sig", Publisher().public)


def test_no_changed_byte_of_the_payload_is_believed(model: Path, tmp_path: Path) -> None:
    values = json.loads((SIGNED / "files.sig").read_bytes())
    payload = base64.b64decode(values["dsseEnvelope"]["payload"]).replace(b'"net"', b'"nut"')
    values["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(SourceSignatureError, match=r"was not made by this key, or was changed$"):
        verify_source(model, _file(tmp_path, values), PUBLISHER)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda values: values.update(mediaType="application/json"), "no Sigstore bundle"),
        (lambda values: values.update(verificationMaterial={"certificate": {}}), "by a certificate"),
        (lambda values: values.update(dsseEnvelope=None), "no DSSE envelope"),
        (lambda values: values["dsseEnvelope"].update(payloadType="text/plain"), "of the type 'text/plain'"),
        (lambda values: values["dsseEnvelope"].update(signatures=[]), "no signature"),
        (lambda values: values["dsseEnvelope"].update(payload="?"), "not base64"),
        (lambda values: values["dsseEnvelope"].update(signatures=[{"sig": 3}]), "not base64"),
    ],
)
def test_what_is_no_signature_is_told(model: Path, tmp_path: Path, change: Callable[[Any], object], words: str) -> None:
    values = json.loads((SIGNED / "files.sig").read_bytes())
    change(values)
    with pytest.raises(SourceSignatureError, match=words):
        verify_source(model, _file(tmp_path, values), PUBLISHER)


@pytest.mark.parametrize("content", [b"", b"\x80", b"[]", b"[" * 100_000, b'{"mediaType": NaN}', b"null"])
def test_what_is_no_json_is_told(model: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.sig").write_bytes(content)
    with pytest.raises(SourceSignatureError, match="is no signature of a model"):
        verify_source(model, tmp_path / "model.sig", PUBLISHER)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"predicate_type": "https://slsa.dev/provenance/v1"}, "it says"),
        ({"serialization": {"method": "zip", "hash_type": "sha256"}}, "by the method 'zip'"),
        ({"serialization": {"method": "files", "hash_type": "blake3"}}, "its digests are by 'blake3'"),
        ({"resources": []}, "which files were signed"),
        ({"serialization": {"method": "files", "hash_type": "sha256", "ignore_paths": 1}}, "no list of names"),
        ({"resources": [{"name": "x"}]}, "without a name or a digest"),
        ({"resources": [{"name": "x", "digest": "z"}]}, "non-hexadecimal"),
        ({"resources": [{"name": "x", "digest": "00"}]}, "not that of the files that it lists"),
        ({"resources": [{"name": "x", "digest": "00"}] * 2}, "names a file twice"),
    ],
)
def test_a_signed_statement_that_is_none_of_a_model_is_told(
    model: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    statement = ModelDigests("net", (Resource("x", "ab"),)).to_statement()
    predicate = {**statement.predicate, **{key: value for key, value in change.items() if key != "predicate_type"}}
    kind = change.get("predicate_type", statement.predicate_type)
    payload = type(statement)(statement.subjects, kind, predicate).to_bytes()
    publisher = Publisher()
    (tmp_path / "model.sig").write_bytes(sigstore_bundle(Envelope.signed(payload, publisher), publisher.public.hint))
    with pytest.raises(SourceSignatureError, match=words):
        verify_source(model, tmp_path / "model.sig", publisher.public)


def test_a_name_that_leads_out_of_the_folder_is_a_missing_file(model: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    named = Resource("../secret", hashlib.sha256(b"x").hexdigest())
    publisher = Publisher()
    digests = ModelDigests("net", (named,), ignored=("sub", "weights.safetensors"))
    envelope = Envelope.signed(digests.to_statement().to_bytes(), publisher)
    (tmp_path / "model.sig").write_bytes(sigstore_bundle(envelope, publisher.public.hint))
    with pytest.raises(SourceSignatureError, match=r"'\.\./secret' is missing"):
        verify_source(model, tmp_path / "model.sig", publisher.public)


def test_what_we_write_is_what_we_read(model: Path, tmp_path: Path) -> None:
    publisher = Publisher()
    resources = tuple(Resource(name, hashlib.sha256(content).hexdigest()) for name, content in sorted(CONTENTS.items()))
    digests = ModelDigests("net", resources, ignored=(".git",))
    envelope = Envelope.signed(digests.to_statement().to_bytes(), publisher)
    (tmp_path / "model.sig").write_bytes(sigstore_bundle(envelope, publisher.public.hint))
    assert verify_source(model, tmp_path / "model.sig", publisher.public).sha256 == digests.root_sha256


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_only_a_public_p256_key_is_taken(curve: ec.EllipticCurve) -> None:
    private = ec.generate_private_key(curve)
    plain = serialization.NoEncryption()
    secret = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(UsageError, match="private key"):
        EcdsaPublicKey.from_pem(secret, "it")
    with pytest.raises(UsageError, match="no public key"):
        EcdsaPublicKey.from_pem(b"ssh-ed25519 AAAA", "it")
    if curve.name != "secp256r1":
        with pytest.raises(UsageError, match="not a P-256 key"):
            EcdsaPublicKey.from_pem(public, "it")


def test_the_command_says_what_was_compared_and_what_was_not(model: Path, command: Command) -> None:
    options = ("--oms", SIGNED / "files.sig", "--key", SIGNED / "publisher.pem")
    ended = command("verify-source", model, *options)
    assert ended.code == 0, ended.err
    assert "is 'net' as it was signed: 2 files, 8 bytes" in ended.out
    assert "not looked at" not in ended.out
    assert "1 more of the signed files" in command("verify-source", model / "weights.safetensors", *options).out
    assert command("verify-source", model, *options, "--json").document["files"] == 2
    (model / "weights.safetensors").write_bytes(b"other\n")
    assert "changed since it was signed" in command("verify-source", model, *options).refused("EK312", 3)
    assert "there is no model" in command("verify-source", model / "none", *options).refused("EK312", 3)


def _file(folder: Path, values: Any) -> Path:
    path = folder / "model.sig"
    path.write_text(json.dumps(values))
    return path

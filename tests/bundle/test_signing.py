"""Keys and signatures: the id, the PEM forms, and no secret in sight."""

from __future__ import annotations

import pickle
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.bundle.passphrase import from_file
from edgekit.bundle.signing import (
    LENGTH,
    PublicKey,
    SigningKey,
    add_signature,
    check_signature,
    select_signatures,
    signer_ids,
    write_signature,
)
from edgekit.errors import KeyLocked, KeyUnreachable, SignatureError, UsageError
from edgekit.runner.slots import ed25519
from tests.runner.slot import KEY
from tests.runner.slots.test_ed25519 import SMALL

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8


def test_the_signature_is_that_of_rfc_8032() -> None:
    """Section 7.1, test 2: https://www.rfc-editor.org/rfc/rfc8032#section-7.1"""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    key = SigningKey.of(Ed25519PrivateKey.from_private_bytes(seed))
    assert key.public.raw.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert key.sign(b"\x72").hex().startswith("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da")


def test_the_id_is_the_start_of_the_digest_of_the_public_key() -> None:
    # printf '%064d' 0 | xxd -r -p | sha256sum
    assert PublicKey(bytes(32)).id == "ed25519:66687aadf862bd77"


def test_both_halves_survive_pem(key: SigningKey) -> None:
    assert PublicKey.from_pem(key.public.to_pem(), "there") == key.public
    again = SigningKey.from_pem(key.to_pem(), "there")
    assert again.public == key.public
    assert again.sign(b"text") == key.sign(b"text")


@given(message=st.binary(max_size=100), other=st.binary(max_size=100))
def test_a_signature_fits_one_message_only(key: SigningKey, message: bytes, other: bytes) -> None:
    written = write_signature(key, message)
    assert len(written) == LENGTH
    assert check_signature(written, message, [key.public]) == (key.public,)
    if other != message:
        with pytest.raises(SignatureError):
            check_signature(written, other, [key.public])


def test_no_secret_is_shown(key: SigningKey) -> None:
    secret = key.to_pem().splitlines()[1].decode()
    for shown in (repr(key), str(key), f"{key}", repr([key])):
        assert secret not in shown
        assert bytes(range(32)).hex() not in shown
    assert repr(key) == f"SigningKey(public={key.public!r})"
    with pytest.raises(TypeError):
        pickle.dumps(key)


@pytest.mark.parametrize(
    "pem", [b"", b"hello", b"\xff\0", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_what_is_no_key_is_refused_as_either_half(pem: bytes) -> None:
    with pytest.raises(UsageError, match=r"^there is no public key in PEM form"):
        PublicKey.from_pem(pem, "there")
    with pytest.raises(UsageError, match=r"^there is no private key in PEM form"):
        SigningKey.from_pem(pem, "there")


@given(pem=st.binary(max_size=200))
def test_random_bytes_are_no_key(pem: bytes) -> None:
    for load in (PublicKey.from_pem, SigningKey.from_pem):
        with pytest.raises((UsageError, KeyLocked)):
            load(pem, "there")


@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_damaged_private_key_is_refused_without_showing_it(key: SigningKey, place: float, byte: int) -> None:
    pem = bytearray(key.to_pem())
    pem[int(place * len(pem))] = byte
    try:
        SigningKey.from_pem(bytes(pem), "there")
    except UsageError as error:
        said = f"{error} {error.__cause__}"
    else:
        said = ""
    assert key.to_pem().splitlines()[1][-20:].decode() not in said


def test_keys_of_other_kinds_are_refused() -> None:
    for private in (ec.generate_private_key(ec.SECP256R1()), ed448.Ed448PrivateKey.generate()):
        secret = private.private_bytes(PEM, PKCS8, serialization.NoEncryption())
        public = private.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(UsageError, match="not an Ed25519 key"):
            SigningKey.from_pem(secret, "there")
        with pytest.raises(UsageError, match="not an Ed25519 key"):
            PublicKey.from_pem(public, "there")


def test_the_secret_half_is_not_taken_for_the_public_one(key: SigningKey) -> None:
    with pytest.raises(UsageError, match="is a private key") as caught:
        PublicKey.from_pem(key.to_pem(), "there")
    assert caught.value.hint == "give the public one beside it, NAME.pub"


@pytest.mark.parametrize("passphrase", [b"x", "Käse und Brot".encode(), b"p" * 1024, b"\xff\x00"])
def test_a_key_is_encrypted_by_its_passphrase(key: SigningKey, passphrase: bytes) -> None:
    pem = key.to_pem(passphrase)
    assert key.to_pem().splitlines()[1][-20:] not in pem
    assert pem != key.to_pem(passphrase), "salted"
    prompts: list[str] = []
    again = SigningKey.from_pem(pem, "'here'", lambda locked: prompts.append(locked) or passphrase)  # type: ignore[func-returns-value]
    assert prompts == ["the key 'here'"]
    assert again.sign(b"text") == key.sign(b"text")
    with pytest.raises(KeyLocked, match="not the passphrase of the key 'here'"):
        SigningKey.from_pem(pem, "'here'", lambda _: passphrase + b"x")


def test_openssl_reads_an_encrypted_key_and_we_read_openssls(key: SigningKey, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_bytes(key.to_pem(b"pass"))
    openssl = [
        "openssl",
        "pkcs8",
        "-topk8",
        "-passin",
        "pass:pass",
        "-passout",
        "pass:word",
        "-in",
        str(ours),
        "-out",
        str(theirs),
    ]
    subprocess.run(openssl, check=True, capture_output=True, timeout=60)
    assert SigningKey.from_pem(theirs.read_bytes(), "there", lambda _: b"word").public == key.public
    rounds = subprocess.run(["openssl", "asn1parse", "-in", ours], check=True, capture_output=True, timeout=60).stdout
    assert b"%X" % 600_000 in rounds


def test_an_encrypted_key_stays_locked_without_its_passphrase(key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEKIT_PASSPHRASE_FILE", raising=False)
    with pytest.raises(KeyLocked, match="the key there is locked, and nobody is here to ask"):
        SigningKey.from_pem(key.to_pem(b"secret"), "there")


def test_a_passphrase_is_the_first_line_of_a_file_and_has_at_most_1024_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    monkeypatch.setenv("EDGEKIT_PASSPHRASE_FILE", str(path))
    for length in (1, 1024):
        path.write_bytes(b"x" * length + b"\r\nsecond line")
        path.chmod(0o600)
        assert from_file("it") == b"x" * length
    for line in (b"", b"\nx", b"x" * 1025):
        path.write_bytes(line)
        with pytest.raises(KeyLocked, match="is no passphrase"):
            from_file("it")


def test_a_signature_that_is_not_the_keys_own_is_not_taken(key: SigningKey, other_key: SigningKey) -> None:
    with pytest.raises(KeyUnreachable, match=f"should sign as {key.id} gave another signature"):
        SigningKey(key.public, other_key).sign(b"text")
    with pytest.raises(UsageError, match="cannot be copied"):
        SigningKey(key.public, key).to_pem()


def test_several_may_sign_in_one_order(key: SigningKey, other_key: SigningKey) -> None:
    both = add_signature(write_signature(key, b"text"), other_key, b"text")
    assert both == add_signature(write_signature(other_key, b"text"), key, b"text") == add_signature(both, key, b"text")
    assert set(check_signature(both, b"text", [key.public, other_key.public])) == {key.public, other_key.public}
    assert check_signature(both, b"text", [key.public]) == (key.public,)
    first, second = both.splitlines(keepends=True)
    for wrong in (second + first, first + first, both + b"\n", first * 9):
        with pytest.raises(SignatureError):
            check_signature(wrong, b"text", [key.public, other_key.public])


@pytest.mark.parametrize("small", SMALL)
def test_a_key_of_small_order_is_no_key_here_either(small: bytes) -> None:
    """OpenSSL takes such a key, and with R = the neutral point and S = 0 it verifies what nobody signed."""
    key = PublicKey(small)
    assert not any(key.verifies(r + bytes(32), message) for r in SMALL for message in (b"", b"a", b"b", b"c"))
    with pytest.raises(UsageError, match="there is no key that signs"):
        PublicKey.from_pem(key.to_pem(), "there")


@settings(max_examples=150)
@given(
    raw=st.sampled_from([KEY.public.raw, *SMALL]) | st.binary(min_size=32, max_size=32),
    bit=st.none() | st.integers(0, 255),
    signature=st.sampled_from([KEY.sign(b"text"), *(r + bytes(32) for r in SMALL)]),
)
def test_host_and_device_believe_the_same(raw: bytes, bit: int | None, signature: bytes) -> None:
    changed = bytearray(raw)
    if bit is not None:
        changed[bit // 8] ^= 1 << bit % 8
    believed = PublicKey(bytes(changed)).verifies(signature, b"text")
    assert believed == ed25519.verifies(bytes(changed), signature, b"text")
    assert believed == (bytes(changed) == KEY.public.raw and signature == KEY.sign(b"text"))


def test_lines_are_kept_by_signer(key: SigningKey, other_key: SigningKey) -> None:
    both = add_signature(write_signature(key, b"text"), other_key, b"text")
    assert signer_ids(both) == tuple(sorted([key.id, other_key.id]))
    assert select_signatures(both, [key.id, other_key.id]) == both
    assert select_signatures(both, [key.id, "ed25519:0000000000000000"]) == write_signature(key, b"text")
    with pytest.raises(SignatureError):
        select_signatures(both + b"x", [key.id])

"""Whole zips that are no whole bundles: added, missing and swapped files, strange keys, strange manifests."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.bundle.archive import Bundle, pack, sign
from edgekit.bundle.manifest import ManifestContent
from edgekit.bundle.signing import PublicKey, SigningKey, add_signature, write_signature
from edgekit.errors import BundleError, SignatureError, UntrustedKey
from tests.bundle.conftest import Forge, Refused, Sealed, accepted


def test_the_forge_makes_whole_bundles(
    packed: Path, forge: Forge, contents: dict[str, bytes], tmp_path: Path, key: SigningKey
) -> None:
    assert forge(contents) == packed.read_bytes()
    assert accepted(forge(contents), tmp_path, [key.public])


def test_a_file_added_or_missing_or_renamed_is_named(
    refused: Refused, forge: Forge, contents: dict[str, bytes]
) -> None:
    added = refused(forge({**contents, "more.bin": b""}))
    assert isinstance(added, SignatureError)
    assert "'more.bin' was added" in str(added)
    missing = refused(forge({name: content for name, content in contents.items() if name != "model.pte"}))
    assert isinstance(missing, SignatureError)
    assert "'model.pte' is missing" in str(missing)
    renamed = {("model.ptx" if name == "model.pte" else name): content for name, content in contents.items()}
    assert "'model.pte' is missing" in str(refused(forge(renamed)))


def test_a_file_of_another_content_is_named(refused: Refused, forge: Forge, contents: dict[str, bytes]) -> None:
    changed = refused(forge({**contents, "model.pte": contents["model.pte"].swapcase()}))
    assert isinstance(changed, SignatureError)
    assert "'model.pte' in it is not the file that was signed" in str(changed)
    longer = refused(forge({**contents, "model.pte": contents["model.pte"] + b"x"}))
    assert "'model.pte' in it has 301 bytes, and 300 were signed" in str(longer)


def test_two_files_swapped_are_noticed(refused: Refused, forge: Forge, contents: dict[str, bytes]) -> None:
    first, second = "golden/inputs/image.npy", "golden/outputs/output.npy"
    swapped = {**contents, first: contents[second], second: contents[first]}
    assert isinstance(refused(forge(swapped)), SignatureError)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_a_zip_without_manifest_or_signature_is_no_bundle(
    refused: Refused, forge: Forge, contents: dict[str, bytes], name: str
) -> None:
    left = {path: content for path, content in contents.items() if path != name}
    assert f"without '{name}'" in str(refused(forge(left)))


def test_another_manifest_under_the_old_signature_is_refused(
    refused: Refused, forge: Forge, contents: dict[str, bytes], key: SigningKey
) -> None:
    forged = contents["manifest.json"].replace(b'"count":2', b'"count":1')
    error = refused(forge({**contents, "manifest.json": forged}))
    assert isinstance(error, SignatureError)
    assert key.id in str(error)


def test_a_manifest_signed_again_by_a_stranger_is_not_trusted(
    refused: Refused, forge: Forge, contents: dict[str, bytes], other_key: SigningKey
) -> None:
    error = refused(forge({**contents, "manifest.sig": write_signature(other_key, contents["manifest.json"])}))
    assert isinstance(error, UntrustedKey)
    assert other_key.id in str(error)
    assert error.hint
    assert "edgekit keys trust FILE.pub" in error.hint


def test_a_stranger_cannot_use_a_trusted_name(
    refused: Refused, forge: Forge, contents: dict[str, bytes], key: SigningKey, other_key: SigningKey
) -> None:
    strange = write_signature(other_key, contents["manifest.json"])
    claimed = strange.replace(other_key.id.encode(), key.id.encode())
    assert "manifest is not what" in str(refused(forge({**contents, "manifest.sig": claimed})))


def test_nobody_is_trusted_unless_named(packed: Path, tmp_path: Path, key: SigningKey, other_key: SigningKey) -> None:
    for trusted in ([], [other_key.public]):
        with pytest.raises(UntrustedKey, match=key.id):
            Bundle.open(packed, trusted)
    assert accepted(packed.read_bytes(), tmp_path, [other_key.public, key.public])


@pytest.mark.parametrize(
    "manifest", [b"", b"{", b"null\n", b"[" * 100_000, b"\xff\xfe", b'{"files":[]}\n', b'{"schema":2}\n', b"PK\5\6"]
)
def test_a_manifest_that_is_none_is_refused_even_if_signed(
    refused: Refused, sealed: Sealed, files: dict[str, bytes], manifest: bytes
) -> None:
    error = refused(sealed(manifest, files))
    assert not isinstance(error, SignatureError)
    assert "'manifest.json'" in str(error)


def test_a_signed_manifest_must_be_canonical(
    refused: Refused,
    sealed: Sealed,
    files: dict[str, bytes],
    manifest_values: dict[str, Any],
    tmp_path: Path,
    key: SigningKey,
) -> None:
    canonical = json.dumps(manifest_values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    assert accepted(sealed(canonical, files), tmp_path, [key.public])
    assert "canonical" in str(refused(sealed(json.dumps(manifest_values).encode(), files)))


@settings(max_examples=300)
@given(place=st.floats(0, 1, exclude_max=True), content=st.binary(max_size=6), cut=st.integers(0, 6))
def test_a_signed_manifest_with_any_fault_gives_no_traceback(
    sealed: Sealed, contents: dict[str, bytes], packed: Path, place: float, content: bytes, cut: int, key: SigningKey
) -> None:
    raw = contents["manifest.json"]
    position = int(place * len(raw))
    changed = raw[:position] + content + raw[position + cut :]
    path = packed.with_name("faulty.edgekit")
    path.write_bytes(sealed(changed, {name: contents[name] for name in contents if not name.startswith("manifest.")}))
    try:
        bundle = Bundle.open(path, [key.public])
    except BundleError:
        return
    assert bundle.manifest.to_bytes() == changed


def test_a_signature_has_one_writing(refused: Refused, forge: Forge, contents: dict[str, bytes]) -> None:
    written = contents["manifest.sig"]
    # 64 bytes leave four bits of the last base64 digit unused: other digits decode to the same signature
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet.index(written[-4])
    others = [written[:-4] + alphabet[last + i : last + i + 1] + b"==\n" for i in range(1, 16)]
    others += [written[:-1], written + b"\n", written.replace(b" ", b"\t"), written.upper(), b" " + written[:-1]]
    others += [written.replace(b"\n", b"\r\n"), written.replace(b"=", b""), b"\xff" * len(written), b"", b"\n"]
    for other in others:
        refused(forge({**contents, "manifest.sig": other}))


def test_changing_one_value_of_the_description_changes_the_digest(
    packed: Path, tmp_path: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey
) -> None:
    renamed = pack(description.model_copy(update={"name": "tinz"}), files, key, tmp_path / "tiny.edgekit")
    assert renamed.digest != Bundle.open(packed, [key.public]).digest


def test_a_forgery_under_a_key_of_small_order_is_not_opened(
    forge: Forge, contents: dict[str, bytes], tmp_path: Path
) -> None:
    """Found by trying: such a key verifies R = the neutral point, S = 0, whatever the manifest says."""
    neutral = PublicKey((1).to_bytes(32, "little"))
    line = b"%s %s\n" % (neutral.id.encode(), base64.b64encode(neutral.raw + bytes(32)))
    path = tmp_path / "tiny.edgekit"
    path.write_bytes(forge({**contents, "manifest.sig": line}))
    with pytest.raises(SignatureError, match=f"not what {neutral.id} signed"):
        Bundle.open(path, [neutral])


def test_a_release_that_locks_itself_out_is_neither_packed_nor_opened(
    refused: Refused,
    sealed: Sealed,
    files: dict[str, bytes],
    description: ManifestContent,
    manifest_values: dict[str, Any],
    key: SigningKey,
    tmp_path: Path,
) -> None:
    release = {"version": 1, "floor": 2}
    with pytest.raises(BundleError, match="its floor 2 is above its own version 1"):
        pack(description.model_copy(update=release), files, key, tmp_path / "tiny.edgekit")
    error = refused(sealed(_canonical(manifest_values | release), files))
    assert "its floor 2 is above its own version 1" in str(error)
    assert "newer" not in (error.hint or "")
    assert accepted(sealed(_canonical(manifest_values | release | {"floor": 1}), files), tmp_path, [key.public])


DIGEST = "3f70123b278bd24f963da54c35269408dd1a475fe20c82cfdae335016fa5ce39"
"""Of the small bundle, as it was packed before there was `expires`."""


@pytest.mark.parametrize("expires", [None, "", "2027-01-31", "2027-02-31T00:00:00Z", "2027-01-31T00:00:00+00:00", 7])
def test_an_expiry_that_is_no_utc_time_is_refused_even_if_signed(
    refused: Refused, sealed: Sealed, files: dict[str, bytes], manifest_values: dict[str, Any], expires: object
) -> None:
    refused(sealed(_canonical(manifest_values | {"expires": expires}), files))


def test_an_expiry_is_signed_and_bundles_without_one_keep_their_bytes(
    packed: Path, files: dict[str, bytes], description: ManifestContent, key: SigningKey, tmp_path: Path
) -> None:
    assert b"expires" not in Bundle.open(packed, [key.public]).read("manifest.json")
    assert Bundle.open(packed, [key.public]).file_sha256 == DIGEST
    until = description.model_copy(update={"expires": "2027-01-31T00:00:00Z"})
    made = pack(until, files, key, tmp_path / "tiny.edgekit")
    assert b'"expires":"2027-01-31T00:00:00Z"' in made.read("manifest.json")
    assert Bundle.open(made.path, [key.public]).manifest.expires == "2027-01-31T00:00:00Z"


def _canonical(values: dict[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def test_strangers_lines_are_named_not_believed_and_lock_nobody_out(
    forge: Forge, contents: dict[str, bytes], key: SigningKey, other_key: SigningKey, tmp_path: Path
) -> None:
    """Anybody can add a line under an id of his own: its key is not known, so that it cannot be checked."""
    strangers = [SigningKey.generate() for _ in range(7)]
    path, raw = tmp_path / "tiny.edgekit", contents["manifest.json"]
    written = contents["manifest.sig"]
    for stranger in strangers:
        written = add_signature(written, stranger, raw)
    path.write_bytes(forge({**contents, "manifest.sig": written}))
    full = Bundle.open(path, [key.public])
    assert full.signers == (key.public,)
    assert full.unknown_signers == tuple(sorted(stranger.id for stranger in strangers))
    kept = strangers[3].id
    signed = sign(full, other_key, [key.public], keep=[kept])
    assert set(signed.signers) == {key.public, other_key.public}
    assert signed.unknown_signers == (kept,)
    ninth = b"".join(sorted([*written.splitlines(keepends=True), write_signature(other_key, raw)]))
    path.write_bytes(forge({**contents, "manifest.sig": ninth}))
    with pytest.raises(BundleError):
        Bundle.open(path, [key.public])

"""Whose bundles a device takes: nothing else reaches a slot."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import random
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle import archive, signing
from edgekit.bundle.signing import SigningKey, add_signature, write_signature
from edgekit.runner.errors import RunnerError
from edgekit.runner.slots import deadlines, lease, lifecycle, stage, verify
from edgekit.runner.slots.begin import begin
from edgekit.runner.slots.trust import Trust
from tests.runner.conftest import Bare
from tests.runner.slot import KEY, list_files

OTHER = SigningKey.generate()


def _bundle(root: Path, **changes: Any) -> tuple[Path, str]:
    content = root.parent / "made"
    content.mkdir(parents=True, exist_ok=True)
    (content / "model.onnx").write_text("model")
    raw = (list_files(content, changes) / "manifest.json").read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    staging = root / "staging" / digest
    staging.parent.mkdir(parents=True, exist_ok=True)
    content.rename(staging)
    return staging, digest


def _stage(root: Path, **changes: Any) -> dict[str, Any]:
    staging, digest = _bundle(root, **changes)
    return stage.stage(root, staging, digest, offered=[KEY.public.raw], stand_in=True)


def _refused(root: Path, kind: str, **changes: Any) -> None:
    before = lifecycle.status(root)["slots"]
    for verb in ("prepare", "stage"):
        staging, digest = _bundle(root, **changes)
        where = (root, digest) if verb == "prepare" else (root, staging, digest)
        with pytest.raises(RunnerError) as caught:
            getattr(stage, verb)(*where, offered=[KEY.public.raw], stand_in=True)
        assert caught.value.kind == kind
        assert not staging.exists()
    assert lifecycle.status(root)["slots"] == before


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def test_the_first_signer_is_pinned_and_from_then_on_only_that_one(root: Path) -> None:
    assert _stage(root)["pinned"] == [KEY.id]
    Trust((OTHER.public.raw,)).write(root)
    _refused(root, "trust", version=1)


def test_a_revoked_key_is_not_believed(root: Path) -> None:
    Trust((OTHER.public.raw,), revoked=(KEY.id,)).write(root)
    _refused(root, "trust")


def test_several_must_sign_where_several_are_asked_for(root: Path) -> None:
    Trust((KEY.public.raw, OTHER.public.raw), threshold=2).write(root)
    _refused(root, "trust")
    staging, digest = _bundle(root)
    signature, manifest = staging / "manifest.sig", (staging / "manifest.json").read_bytes()
    signature.write_bytes(add_signature(signature.read_bytes(), OTHER, manifest))
    assert stage.stage(root, staging, digest, stand_in=True)["state"] == "staged"
    assert sorted(lifecycle.status(root)["slots"]["a"]["signers"]) == sorted([KEY.id, OTHER.id])


def test_a_bundle_for_another_target_is_refused(root: Path) -> None:
    Trust((KEY.public.raw,), target="boards").write(root)
    _refused(root, "refused", family="others", target="other")
    assert _stage(root)["state"] == "staged"


@pytest.mark.parametrize(("kernel", "arch"), [("amd64", "x86_64"), ("arm64", "aarch64"), ("riscv64", "riscv64")])
def test_a_machine_is_known_by_the_other_name_that_some_kernels_give_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, kernel: str, arch: str
) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "board", "6.1", "1", kernel)))
    staging, digest = _bundle(root, arch="mips")
    with pytest.raises(RunnerError, match=f"the bundle is for mips, this device is {arch}"):
        stage.stage(root, staging, digest, offered=[KEY.public.raw])
    staging, digest = _bundle(root, arch=arch)
    assert stage.stage(root, staging, digest, offered=[KEY.public.raw])["state"] == "staged"


@pytest.mark.parametrize(("length", "taken"), [(8 << 20, True), ((8 << 20) + 1, False)])
def test_a_manifest_has_at_most_8_mib(root: Path, length: int, taken: bool) -> None:
    staging, _ = _bundle(root)
    raw = (staging / "manifest.json").read_bytes().ljust(length)
    digest = hashlib.sha256(raw).hexdigest()
    staging = staging.rename(staging.with_name(digest))
    (staging / "manifest.json").write_bytes(raw)
    (staging / "manifest.sig").write_bytes(write_signature(KEY, raw))
    outcome = contextlib.nullcontext() if taken else pytest.raises(RunnerError, match="has more than 8388608 bytes")
    with outcome:
        assert stage.stage(root, staging, digest, offered=[KEY.public.raw], stand_in=True)["state"] == "staged"


@pytest.mark.parametrize(
    ("name", "verified", "taken"),
    [
        ("onnxruntime", "0.1", False),
        ("onnxruntime", f"{version('onnxruntime')}+cpu", True),
        ("tflite-runtime", "0.1", True),
    ],
    ids=["another version", "another build of it", "of another format"],
)
def test_a_runtime_of_another_version_is_told_before_anything_is_sent(
    root: Path, name: str, verified: str, taken: bool
) -> None:
    digest = _bundle(root, arch=platform.machine(), versions={name: verified})[1]
    if taken:
        assert stage.prepare(root, digest, offered=[KEY.public.raw])["missing"] == []
        return
    with pytest.raises(RunnerError, match=f"was verified with {name} 0.1, this Python has ") as caught:
        stage.prepare(root, digest, offered=[KEY.public.raw])
    assert caught.value.kind == "runtime"


def test_a_commit_raises_the_floor_and_nothing_older_comes_back(root: Path) -> None:
    digest = _stage(root, version=1)["digest"]
    lifecycle.begin_trial(root, digest)
    lifecycle.commit(root)
    digest = _stage(root, version=3, floor=2)["digest"]
    lifecycle.begin_trial(root, digest)
    assert lifecycle.status(root)["trust"]["floor"] == 0
    lifecycle.commit(root)
    assert lifecycle.status(root)["trust"]["floor"] == 2
    _refused(root, "version", version=1)
    with pytest.raises(RunnerError, match="below this device's floor"):
        lifecycle.rollback(root)
    assert lifecycle.status(root)["current"] == "b"


def test_trust_is_changed_by_verb(bare: Bare, root: Path) -> None:
    answer = bare.ask("slots", "trust", root, "--pin", KEY.public.raw.hex(), "--floor", 3, "--target", "x").document
    assert (answer["keys"][0]["id"], answer["floor"], answer["target"]) == (KEY.id, 3, "x")
    for argv in (("--floor", 2), ("--threshold", 2), ("--revoke", KEY.id), ("--pin", "00" * 32), ("--pin", "zz")):
        assert bare.ask("slots", "trust", root, *argv).document["kind"] == "usage"
    assert bare.ask("slots", "trust", root).document == answer
    rotated = bare.ask("slots", "trust", root, "--pin", OTHER.public.raw.hex(), "--revoke", KEY.id).document
    assert [key["id"] for key in rotated["keys"]] == [OTHER.id]
    assert bare.ask("slots", "trust", root, "--pin", KEY.public.raw.hex()).document["kind"] == "trust"
    assert bare.ask("slots", "trust", root, "--floor", 2, "--lower-floor").document["floor"] == 2


def test_of_hundreds_of_mutated_bundles_none_reaches_a_slot(root: Path) -> None:
    _stage(root)
    before, choose = lifecycle.status(root)["slots"], random.Random(6)
    for i in range(300):
        staging, digest = _bundle(root, version=1)
        path = staging / ("manifest.sig" if i % 3 == 0 else "manifest.json")
        raw = bytearray(path.read_bytes())
        raw[choose.randrange(len(raw))] ^= 1 << choose.randrange(8)
        path.write_bytes(raw)
        # Also where the host claims the digest of what it changed.
        digest = hashlib.sha256((staging / "manifest.json").read_bytes()).hexdigest() if i % 2 else digest
        with pytest.raises(RunnerError) as caught:
            stage.stage(root, staging, digest, offered=[KEY.public.raw], stand_in=True)
        assert caught.value.kind in ("signature", "trust")
    assert lifecycle.status(root)["slots"] == before


def _begin(root: Path, token: str, who: str) -> dict[str, Any]:
    return begin(root, "0" * 64, token, who, None, [KEY.public.raw], stand_in=True)


def test_one_flash_at_a_time_and_a_dead_host_is_forgotten(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _begin(root, "mine", "me@here")
    with pytest.raises(RunnerError, match=r"'me@here' is flashing it, and may for 1[12].* s more") as caught:
        _begin(root, "theirs", "you@there")
    assert caught.value.kind == "leased"
    with pytest.raises(RunnerError, match="is flashing it"):
        _stage(root)
    now_s = deadlines._now_s()
    monkeypatch.setattr(deadlines, "_now_s", lambda: now_s + 121)
    _begin(root, "theirs", "you@there")
    assert lifecycle.status(root)["lease"]["holder"] == "you@there"
    assert not lifecycle.release(root, "mine")["changed"]
    assert lifecycle.release(root, "theirs")["changed"]
    assert lease.shown(root) is None


def test_what_is_served_is_asked_for_without_a_lease_and_believed_anew(root: Path) -> None:
    digest = _stage(root)["digest"]
    lifecycle.begin_trial(root, digest)
    assert begin(root, digest, "mine", "me@here", None, [KEY.public.raw], stand_in=True)["state"] == "trial"
    lifecycle.release(root, "mine")
    lifecycle.commit(root)
    answer = begin(root, digest, "mine", "me@here", None, [KEY.public.raw], stand_in=True)
    assert (answer["slot"], answer["state"], answer["missing"]) == (str(root / "a"), "committed", [])
    assert lease.shown(root) is None
    Trust((OTHER.public.raw,), revoked=(KEY.id,)).write(root)
    with pytest.raises(RunnerError, match="does not trust"):
        begin(root, digest, "mine", "me@here", None, [KEY.public.raw], stand_in=True)


def test_a_bundle_that_locks_itself_out_is_refused(root: Path) -> None:
    """Once committed, its own floor would keep it from ever being installed again."""
    _refused(root, "data", version=1, floor=2)
    assert _stage(root, version=2, floor=2)["state"] == "staged"


def test_strangers_lines_are_passed_over_up_to_eight(root: Path) -> None:
    Trust((KEY.public.raw,)).write(root)
    staging, digest = _bundle(root)
    manifest, signature = (staging / "manifest.json").read_bytes(), staging / "manifest.sig"
    written = signature.read_bytes()
    for _ in range(7):
        written = add_signature(written, SigningKey.generate(), manifest)
    ninth = write_signature(SigningKey.generate(), manifest)
    signature.write_bytes(b"".join(sorted([*written.splitlines(keepends=True), ninth])))
    with pytest.raises(RunnerError, match="more than"):
        stage.stage(root, staging, digest, stand_in=True)
    staging, digest = _bundle(root)
    (staging / "manifest.sig").write_bytes(written)
    assert stage.stage(root, staging, digest, stand_in=True)["state"] == "staged"
    assert lifecycle.status(root)["slots"]["a"]["signers"] == [KEY.id]


def test_a_device_reads_manifests_and_signatures_as_long_as_the_host_makes_them(tmp_path: Path) -> None:
    assert len(write_signature(KEY, b"text")) == verify.SIGNATURE_BYTES
    assert (verify.MAX_SIGNATURES, verify.MAX_MANIFEST_BYTES) == (signing.MAX_SIGNATURES, archive.MAX_MANIFEST_BYTES)
    (tmp_path / "file").write_bytes(bytes(10))
    assert verify._read(tmp_path / "file", 10) == bytes(10)
    with pytest.raises(RunnerError, match="more than 9 bytes"):
        verify._read(tmp_path / "file", 9)

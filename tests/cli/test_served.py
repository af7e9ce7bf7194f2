"""What a device serves, told and moved by the command line: revoked keys, a way back, a repair."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.keys import KeyStore
from edgekit.bundle.manifest import ManifestContent
from edgekit.devices.local import Local
from edgekit.runner.slots import lifecycle, stage
from tests.conftest import Built, Command


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "device"


@pytest.fixture
def device(root: Path) -> str:
    return f"local://{root}"


def _packed(built: Built, key: str, out: Path, files: Mapping[str, bytes] | None = None) -> Bundle:
    """The bundle that was built, described as another one and signed by another key of the user's."""
    store = KeyStore.of_user()
    bundle = Bundle.open(built.bundle, store.trusted())
    described = bundle.manifest.model_dump(by_alias=True, exclude={"files"})
    contents = {file.path: bundle.read(file.path) for file in bundle.manifest.files} | dict(files or {})
    signing = store.get(key)
    return pack(ManifestContent.model_validate({**described, "name": out.stem}), contents, signing, out)


def _id(command: Command, name: str) -> str:
    command("keys", "new", name)
    return KeyStore.of_user().public(name).id


def _served(root: Path) -> str:
    return str(json.loads((root / "current" / "manifest.json").read_text())["name"])


def test_what_a_revoked_key_signed_does_not_come_back(
    command: Command, built: Built, device: str, root: Path, tmp_path: Path
) -> None:
    first, second = _id(command, "k1"), _id(command, "k2")
    one, two = (_packed(built, key, tmp_path / f"{key}.edgekit").path for key in ("k1", "k2"))
    command("device", "trust", device, "--key", "k1", "--key", "k2")
    for path in (one, two):
        assert command("flash", path, "--device", device).code == 0
    revoked = command("device", "trust", device, "--revoke", first)
    assert revoked.code == 0
    assert f"slot 'a' is no way back; slot 'a' may not be served: it is signed by {first}" in _flat(revoked.err)
    assert f"edgekit flash BUNDLE --device {device} replaces it" in _flat(revoked.err)
    assert second not in revoked.err
    said = command("rollback", "--device", device).refused("EK303", 3)
    assert first in said
    assert _served(root) == "k2"
    assert f"slot 'a' is no way back; slot 'a' may not be served: it is signed by {first}" in _flat(
        command("status", "--device", device).err
    )


def test_a_revocation_says_that_what_is_served_is_served_still(
    command: Command, built: Built, device: str, root: Path, tmp_path: Path
) -> None:
    first = _id(command, "k3")
    _id(command, "k4")
    command("device", "trust", device, "--key", "k3", "--key", "k4")
    assert command("flash", _packed(built, "k3", tmp_path / "x.edgekit").path, "--device", device).code == 0
    trial = _packed(built, "k3", tmp_path / "y.edgekit").path
    assert command("flash", trial, "--device", device, "--no-commit").code == 0
    said = _flat(command("device", "trust", device, "--revoke", first).err)
    assert "slot 'a' is served until another bundle is committed, and does not come back" in said
    assert f"slot 'b' will not be committed; slot 'b' may not be served: it is signed by {first}" in said
    assert f"edgekit rollback --device {device} drops it" in said
    assert _served(root) == "x"
    assert command("rollback", "--device", device).code == 0
    assert command("flash", _packed(built, "k4", tmp_path / "z.edgekit").path, "--device", device).code == 0
    assert _served(root) == "z"


def test_what_fails_its_self_test_is_no_way_back(
    command: Command, built: Built, device: str, root: Path, tmp_path: Path
) -> None:
    """It was committed by hand, or its runtime is another one since: the model that answers stays."""
    KeyStore.of_user().default()
    bundle = Bundle.open(built.bundle, KeyStore.of_user().trusted())
    (golden,) = (file.path for file in bundle.manifest.files if "golden/outputs" in file.path)
    wrong = io.BytesIO()
    np.save(wrong, np.load(io.BytesIO(bundle.read(golden))) + 1000)
    bad = _packed(built, "default", tmp_path / "bad.edgekit", {golden: wrong.getvalue()})
    _commit_untested(bad, root)
    assert command("flash", built.bundle, "--device", device).code == 0
    served = _served(root)
    command("rollback", "--device", device).refused("EK403", 3)
    assert _served(root) == served
    assert command("rollback", "--device", device, "--untested").code == 0
    assert _served(root) == "bad"


def _commit_untested(bundle: Bundle, root: Path) -> None:
    staging = root / "staging" / bundle.digest
    staging.parent.mkdir(parents=True)
    bundle.extract(staging)
    offered = [key.raw for key in bundle.signers]
    stage.stage(root, staging, bundle.digest, offered=offered, stand_in=True)
    lifecycle.begin_trial(root, bundle.digest)
    lifecycle.commit(root)


def test_a_way_back_needs_a_runtime_there(
    command: Command, built: Built, device: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = _packed(built, "default", tmp_path / "first.edgekit").path
    for path in (default, built.bundle):
        assert command("flash", path, "--device", device).code == 0
    served, bare = _served(root), tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {Local.python} -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setattr(Local, "python", str(bare))
    command("rollback", "--device", device).refused("EK410", 3)
    assert _served(root) == served
    assert command("rollback", "--device", device, "--untested").code == 0
    assert _served(root) == "first"


def test_a_device_that_lost_its_state_is_repaired_and_says_what_was_assumed(
    command: Command, built: Built, device: str, root: Path
) -> None:
    assert command("flash", built.bundle, "--device", device).code == 0
    assert "needs no repair" in command("device", "repair", device).out
    (root / "state.json").write_text("")
    status = command("status", "--device", device)
    assert f"edgekit device repair {device}" in _flat(status.err)
    for verb in (("rollback",), ("flash", built.bundle)):
        assert f"edgekit device repair {device}" in _flat(command(*verb, "--device", device).refused("EK708", 3))
    repaired = command("device", "repair", device)
    assert "assumed: what the slots hold was not known any more" in repaired.out
    assert f"{device} is repaired" in repaired.out
    assert command("status", "--device", device).code == 0
    again = command("device", "repair", device, "--json").document
    assert (again["changed"], again["current"], again["assumed"]) == (False, "a", [])
    assert command("device", "ping", device, "--json").document["served"]["whole"]


def test_a_device_that_lost_whom_it_trusts_says_how_to_pin_again(
    command: Command, built: Built, device: str, root: Path
) -> None:
    assert command("flash", built.bundle, "--device", device).code == 0
    (root / "trust.json").unlink()
    assert f"edgekit device trust {device} --key NAME" in _flat(command("status", "--device", device).err)
    command("flash", built.bundle, "--device", device).refused("EK707", 3)
    assert command("device", "trust", device, "--key", "default").code == 0
    assert command("flash", built.bundle, "--device", device).code == 0


def _flat(text: str) -> str:
    """Without the breaks of a narrow terminal."""
    return " ".join(text.split())

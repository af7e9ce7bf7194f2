"""`device trust`: whose bundles a device takes is said on the device, and kept there."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.bundle.archive import Bundle, pack, sign
from edgekit.bundle.keys import KeyStore
from edgekit.bundle.signing import SigningKey
from tests.bundle.ssh_agent import add_to, running_agent
from tests.conftest import Built, Command


@pytest.fixture
def device(tmp_path: Path) -> str:
    return f"local://{tmp_path / 'device'}"


def test_a_device_takes_only_what_its_keys_signed(command: Command, built: Built, device: str) -> None:
    command("keys", "new", "other")
    trusted = command("device", "trust", device, "--key", "other", "--json").document["trust"]
    assert len(trusted["keys"]) == 1
    command("flash", built.bundle, "--device", device).refused("EK303", 3)
    assert command("device", "trust", device, "--key", "default").code == 0
    assert command("flash", built.bundle, "--device", device).code == 0


def test_two_must_sign_where_two_are_asked_for(command: Command, built: Built, device: str, tmp_path: Path) -> None:
    command("keys", "new", "second")
    argv = ("device", "trust", device, "--key", "default", "--key", "second", "--threshold", 2)
    assert command(*argv).code == 0
    command("flash", built.bundle, "--device", device).refused("EK303", 3)
    twice = tmp_path / "twice.edgekit"
    twice.write_bytes(built.bundle.read_bytes())
    assert command("keys", "sign", twice, "--key", "second").code == 0
    assert command("flash", twice, "--device", device).code == 0


def test_a_key_that_was_revoked_opens_nothing_any_more(command: Command, built: Built, device: str) -> None:
    command("keys", "new", "third")
    trusted = command("device", "trust", device, "--key", "default", "--key", "third", "--json").document["trust"]
    (signer,) = (key["id"] for key in trusted["keys"] if key["id"] in command("inspect", built.bundle).out)
    assert command("device", "trust", device, "--revoke", signer).code == 0
    command("flash", built.bundle, "--device", device).refused("EK303", 3)


def test_a_version_below_the_floor_is_refused(command: Command, built: Built, device: str) -> None:
    assert command("device", "trust", device, "--key", "default", "--floor", 3).code == 0
    command("flash", built.bundle, "--device", device).refused("EK305", 3)
    assert "version 3 or later" in command("status", "--device", device).err
    command("device", "trust", device, "--floor", 0).refused("EK402", 3)
    assert command("device", "trust", device, "--floor", 0, "--lower-floor").code == 0
    assert command("flash", built.bundle, "--device", device).code == 0


def test_another_board_is_refused(command: Command, built: Built, device: str) -> None:
    assert command("device", "trust", device, "--key", "default", "--target", "jetson").code == 0
    command("flash", built.bundle, "--device", device).refused("EK304", 3)


def test_host_keys_and_signing_keys_are_two_steps(command: Command, device: str) -> None:
    command("device", "trust", device, "--key", "default", "--replace").refused("EK104", 2)
    command("device", "trust", device, "--key", "nobody").refused("EK102", 2)


def _repacked(built: Built, folder: Path, **changes: object) -> Path:
    """The bundle with these changes to its manifest, signed by the same key."""
    store = KeyStore.of_user()
    opened = Bundle.open(built.bundle, store.trusted())
    opened.extract(folder / "unpacked")
    files = {file.path: folder / "unpacked" / file.path for file in opened.manifest.files}
    description = opened.manifest.model_copy(update=changes)
    return pack(description, files, store.default()[0], folder / "again.edgekit").path


def test_what_has_expired_is_not_flashed_and_what_has_not_says_until_when(
    command: Command, built: Built, device: str, tmp_path: Path
) -> None:
    over = _repacked(built, tmp_path / "over", expires="2026-11-01T00:00:00Z")
    said = command("flash", over, "--device", device).refused("EK306", 3)
    assert "it was to be installed until 2026-11-01T00:00:00Z" in said
    until = _repacked(built, tmp_path / "until", expires="2999-12-31T23:59:59Z")
    assert "2999-12-31T23:59:59Z" in command("inspect", until).out
    assert command("flash", until, "--device", device).code == 0
    assert command("inspect", built.bundle, "--json").document["manifest"].get("expires", "none") == "none"


def test_a_run_that_could_only_end_expired_is_not_begun(command: Command, small: Path, device: str) -> None:
    options = ("--project", small, "--target", "host", "--backend", "onnx", "--device", device)
    command("run", *options, "--set", "project.expires=2026-10-31").refused("EK306", 3)
    for wrong, said in (("expires=2026-10-31T12:00:00", "needs its zone"), ("floor=1", "above its own version 0")):
        ended = command("run", *options, "--set", f"project.{wrong}")
        assert ended.code == 2
        assert said in ended.err


def test_a_line_forged_in_the_name_of_a_signer_does_not_keep_him_out(
    command: Command, built: Built, tmp_path: Path
) -> None:
    command("keys", "new", "late")
    store, path = KeyStore.of_user(), tmp_path / "signed.edgekit"
    path.write_bytes(built.bundle.read_bytes())
    others = [key for key in store.trusted() if key != store.get("late").public]

    class Impostor(SigningKey):
        id = store.get("late").id

    sign(Bundle.open(path, others), Impostor.generate(), others)
    command("inspect", path).refused("EK302", 3)
    assert command("keys", "sign", path, "--key", "late").code == 0
    assert store.get("late").public in Bundle.open(path, store.trusted()).signers


def test_strangers_lines_are_named_by_inspect_and_dropped_by_the_next_signer(
    command: Command, built: Built, tmp_path: Path
) -> None:
    strangers = [SigningKey.generate() for _ in range(2)]
    path = tmp_path / "signed.edgekit"
    path.write_bytes(built.bundle.read_bytes())
    trusted = KeyStore.of_user().trusted()
    ids = [stranger.id for stranger in strangers]
    for stranger in strangers:
        sign(Bundle.open(path, trusted), stranger, trusted, keep=ids)
    assert all(f"{one}: not among your keys, not checked" in command("inspect", path).out for one in ids)
    inspected = command("inspect", path, "--json").document
    assert inspected["unknown_signers"] == sorted(ids)
    assert inspected["signers"] == [inspected["signer"]] == [key.id for key in Bundle.open(path, trusted).signers]
    command("keys", "new", "cosigner")
    command("keys", "sign", path, "--key", "cosigner", "--keep", "ed25519:0000000000000000").refused("EK104", 2)
    ended = command("keys", "sign", path, "--key", "cosigner", "--keep", ids[0])
    assert ended.code == 0
    assert f"dropped a signature by {ids[1]}" in ended.err
    assert ids[0] not in ended.err
    assert Bundle.open(path, trusted).unknown_signers == tuple(sorted([ids[0], KeyStore.of_user().get("cosigner").id]))


def test_a_second_signature_comes_from_an_agent(
    command: Command, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "signed.edgekit"
    path.write_bytes(built.bundle.read_bytes())
    with running_agent() as address:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
        add_to(address, tmp_path, "release")
        assert command("keys", "sign", path, "--key", "agent:release").code == 0
    assert len(Bundle.open(path, KeyStore.of_user().trusted()).signers) == 2

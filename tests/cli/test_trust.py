"""`device trust`: whose bundles a device takes is said on the device, and kept there."""

from __future__ import annotations

from pathlib import Path

import pytest

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

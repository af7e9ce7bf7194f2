"""Devices that are added to the inventory, and a bundle on several of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.api.bundles import open_bundle
from edgekit.api.devices import add_device, flash_fleet, status
from edgekit.devices.device import destinations
from edgekit.devices.inventory import Book
from edgekit.errors import EdgekitError, OptionError, UnknownName
from edgekit.pipeline.fleet import DeviceOutcome, Rollout
from tests.conftest import Built


@pytest.fixture(autouse=True)
def _own_inventory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "config"))


def test_a_device_is_added_with_each_of_its_groups_once() -> None:
    entry = add_device("kitchen", "ssh://pi@kitchen", "raspberry-pi", ("lab", "lab", "home"))
    assert entry.groups == ("lab", "home")
    assert Book.of_user().entries() == {"kitchen": entry}


@pytest.mark.parametrize(
    ("url", "target", "error", "hint"),
    [
        ("pi@kitchen", None, OptionError, "edgekit device add kitchen ssh://pi@kitchen"),
        ("far://kitchen", None, UnknownName, "adb"),
        ("ssh://pi@kitchen", "raspberry-pie", UnknownName, "did you mean 'raspberry-pi"),
    ],
)
def test_a_wrong_url_or_target_is_refused_and_nothing_is_added(
    url: str, target: str | None, error: type[EdgekitError], hint: str
) -> None:
    with pytest.raises(error) as refused:
        add_device("kitchen", url, target)
    assert hint in str(refused.value.hint)
    assert Book.of_user().entries() == {}


def test_a_device_that_does_not_answer_is_not_added_where_that_is_checked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    url = f"local://{tmp_path / 'file'}"
    with pytest.raises(EdgekitError):
        add_device("broken", url, check=True)
    assert Book.of_user().entries() == {}
    add_device("broken", url)
    assert set(Book.of_user().entries()) == {"broken"}


def test_a_fleet_is_flashed_and_each_outcome_is_told_once(
    built: Built, tmp_path: Path, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CONFIG", places["EDGEKIT_CONFIG"])  # the key that signed the bundle
    bundle, told = open_bundle(built.bundle), list[DeviceOutcome]()
    fleet = destinations([f"local://{tmp_path / name}" for name in ("one", "two")])
    rolled = flash_fleet(bundle, fleet, Rollout(canary=1, wave="1"), told.append, commit=False)
    assert [outcome.state for outcome in rolled.outcomes] == ["on trial", "on trial"]
    assert tuple(told) == rolled.outcomes
    assert [slot.state for slot in status(fleet[0].url).slots.values() if slot.digest] == ["trial"]
    with pytest.raises(UnknownName):
        flash_fleet(bundle, fleet, Rollout(), told.append, runtime="onnxruntim")
    assert len(told) == 2

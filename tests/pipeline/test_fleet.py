"""One bundle onto several devices, each a folder of this machine: canary, waves, and what stops them."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.devices.device import Destination
from edgekit.errors import OptionError
from edgekit.pipeline.fleet import Cargo, DeviceOutcome, Rolled, Rollout, roll_out
from tests.devices.conftest import MakeBundle, make_bundle

__all__ = ["make_bundle"]


@pytest.fixture
def devices(tmp_path: Path) -> list[Destination]:
    return [Destination(f"pi-{i}", f"local://{tmp_path / f'pi-{i}'}") for i in range(5)]


def _states(rolled: Rolled) -> list[str]:
    return [outcome.state for outcome in rolled.outcomes]


def _rolled(
    make_bundle: MakeBundle, devices: list[Destination], rollout: Rollout
) -> tuple[Rolled, list[DeviceOutcome]]:
    told: list[DeviceOutcome] = []
    return roll_out(Cargo(make_bundle("one")), devices, rollout, told.append), told


@contextlib.contextmanager
def _busy(device: Destination) -> Iterator[None]:
    """Another edgekit is at work on it."""
    root = Path(device.url.removeprefix("local://"))
    root.mkdir(parents=True)
    with (root / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_all_are_committed_canary_first(make_bundle: MakeBundle, devices: list[Destination]) -> None:
    rolled, told = _rolled(make_bundle, devices, Rollout(canary=1, wave="50%", jobs=2))
    assert _states(rolled) == ["committed"] * 5
    assert [outcome.wave for outcome in rolled.outcomes] == [0, 1, 1, 1, 2]
    assert told[0].device == "pi-0"
    assert {outcome.device for outcome in told} == {device.name for device in devices}
    assert rolled.exit_code == 0


def test_a_canary_that_fails_keeps_all_others_from_it(make_bundle: MakeBundle, devices: list[Destination]) -> None:
    with _busy(devices[0]):
        rolled, _ = _rolled(make_bundle, devices, Rollout())
    assert _states(rolled) == ["failed", *["not reached"] * 4]
    assert rolled.outcomes[0].error is not None
    assert rolled.outcomes[0].error.code == "EK405"
    assert rolled.exit_code == 3
    assert not Path(devices[1].url.removeprefix("local://")).exists()


def test_a_wave_with_a_failure_is_the_last(make_bundle: MakeBundle, devices: list[Destination]) -> None:
    with _busy(devices[2]):
        rolled, _ = _rolled(make_bundle, devices, Rollout(canary=1, wave="2"))
    assert _states(rolled) == ["committed", "committed", "failed", "not reached", "not reached"]
    assert rolled.exit_code == 1


def test_a_device_that_is_another_board_is_refused(make_bundle: MakeBundle, devices: list[Destination]) -> None:
    other = Destination("tx", devices[0].url, target="jetson-orin-nano")
    rolled, _ = _rolled(make_bundle, [other], Rollout())
    assert rolled.outcomes[0].error is not None
    assert rolled.outcomes[0].error.code == "EK304"


def test_what_is_there_already_is_said(make_bundle: MakeBundle, devices: list[Destination]) -> None:
    cargo = Cargo(make_bundle("one"))
    roll_out(cargo, devices[:1], Rollout(), lambda outcome: None)
    again = roll_out(cargo, devices[:2], Rollout(), lambda outcome: None)
    assert _states(again) == ["committed before", "committed"]


@pytest.mark.parametrize(
    ("canary", "wave", "count", "sizes"),
    [
        (1, "25%", 1, (1,)),
        (1, "25%", 9, (1, 3, 3, 2)),
        (0, "100%", 4, (4,)),
        (2, "3", 10, (2, 3, 3, 2)),
        (5, "10%", 3, (3,)),
        (1, "1%", 3, (1, 1, 1)),
    ],
)
def test_waves_are_cut_as_asked(canary: int, wave: str, count: int, sizes: tuple[int, ...]) -> None:
    assert Rollout(canary, wave).waves(count) == sizes


@pytest.mark.parametrize("wave", ["0", "0%", "101%", "a third", "-1", "1.5"])
def test_a_wave_that_is_no_size_is_refused(wave: str) -> None:
    with pytest.raises(OptionError, match="no size of a wave"):
        Rollout(wave=wave)

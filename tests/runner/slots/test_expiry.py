"""Until when a bundle may be installed, told by clocks that may be wrong."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.slots import expiry, lifecycle, stage
from tests.runner.slot import KEY, list_files

Clock = Callable[[str], None]
LONG_AGO = "1970-01-01T00:02:00Z"
SPRING, SUMMER, AUTUMN = "2027-04-01T12:00:00Z", "2027-07-01T12:00:00Z", "2027-10-01T12:00:00Z"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the clock of the device, for all that asks it what time it is."""

    def set_to(moment: str) -> None:
        monkeypatch.setattr(time, "strftime", lambda *_: moment)

    return set_to


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def _arrives(root: Path, name: str, **changes: Any) -> str:
    made = root.parent / name
    made.mkdir()
    (made / "model.onnx").write_text(name)
    list_files(made, changes)
    digest = hashlib.sha256((made / "manifest.json").read_bytes()).hexdigest()
    (root / "staging").mkdir(exist_ok=True)
    made.rename(root / "staging" / digest)
    return digest


def _stage(root: Path, digest: str) -> dict[str, Any]:
    return stage.stage(root, root / "staging" / digest, digest, offered=[KEY.public.raw], stand_in=True)


def _serve(root: Path, digest: str) -> None:
    _stage(root, digest)
    lifecycle.begin_trial(root, digest)
    lifecycle.commit(root)


def _refused(root: Path, digest: str) -> str:
    with pytest.raises(RunnerError) as caught:
        _stage(root, digest)
    assert caught.value.kind == "expired"
    return str(caught.value)


def test_what_has_expired_is_refused_before_it_is_sent_and_when_it_is_staged(root: Path, clock: Clock) -> None:
    clock(SUMMER)
    with pytest.raises(RunnerError, match=f"installed until {SPRING}, and its clock says {SUMMER}") as caught:
        stage.prepare(root, _arrives(root, "one", expires=SPRING), offered=[KEY.public.raw], stand_in=True)
    assert caught.value.kind == "expired"
    _refused(root, _arrives(root, "two", expires=SPRING))
    assert [slot["state"] for slot in lifecycle.status(root)["slots"].values()] == ["empty", "empty"]
    assert _stage(root, _arrives(root, "three", expires=SUMMER))["clock"] is None, "that second is its last"


def test_what_is_installed_is_served_on_and_can_be_gone_back_to(root: Path, clock: Clock) -> None:
    clock(SPRING)
    _serve(root, _arrives(root, "old", expires=SUMMER))
    new = _arrives(root, "new", expires=SUMMER)
    _stage(root, new)
    clock(AUTUMN)
    lifecycle.begin_trial(root, new)
    assert lifecycle.commit(root)["changed"]
    assert lifecycle.rollback(root)["changed"]
    assert lifecycle.status(root)["current"] == "a"


def test_it_does_not_come_back_from_the_slot_behind(root: Path, clock: Clock) -> None:
    clock(SPRING)
    old = _arrives(root, "old", expires=SUMMER)
    _serve(root, old)
    _serve(root, _arrives(root, "new"))
    clock(AUTUMN)
    _refused(root, old)


def test_a_clock_that_cannot_be_right_is_said(root: Path, clock: Clock) -> None:
    clock(LONG_AGO)
    assert _stage(root, _arrives(root, "with", expires=SPRING))["clock"] == LONG_AGO
    assert _stage(root, _arrives(root, "without"))["clock"] is None


def test_a_clock_that_was_set_back_brings_nothing_back(root: Path, clock: Clock) -> None:
    clock(SUMMER)
    _serve(root, _arrives(root, "served"))
    clock(LONG_AGO)
    assert f"its slots were changed at {SUMMER}" in _refused(root, _arrives(root, "over", expires=SPRING))
    assert _stage(root, _arrives(root, "not over", expires=AUTUMN))["clock"] == LONG_AGO


@pytest.mark.parametrize("when", [None, 7, "", "soon", "9999"])
def test_a_history_without_times_says_nothing(when: object, clock: Clock) -> None:
    clock(SPRING)
    assert expiry.check_expiry(SPRING, [{"when": when}, {}]) is None


@pytest.mark.parametrize(
    "expires", ["", "2027-01-31", "2027-02-31T00:00:00Z", "2027-01-31T00:00:00+00:00", 7, [SPRING]]
)
def test_an_expiry_that_is_no_utc_time_makes_no_sense(root: Path, expires: object) -> None:
    with pytest.raises(RunnerError, match="makes no sense") as caught:
        _stage(root, _arrives(root, "senseless", expires=expires))
    assert caught.value.kind == "data"

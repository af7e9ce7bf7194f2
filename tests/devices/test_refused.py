"""Bundles with a right signature that a device must not take all the same: each refused by its own error."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from edgekit.bundle.signing import SigningKey, add_signature
from edgekit.devices.flash import commit, flash, rollback, serving, status, trust
from edgekit.devices.local import Local
from edgekit.devices.ssh import Ssh
from edgekit.devices.transport import DeviceKind, Transport
from edgekit.errors import EdgekitError, Expired, Incompatible, UntrustedKey, VersionTooOld
from edgekit.ir.artifact import Format
from tests.devices.conftest import HandMade, MakeBundle
from tests.devices.debian_programs import fetched
from tests.devices.sshd import PACKAGES, running
from tests.runner.slot import KEY, list_files

ARCH = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine(), platform.machine())
OTHER = SigningKey.generate()


class Board(Local):
    """This machine as if it were no stand-in: the bundle's kind of machine counts."""

    kind: ClassVar[DeviceKind] = "device"


@pytest.fixture(params=["local", pytest.param("ssh", marks=pytest.mark.served)])
def board(
    request: pytest.FixtureRequest, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Transport]:
    if request.param == "local":
        with Board(f"local://{tmp_path / 'board'}") as local:
            yield local
        return
    monkeypatch.setattr(Ssh, "python", sys.executable)
    packages = fetched(PACKAGES, Path(places["EDGEKIT_CACHE"]) / "downloads")
    with running(tmp_path / "sshd", packages) as sshd, sshd.device() as device:
        yield device


@pytest.fixture
def make(make_bundle: MakeBundle) -> MakeBundle:
    def made(
        name: str, format: Format = "onnx", arch: str = ARCH, plan: dict[str, Any] | None = None, **changes: Any
    ) -> HandMade:
        bundle = make_bundle(name, format, arch, plan, **{"version": 3, **changes})
        list_files(bundle.folder, _written(bundle))
        return bundle

    return made


def _written(bundle: HandMade) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(bundle.read("manifest.json"))
    return record


def _refused(board: Transport, bundle: HandMade, error: type[EdgekitError]) -> None:
    """By its own error, with both slots, what is served, the history and the trust as they were."""
    before = status(board)
    with pytest.raises(error) as caught:
        flash(bundle, board, "system")
    assert type(caught.value) is error
    assert caught.value.hint
    assert status(board) == before
    staging = board.root / "staging"
    assert board.run(["ls", "-A", str(staging)], timeout=30).stdout == ""


def _serve(board: Transport, bundle: HandMade) -> None:
    commit(flash(bundle, board, "system"))


def test_what_is_signed_and_wrong_is_refused_and_the_next_good_one_is_taken(board: Transport, make: MakeBundle) -> None:
    _serve(board, make("served"))
    trust(board, target="boards")
    wrong: dict[str, dict[str, Any]] = {
        "another target": {"target": "other", "family": "others"},
        "another machine": {"arch": "riscv64"},
    }
    for name, changes in wrong.items():
        _refused(board, make(name, **changes), Incompatible)
    trust(board, target="some-board", floor=3)
    _refused(board, make("below the floor", version=2), VersionTooOld)
    trust(board, pin=[OTHER.public], threshold=2)
    lone = make("one signer of two")
    _refused(board, lone, UntrustedKey)
    trust(board, threshold=1, revoke=[KEY.id])
    _refused(board, make("a revoked key"), UntrustedKey)
    both = make("signed by another one too")
    signature, manifest = both.folder / "manifest.sig", both.read("manifest.json")
    signature.write_bytes(add_signature(signature.read_bytes(), OTHER, manifest))
    _serve(board, HandMade.of(both.folder, both.manifest, [KEY.public, OTHER.public]))
    record = status(board)
    assert record.current is not None
    assert record.slots[record.current].digest == both.digest


def test_an_older_bundle_does_not_come_back_neither_replayed_nor_by_rollback(
    board: Transport, make: MakeBundle
) -> None:
    old = make("old", version=1)
    _serve(board, old)
    _serve(board, make("new", version=3, floor=2))
    assert status(board).trust.floor == 2
    _refused(board, old, VersionTooOld)
    before = status(board)
    with pytest.raises(VersionTooOld):
        rollback(serving(board))
    assert status(board) == before
    _serve(board, make("newest", version=4))
    rollback(serving(board))
    record = status(board)
    assert record.slots[record.current or ""].version == 3


def test_a_device_that_has_seen_a_later_time_than_its_clock_shows_says_so(
    board: Transport, make: MakeBundle, tmp_path: Path
) -> None:
    """Its clock went back: what its history proves to be over is refused, and the rest is taken with a remark."""
    _serve(board, make("served"))
    state = tmp_path / "state.json"
    board.pull(board.root / "state.json", state)
    record = json.loads(state.read_text())
    record["history"][-1]["when"] = "2999-01-01T00:00:00Z"
    state.write_text(json.dumps(record))
    board.push(state, board.root / "state.json")
    _refused(board, make("over", expires="2998-12-31T23:59:59Z"), Expired)
    installed = flash(make("not over", expires="2999-01-02T00:00:00Z"), board, "system")
    (remark,) = installed.remarks
    assert installed.clock is not None
    assert installed.clock < "2999"
    assert f"its clock, at {installed.clock}, cannot be right" in remark


BOOTED_IN_1970 = """
import time
gmtime = time.gmtime
time.time = lambda: 120.0
time.gmtime = lambda seconds=None: gmtime(120 if seconds is None else seconds)
"""


def _without_battery(device: Transport, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the device's Python, and so the runner, see the clock of a board that has just booted in 1970."""
    (folder / "sitecustomize.py").write_text(BOOTED_IN_1970)
    python = folder / "python3"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(type(device), "python", str(python))


def test_a_board_without_a_clocks_battery_takes_what_no_earlier_time_forbids_and_says_so(
    board: Transport, make: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It boots in 1970: by that alone every bundle could be installed for ever."""
    with monkeypatch.context() as booted:
        _without_battery(board, tmp_path, booted)
        _refused(board, make("over", expires="2026-10-31T23:59:59Z"), Expired)
        first = flash(make("first", expires="2999-01-01T00:00:00Z"), board, "system")
        assert first.clock == "1970-01-01T00:02:00Z"
        assert any("its clock, at 1970-01-01T00:02:00Z, cannot be right" in remark for remark in first.remarks)
        commit(first)
        assert {event.when for event in status(board).history} == {"1970-01-01T00:02:00Z"}
    # The network has told the time.
    second = flash(make("second", version=4, expires="2999-01-01T00:00:00Z"), board, "system")
    assert second.clock is None
    assert second.remarks == ()

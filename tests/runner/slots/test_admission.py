"""What is served is trusted when it comes to be served, and whole: at every move of `current`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.files.integrity import fault
from edgekit.runner.slots import lifecycle, state, unpack
from edgekit.runner.slots import stage as stage_step
from edgekit.runner.slots.begin import begin
from edgekit.runner.slots.trust import Trust
from tests.runner.device import OTHER, SHARED, arrive, install, on_trial, served, stage, states
from tests.runner.slot import KEY

BOTH = Trust((KEY.public.raw, OTHER.public.raw))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A device that believes two keys."""
    root = tmp_path / "root"
    root.mkdir()
    BOTH.write(root)
    return root


def _revoke(root: Path) -> None:
    Trust.of(root).revoking([KEY.id]).write(root)


def _ask_for_two(root: Path) -> None:
    Trust.of(root)._replace(threshold=2).write(root)


def _raise_the_floor(root: Path) -> None:
    Trust.of(root)._replace(floor=7).write(root)


def _change_the_board(root: Path) -> None:
    Trust.of(root)._replace(target="another").write(root)


def _lose_the_pins(root: Path) -> None:
    Trust().write(root)


CHANGES = {
    _revoke: "trust",
    _ask_for_two: "trust",
    _raise_the_floor: "version",
    _change_the_board: "refused",
    _lose_the_pins: "unpinned",
}
changes = pytest.mark.parametrize(("change", "kind"), CHANGES.items(), ids=lambda value: getattr(value, "__name__", ""))


@changes
def test_what_was_trusted_once_does_not_come_back(root: Path, change: Callable[[Path], None], kind: str) -> None:
    install(root, "old")
    install(root, "new", OTHER, version=9)
    change(root)
    with pytest.raises(RunnerError) as caught:
        lifecycle.rollback(root)
    assert caught.value.kind == kind
    assert served(root) == "new"
    assert states(root) == ("committed", "committed")


@changes
def test_a_trial_that_is_not_trusted_any_more_is_not_committed_and_may_be_dropped(
    root: Path, change: Callable[[Path], None], kind: str
) -> None:
    install(root, "old", OTHER, version=9)
    digest = on_trial(root, "new")
    change(root)
    with pytest.raises(RunnerError) as caught:
        lifecycle.commit(root, digest)
    assert caught.value.kind == kind
    assert served(root) == "old"
    assert lifecycle.rollback(root, digest)["state"] == "failed"
    assert served(root) == "old"


@changes
def test_what_is_staged_and_not_trusted_any_more_does_not_become_a_trial(
    root: Path, change: Callable[[Path], None], kind: str
) -> None:
    digest = stage(root, "new")
    change(root)
    with pytest.raises(RunnerError) as caught:
        lifecycle.begin_trial(root, digest)
    assert caught.value.kind == kind
    assert states(root) == ("staged", "empty")


@changes
def test_a_flash_of_what_a_slot_holds_is_refused_at_its_first_question(
    root: Path, change: Callable[[Path], None], kind: str
) -> None:
    digest = install(root, "old")
    install(root, "new", OTHER, version=9)
    change(root)
    with pytest.raises(RunnerError) as caught:
        begin(root, digest, "token", "me@here", None, [KEY.public.raw], stand_in=True)
    assert caught.value.kind == kind
    assert lifecycle.status(root)["lease"] is None


def test_what_is_served_is_served_still_and_the_device_says_that_it_is_not_trusted(root: Path) -> None:
    old, new = install(root, "old"), on_trial(root, "new")
    _revoke(root)
    now = lifecycle.status(root)
    refused = {one["slot"]: (one["role"], one["digest"]) for one in now["trust"]["refused"]}
    assert refused == {"a": ("served", old), "b": ("trial", new)}
    assert all("does not trust" in one["why"] for one in now["trust"]["refused"])
    assert served(root) == "old"


def _change(slot: Path) -> None:
    (slot / "model.onnx").write_text("odd")


def _lose_the_model(slot: Path) -> None:
    (slot / "model.onnx").unlink()


def _add(slot: Path) -> None:
    (slot / "more").write_text("")


def _lose_the_signature(slot: Path) -> None:
    (slot / "manifest.sig").unlink()


def _empty_the_manifest(slot: Path) -> None:
    (slot / "manifest.json").write_text("")


def _lose_the_slot(slot: Path) -> None:
    shutil.rmtree(slot)


damages = pytest.mark.parametrize(
    "damage", [_change, _lose_the_model, _add, _lose_the_signature, _empty_the_manifest, _lose_the_slot]
)


@damages
def test_a_damaged_slot_is_no_way_back(root: Path, damage: Callable[[Path], None]) -> None:
    install(root, "old")
    install(root, "new")
    damage(root / "a")
    with pytest.raises(RunnerError) as caught:
        lifecycle.rollback(root)
    assert caught.value.kind == "damaged"
    assert served(root) == "new"
    assert states(root) == ("committed", "committed")


@damages
def test_a_damaged_slot_is_told_as_such_and_flashed_anew(root: Path, damage: Callable[[Path], None]) -> None:
    digest = install(root, "old")
    damage(root / "a")
    now = lifecycle.status(root)
    assert (now["slots"]["a"]["whole"], now["trust"]["refused"]) == (False, [])
    begun = begin(root, digest, "token", "me@here", None, [KEY.public.raw], stand_in=True)
    assert begun["slot"] is None
    lifecycle.release(root, "token")
    assert install(root, "old") == digest
    assert (served(root), lifecycle.status(root)["current"]) == ("old", "b")


@damages
def test_a_damaged_trial_is_not_committed(root: Path, damage: Callable[[Path], None]) -> None:
    install(root, "old")
    digest = on_trial(root, "new")
    damage(root / "b")
    with pytest.raises(RunnerError) as caught:
        lifecycle.commit(root, digest)
    assert caught.value.kind == "damaged"
    assert served(root) == "old"


@damages
def test_what_was_damaged_after_it_was_staged_does_not_become_a_trial(
    root: Path, damage: Callable[[Path], None]
) -> None:
    digest = stage(root, "new")
    damage(root / "a")
    with pytest.raises(RunnerError) as caught:
        lifecycle.begin_trial(root, digest)
    assert caught.value.kind == "damaged"


@pytest.mark.parametrize("wrong", [_revoke, lambda root: _change(root / "b")], ids=["revoked", "damaged"])
def test_a_commit_that_was_cut_short_is_finished_only_if_it_may_be(root: Path, wrong: Callable[[Path], None]) -> None:
    install(root, "old", OTHER)
    on_trial(root, "new")
    state.serve_slot(root, "b")
    wrong(root)
    now = lifecycle.status(root)
    assert (now["current"], served(root)) == ("a", "old")
    assert states(root) == ("committed", "failed")
    assert now["history"][-1]["verdict"] == "rolled back"
    assert "may not be served" in str(now["history"][-1]) or "damaged" in str(now["history"][-1])


def test_a_commit_that_was_cut_short_is_finished(root: Path) -> None:
    install(root, "old", OTHER)
    on_trial(root, "new", version=3, floor=2)
    state.serve_slot(root, "b")
    assert (lifecycle.status(root)["current"], served(root), states(root)) == ("b", "new", ("committed", "committed"))
    assert Trust.of(root).floor == 2


@pytest.mark.parametrize("wrong", [_revoke, lambda root: _change(root / "a")], ids=["revoked", "damaged"])
def test_a_rollback_that_was_cut_short_stays_where_it_is_if_it_may_not_go_back(
    root: Path, wrong: Callable[[Path], None]
) -> None:
    install(root, "old")
    install(root, "new", OTHER)
    before = state.read(root)
    state.write(root, state.changed(before, "b", state="failed"))
    wrong(root)
    assert (lifecycle.status(root)["current"], served(root)) == ("b", "new")
    assert states(root) == ("committed", "committed")


def test_damage_to_one_slot_does_not_reach_the_other(root: Path) -> None:
    """Files that are equal in both are no links to one: written over, cut or lost, the other has its own."""
    install(root, "old")
    install(root, "new")
    assert (root / "a" / SHARED).read_text() == (root / "b" / SHARED).read_text()
    with (root / "b" / SHARED).open("r+") as file:
        file.write("damaged")
    assert fault(root / "a") is None
    assert {path.stat().st_nlink for path in root.rglob("*.npy")} == {1}


def test_a_link_that_an_older_edgekit_left_in_the_staging_becomes_a_file(root: Path) -> None:
    install(root, "old")
    staging = arrive(root, "new")
    (staging / SHARED).unlink()
    (staging / SHARED).hardlink_to(root / "a" / SHARED)
    assert stage_step.prepare(root, staging.name, offered=[KEY.public.raw], stand_in=True)["missing"] == []
    assert {path.stat().st_nlink for path in root.rglob("*.npy")} == {1}


def test_a_copy_that_the_disk_cannot_take_is_not_begun(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(root, "old")
    free = os.statvfs(root)
    full = SimpleNamespace(f_bavail=0, f_frsize=free.f_frsize)
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    monkeypatch.setattr(unpack, "FICLONE", 0)  # blocks that are shared need no room
    with pytest.raises(RunnerError, match="has no room for 15 bytes more") as caught:
        stage(root, "new")
    assert caught.value.kind == "storage"
    assert served(root) == "old"

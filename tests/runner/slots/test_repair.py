"""What is lost, empty or garbled beside the slots: nothing is believed that is not there, and there is a way out."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.files.integrity import fault
from edgekit.runner.slots import lifecycle, state
from edgekit.runner.slots.begin import begin
from edgekit.runner.slots.repair import repair
from edgekit.runner.slots.trust import Trust
from tests.runner.conftest import Bare
from tests.runner.device import OTHER, edit, install, on_trial, served, states
from tests.runner.slot import KEY

GARBLED: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"{",
    "cut": b'{"schema": 1, "slots": {"a": {"state": "commi',
    "null": b"null",
    "a list": b"[]",
    "a number": b"3",
    "an object": b"{}",
    "a number for slots": b'{"schema": 1, "slots": 3, "history": []}',
    "a number for a slot": b'{"schema": 1, "slots": {"a": 3, "b": 3}, "history": []}',
    "a list for a state": b'{"slots": {"a": {"state": []}, "b": {}}, "history": []}',
    "another state": b'{"slots": {"a": {"state": "odd"}, "b": {}}, "history": []}',
    "a slot without its digest": b'{"slots": {"a": {"state": "committed"}, "b": {}}, "history": []}',
    "a number for a digest": b'{"slots": {"a": {"state": "trial", "digest": 3}, "b": {}}, "history": []}',
    "no history": b'{"slots": {"a": {}, "b": {}}}',
    "numbers in the history": b'{"slots": {"a": {}, "b": {}}, "history": [3]}',
    "a verdict that none is": b'{"slots": {"a": {}, "b": {}}, "history": [{"digest": "", "when": "", "verdict": "x"}]}',
    "a number without end": b'{"slots": {"a": {}, "b": {}}, "history": [], "more": 1e999}',
    "no number": b'{"slots": {"a": {}, "b": {}}, "history": [], "more": NaN}',
    "half a letter": b'{"slots": {"a": {}, "b": {}}, "history": [], "more": "\\ud800"}',
    "deep": b"[" * 200_000,
    "no UTF-8": b'{"\xff": 1}',
    "zeros": bytes(4096),
    "long": b" " * (17 << 20),
}
garbled = pytest.mark.parametrize("content", GARBLED.values(), ids=GARBLED.keys())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A device that serves `new`; behind it is `old`."""
    root = tmp_path / "root"
    install(root, "old", version=3, floor=2)
    install(root, "new", version=4, floor=3)
    return root


def _kind(action: Callable[[], object]) -> str:
    with pytest.raises(RunnerError) as caught:
        action()
    return caught.value.kind


@garbled
def test_a_garbled_lease_protects_nothing(root: Path, content: bytes) -> None:
    (root / "lease.json").write_bytes(content)
    assert lifecycle.status(root)["lease"] is None
    assert lifecycle.release(root, "anybody")["changed"] is False
    begin(root, "0" * 64, "mine", "me@here", None, [KEY.public.raw], stand_in=True)
    assert lifecycle.status(root)["lease"]["holder"] == "me@here"


@pytest.mark.parametrize(
    "changes",
    [
        {"token": 3},
        {"who": None},
        {"ttl_s": "long"},
        {"ends": 3},
        {"ends": {}},
        {"ends": {"boot": 3, "until": 1}},
        {"ends": {"boot": "", "until": "x"}},
        {"more": 1},
    ],
    ids=str,
)
def test_a_lease_of_wrong_kinds_protects_nothing(root: Path, changes: dict[str, object]) -> None:
    begin(root, "0" * 64, "mine", "me@here", None, [], stand_in=True)
    assert lifecycle.status(root)["lease"]
    edit(root / "lease.json", **changes)
    assert lifecycle.status(root)["lease"] is None
    lifecycle.rollback(root)


def test_a_lease_for_ever_protects_nothing(root: Path) -> None:
    begin(root, "0" * 64, "mine", "me@here", None, [], stand_in=True)
    for until in (1e9, float("inf"), float("nan")):
        ends = {**json.loads((root / "lease.json").read_text())["ends"], "until": until}
        edit(root / "lease.json", ends=ends)
        assert lifecycle.status(root)["lease"] is None


def _folder_in_place(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "more").write_text("")


@pytest.mark.parametrize("name", ["lease.json", "trust.json", "state.json", "current"])
def test_a_folder_in_a_files_place_is_replaced(root: Path, name: str) -> None:
    _folder_in_place(root / name)
    lifecycle.status(root)
    if name == "trust.json":
        Trust((KEY.public.raw,)).write(root)
    repair(root)
    install(root, "next", version=5)
    assert served(root) == "next"


@garbled
def test_a_state_that_is_garbled_moves_nothing_and_is_rebuilt_from_what_verifies(root: Path, content: bytes) -> None:
    before = lifecycle.status(root)
    (root / "state.json").write_bytes(content)
    for verb in (lifecycle.rollback, lifecycle.commit):
        assert _kind(partial(verb, root)) == "garbled"
    now = lifecycle.status(root)
    assert (now["current"], [one["kind"] for one in now["damage"]]) == ("b", ["garbled"])
    assert now["slots"]["b"]["state"] == "committed"
    repaired = repair(root)
    assert (repaired["changed"], repaired["current"]) == (True, "b")
    assert any("each was judged by its own files" in line for line in repaired["assumed"])
    after = lifecycle.status(root)
    assert after["damage"] == []
    assert after["slots"]["b"] == before["slots"]["b"]
    assert states(root) == ("staged", "committed")
    assert after["history"][-1]["verdict"] == "repaired"
    assert repair(root) == {"changed": False, "current": "b", "assumed": []}
    install(root, "next", version=5)
    lifecycle.rollback(root)
    assert served(root) == "new"


def test_a_state_that_is_lost_is_told_from_a_device_that_is_new(root: Path, tmp_path: Path) -> None:
    (root / "state.json").unlink()
    assert _kind(lambda: lifecycle.rollback(root)) == "garbled"
    assert lifecycle.status(tmp_path / "fresh")["damage"] == []
    assert repair(tmp_path / "fresh") == {"changed": False, "current": None, "assumed": []}


def test_a_trial_whose_state_was_lost_is_not_taken_for_what_was_committed(root: Path) -> None:
    on_trial(root, "next", version=5)
    (root / "state.json").unlink()
    assert repair(root)["current"] == "b"
    assert states(root) == ("staged", "committed")
    assert _kind(lambda: lifecycle.commit(root)) == "state"
    assert served(root) == "new"


def test_where_the_link_is_lost_the_slot_that_was_committed_last_is_served(root: Path) -> None:
    (root / "current").unlink()
    now = lifecycle.status(root)
    assert (now["current"], [one["kind"] for one in now["damage"]]) == (None, ["garbled"])
    assert _kind(lambda: lifecycle.rollback(root)) == "garbled"
    repaired = repair(root)
    assert (repaired["current"], served(root)) == ("b", "new")
    assert "what was served was not known any more: slot 'b' is served" in repaired["assumed"][0]
    lifecycle.rollback(root)
    assert served(root) == "old"


@pytest.mark.parametrize("to", ["c", "../elsewhere", "/", "lock"])
def test_a_link_elsewhere_is_put_right(root: Path, to: str) -> None:
    (root / "current").unlink()
    (root / "current").symlink_to(to)
    assert lifecycle.status(root)["current"] is None
    assert repair(root)["current"] == "b"
    assert served(root) == "new"


def test_where_state_and_link_are_lost_what_was_written_first_is_served(root: Path) -> None:
    (root / "current").unlink()
    (root / "state.json").unlink()
    os.utime(root / "a" / "manifest.json", (1, 1))
    repaired = repair(root)
    assert (repaired["current"], served(root)) == ("a", "old")
    assert any("whether it was ever committed is not known" in line for line in repaired["assumed"])


def test_a_repair_serves_the_whole_slot_where_the_served_one_is_damaged(root: Path) -> None:
    (root / "b" / "model.onnx").write_text("odd")
    assert not lifecycle.status(root)["slots"]["b"]["whole"]
    repaired = repair(root)
    assert (repaired["current"], served(root)) == ("a", "old")
    assert states(root) == ("committed", "failed")
    assert "slot 'b', which was served, is damaged: slot 'a' is served" in repaired["assumed"][0]


def test_a_slot_whose_signature_is_damaged_is_damaged_though_its_files_are_whole(root: Path) -> None:
    (root / "b" / "manifest.sig").write_text("odd")
    assert fault(root / "b") is None
    assert repair(root)["current"] == "a"
    assert states(root) == ("committed", "failed")


def test_a_repair_does_not_serve_what_is_below_the_floor_or_of_a_stranger(root: Path) -> None:
    Trust.of(root)._replace(floor=4).write(root)
    (root / "b" / "model.onnx").unlink()
    assert repair(root)["current"] == "b"  # `old` is below the floor
    assert not lifecycle.status(root)["slots"]["b"]["whole"]
    Trust((OTHER.public.raw,), floor=0).write(root)
    (root / "state.json").unlink()
    assert repair(root)["current"] == "b"
    assert states(root) == ("failed", "committed")


def test_a_trial_is_never_served_by_a_repair_that_knows_it(root: Path) -> None:
    on_trial(root, "next", version=5)
    (root / "b" / "model.onnx").unlink()
    repair(root)
    assert lifecycle.status(root)["slots"]["a"]["state"] == "trial"
    assert lifecycle.status(root)["current"] == "b"


def test_nothing_is_served_where_nothing_is_whole_and_the_next_bundle_is_taken(root: Path) -> None:
    for name in "ab":
        shutil.rmtree(root / name)
    repaired = repair(root)
    assert repaired["current"] is None
    assert any("no slot holds anything else that may be served" in line for line in repaired["assumed"])
    assert lifecycle.status(root)["damage"] == []
    install(root, "next", version=5)
    assert served(root) == "next"


def test_a_repair_waits_for_who_flashes(root: Path) -> None:
    begin(root, "0" * 64, "mine", "me@here", None, [KEY.public.raw], stand_in=True)
    assert _kind(lambda: repair(root)) == "leased"


def _overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


LOST_TRUST: dict[str, Callable[[Path], object]] = {
    "lost": Path.unlink,
    "without keys": lambda path: edit(path, keys=[]),
    **{name: partial(_overwrite, content=content) for name, content in GARBLED.items()},
    "a number for keys": lambda path: edit(path, keys=3),
    "a number for a key": lambda path: edit(path, keys=[3]),
    "a short key": lambda path: edit(path, keys=[{"id": "x", "public_hex": "00"}]),
    "a text for a threshold": lambda path: edit(path, threshold="1"),
    "no threshold": lambda path: edit(path, threshold=0),
    "a list for a floor": lambda path: edit(path, floor=[]),
    "a number for a target": lambda path: edit(path, target=3),
    "a number for revoked": lambda path: edit(path, revoked=3),
}


@pytest.mark.parametrize("lose", LOST_TRUST.values(), ids=LOST_TRUST.keys())
def test_a_device_that_has_lost_whom_it_trusts_pins_no_stranger(
    root: Path, bare: Bare, lose: Callable[[Path], object]
) -> None:
    lose(root / "trust.json")
    assert _kind(lambda: install(root, "theirs", OTHER, version=5)) == "unpinned"
    assert _kind(lambda: lifecycle.rollback(root)) == "unpinned"
    assert _kind(lambda: repair(root)) == "unpinned"
    now = lifecycle.status(root)
    assert [one["kind"] for one in now["damage"]] == ["unpinned"]
    assert served(root) == "new"
    shutil.rmtree(root.parent / "made", ignore_errors=True)
    pinned = bare.ask("slots", "trust", root, "--pin", KEY.public.raw.hex()).document
    assert [key["id"] for key in pinned["keys"]] == [KEY.id]
    assert pinned["floor"] == 3  # as what is committed there has set it
    assert lifecycle.status(root)["damage"] == []
    assert _kind(lambda: install(root, "theirs", OTHER, version=5)) == "trust"
    shutil.rmtree(root.parent / "made", ignore_errors=True)
    install(root, "mine", version=5)


def test_a_lost_trust_is_said_anew_by_pinning_only(root: Path, bare: Bare) -> None:
    (root / "trust.json").write_text("{")
    assert bare.ask("slots", "trust", root, "--floor", 3).document["kind"] == "unpinned"
    assert (root / "trust.json").read_text() == "{"


def test_the_first_signer_is_still_pinned_where_only_the_board_was_said_before(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    Trust()._replace(target="some-board").write(root)
    install(root, "first")
    assert Trust.of(root).keys == (KEY.public.raw,)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
@pytest.mark.parametrize(("name", "kind"), [("state.json", "garbled"), ("trust.json", "unpinned")])
def test_a_file_that_cannot_be_read_is_told_as_damage(root: Path, name: str, kind: str) -> None:
    (root / name).chmod(0)
    assert [one["kind"] for one in lifecycle.status(root)["damage"]] == [kind]


def test_whatever_is_done_to_the_records_a_repair_makes_sense_of_it(root: Path, tmp_path: Path) -> None:
    """A hundred edits of state and link: after a repair every verb answers, and what is served is whole."""
    choose = random.Random(13)
    words: list[object] = [None, 3, "", "a", "trial", "staged", "failed", "empty", [], {}, "0" * 64]
    for _ in range(100):
        copy = tmp_path / "copy"
        shutil.copytree(root, copy, symlinks=True)
        known = json.loads((copy / "state.json").read_text())
        for _ in range(choose.randrange(1, 3)):
            known["slots"][choose.choice("ab")][choose.choice(["state", "digest", "signers", "floor"])] = choose.choice(
                words
            )
        (copy / "state.json").write_text(json.dumps(known))
        if choose.random() < 0.3:
            (copy / "current").unlink()
        repaired = repair(copy)
        assert repair(copy)["changed"] is False, (known, repaired)
        now = lifecycle.status(copy)
        assert now["damage"] == []
        assert now["current"] == repaired["current"]
        assert now["current"] is None or fault(copy / "current") is None
        assert now["current"] is None or now["slots"][now["current"]]["state"] == "committed"
        assert state.recovered(copy)
        shutil.rmtree(copy)

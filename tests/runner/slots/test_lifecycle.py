"""Two slots: what is served is replaced whole or not at all."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.files.integrity import fault
from edgekit.runner.layout import MANIFEST, SIGNATURE
from edgekit.runner.slots import deadlines, lifecycle, stage
from edgekit.runner.slots.begin import begin
from edgekit.runner.slots.staging_folder import archive_of
from tests.runner.conftest import Bare
from tests.runner.slot import KEY, list_files


def _bundle(folder: Path, text: str, **changes: object) -> Path:
    (folder / "golden").mkdir(parents=True)
    (folder / "model.onnx").write_text(text)
    (folder / "golden" / "x.npy").write_text(text * 2)
    return list_files(folder, {"schema": 1, **changes})


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def _digest_of(text: str) -> str:
    with tempfile.TemporaryDirectory() as name:
        return _digest(_bundle(Path(name) / "bundle", text))


VERBS = ("begin", "install", "install and commit", "abort", "commit", "rollback trial", "rollback committed")
SERVING = ("install and commit", "commit", "rollback committed")
"""After these the new one may be served."""
TOKEN = "token"
BROUGHT = (f"--offer={KEY.public.raw.hex()}", "--stand-in")
OLD, NEW = _digest_of("old"), _digest_of("new")


def _stage(root: Path, staging: Path, digest: str | None = None) -> dict[str, Any]:
    return stage.stage(root, staging, digest or _digest(staging), offered=[KEY.public.raw], stand_in=True)


def _try(root: Path, text: str = "new") -> dict[str, Any]:
    """On trial."""
    staging = _bundle(root / "staging" / text, text)
    digest = _digest(staging)
    _stage(root, staging)
    return lifecycle.begin_trial(root, digest)


def _install(root: Path, text: str) -> None:
    _try(root, text)
    lifecycle.commit(root)


def _served(root: Path) -> str:
    return (root / "current" / "model.onnx").read_text()


def _states(root: Path) -> tuple[str, str]:
    now = lifecycle.status(root)["slots"]
    return now["a"]["state"], now["b"]["state"]


def test_a_fresh_root_is_empty(tmp_path: Path) -> None:
    now = lifecycle.status(tmp_path / "root")
    assert now["current"] is None
    assert _states(tmp_path / "root") == ("empty", "empty")


def test_a_trial_is_not_served_until_it_is_committed(tmp_path: Path) -> None:
    _install(tmp_path, "old")
    answer = _try(tmp_path)
    assert answer["slot"] == str(tmp_path / "b")
    assert _states(tmp_path) == ("committed", "trial")
    assert _served(tmp_path) == "old"
    assert lifecycle.commit(tmp_path, NEW)["changed"]
    assert _states(tmp_path) == ("committed", "committed")
    assert _served(tmp_path) == "new"


def test_the_slots_take_turns(tmp_path: Path) -> None:
    for i in range(3):
        _install(tmp_path, str(i))
        assert lifecycle.status(tmp_path)["current"] == "aba"[i]
        assert _served(tmp_path) == str(i)


def test_rollback_drops_a_trial(tmp_path: Path) -> None:
    _install(tmp_path, "old")
    _try(tmp_path)
    assert lifecycle.rollback(tmp_path, NEW)["state"] == "failed"
    assert _states(tmp_path) == ("committed", "failed")
    assert _served(tmp_path) == "old"
    assert not lifecycle.rollback(tmp_path, NEW)["changed"]


def test_rollback_without_a_trial_goes_back_to_the_slot_before(tmp_path: Path) -> None:
    _install(tmp_path, "old")
    _install(tmp_path, "new")
    lifecycle.rollback(tmp_path)
    assert _served(tmp_path) == "old"
    assert _states(tmp_path) == ("committed", "failed")
    with pytest.raises(RunnerError, match="no slot to go back to"):
        lifecycle.rollback(tmp_path)
    assert _served(tmp_path) == "old"


def test_what_is_served_already_is_not_written_again(tmp_path: Path) -> None:
    _install(tmp_path, "old")
    before = (tmp_path / "a" / "model.onnx").stat()
    answer = _stage(tmp_path, tmp_path / "staging" / "none", OLD)
    assert (answer["changed"], answer["state"]) == (False, "committed")
    assert not lifecycle.commit(tmp_path, OLD)["changed"]
    assert (tmp_path / "a" / "model.onnx").stat() == before


def test_what_is_served_but_damaged_is_replaced_by_a_whole_copy(tmp_path: Path) -> None:
    _install(tmp_path, "old")
    (tmp_path / "a" / "model.onnx").write_text("odd")
    assert not lifecycle.status(tmp_path)["slots"]["a"]["whole"]
    _install(tmp_path, "old")
    assert lifecycle.status(tmp_path)["current"] == "b"
    assert _served(tmp_path) == "old"


def test_what_was_served_before_becomes_a_trial_where_it_is(tmp_path: Path) -> None:
    _install(tmp_path, "old")
    _install(tmp_path, "new")
    before = (tmp_path / "a" / "model.onnx").stat()
    answer = _stage(tmp_path, tmp_path / "staging" / "none", OLD)
    assert (answer["slot"], answer["state"], answer["changed"]) == (str(tmp_path / "a"), "staged", True)
    assert not _stage(tmp_path, tmp_path / "staging" / "none", OLD)["changed"]
    assert _served(tmp_path) == "new"
    lifecycle.begin_trial(tmp_path, OLD)
    lifecycle.commit(tmp_path, OLD)
    assert _served(tmp_path) == "old"
    assert (tmp_path / "a" / "model.onnx").stat() == before


def test_what_failed_must_be_sent_again(tmp_path: Path) -> None:
    _try(tmp_path)
    lifecycle.rollback(tmp_path)
    with pytest.raises(RunnerError, match="cannot be read"):
        _stage(tmp_path, tmp_path / "staging" / "none", NEW)
    _try(tmp_path)
    assert _states(tmp_path) == ("trial", "empty")


def test_committing_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="has no trial") as caught:
        lifecycle.commit(tmp_path)
    assert caught.value.kind == "state"


@pytest.mark.parametrize("verb", [lifecycle.commit, lifecycle.rollback])
def test_a_trial_of_somebody_else_is_left_alone(tmp_path: Path, verb: Callable[[Path, str], object]) -> None:
    _try(tmp_path)
    with pytest.raises(RunnerError, match="another edgekit") as caught:
        verb(tmp_path, OLD)
    assert caught.value.kind == "busy"
    assert _states(tmp_path)[0] == "trial"


def test_the_history_says_what_became_of_each_install(tmp_path: Path) -> None:
    _install(tmp_path, "old")
    _try(tmp_path)
    lifecycle.rollback(tmp_path)
    history = lifecycle.status(tmp_path)["history"]
    assert [(entry["digest"], entry["verdict"]) for entry in history] == [
        (OLD, "staged"),
        (OLD, "trial"),
        (OLD, "committed"),
        (NEW, "staged"),
        (NEW, "trial"),
        (NEW, "rolled back"),
    ]
    assert all(entry["when"].endswith("Z") for entry in history)


def test_what_dead_hosts_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / "probe" / "old").mkdir(parents=True)
    _bundle(tmp_path / "staging" / "dead", "dead")
    _install(tmp_path, "new")
    names = ["a", "current", "lock", "staging", "state.json", "trust.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert list((tmp_path / "staging").iterdir()) == []


def _change(folder: Path) -> None:
    (folder / "model.onnx").write_text("odd")


def _remove(folder: Path) -> None:
    (folder / "golden" / "x.npy").unlink()


def _add(folder: Path) -> None:
    (folder / "golden" / "more.npy").write_text("")


def _link(folder: Path) -> None:
    (folder / "model.onnx").rename(folder.parent / "elsewhere")
    (folder / "model.onnx").symlink_to(folder.parent / "elsewhere")


def _link_folder(folder: Path) -> None:
    (folder / "more").symlink_to(folder.parent)


def _unlist(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_change, "'model.onnx' in .* is damaged"),
        (_remove, "'golden/x.npy' in .* is missing"),
        (_add, "'golden/more.npy' in .* is not in its manifest"),
        (_link, "'model.onnx' in .* is damaged"),
        (_link_folder, "'more' in .* is not in its manifest"),
        (_unlist, "manifest.json' is not the manifest of"),
    ],
)
def test_a_bundle_that_is_not_whole_never_reaches_a_slot(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    root = tmp_path / "root"
    _install(root, "old")
    damage(_bundle(root / "staging" / "x", "new"))
    with pytest.raises(RunnerError, match=said) as caught:
        _stage(root, root / "staging" / "x", NEW)
    assert caught.value.kind in ("data", "signature")
    assert _states(root) == ("committed", "empty")
    assert _served(root) == "old"


def test_only_one_is_at_work(bare: Bare, tmp_path: Path) -> None:
    lifecycle.status(tmp_path)
    with (tmp_path / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for argv in (("slots", "status", tmp_path), ("selftest", tmp_path / "a")):
            answer = bare.ask(*argv)
            assert (answer.code, answer.document["kind"]) == (1, "busy")
    assert bare.ask("slots", "status", tmp_path).code == 0


def test_slots_need_the_standard_library_alone(bare: Bare, tmp_path: Path) -> None:
    alone = Bare(bare.folder, (*bare.python, "-S"))
    _bundle(tmp_path / "staging" / NEW, "new")
    assert alone.ask("slots", "begin", tmp_path, TOKEN, NEW, *BROUGHT).document["missing"] == []
    assert alone.ask("slots", "abort", tmp_path, "another", NEW).document["kind"] == "leased"
    assert alone.ask("slots", "abort", tmp_path, TOKEN, NEW).document["changed"]
    _try(tmp_path)
    assert alone.ask("slots", "commit", tmp_path).document["state"] == "committed"
    assert alone.ask("slots", "rollback", tmp_path).document["kind"] == "state"
    assert alone.ask("slots", "status", tmp_path).document["current"] == "a"


# Kills itself before the n-th change that it makes to the file system. The self-test changes nothing there.
CRASH = """
import os, signal, sys, types
CHANGES = {"os.rename", "os.remove", "os.symlink", "os.rmdir", "os.mkdir", "os.link"}
steps = int(sys.argv.pop(1))

def count(event, args):
    global steps
    changes = event in CHANGES or event == "open" and isinstance(args[2], int) and args[2] & os.O_WRONLY
    if not changes:
        return
    steps -= 1
    if steps < 0:
        os.kill(os.getpid(), signal.SIGKILL)

from runner.__main__ import main
sys.modules["runner.selftest"] = types.SimpleNamespace(selftest=lambda slot, threads: {"passed": True})
sys.addaudithook(count)
sys.exit(main(sys.argv[1:]))
"""


def _crash(bare: Bare, step: int, *argv: object) -> bool:
    """Whether the runner was killed before it ended."""
    command = [sys.executable, "-S", "-c", CRASH, str(step), *map(str, argv)]
    done = subprocess.run(command, cwd=bare.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == -9


def _check_after_crash(root: Path, allowed: set[str]) -> None:
    """One of the two is served, whole, and the next flash and its rollback work."""
    assert _served(root) in allowed
    assert fault(root / "current") is None
    now = lifecycle.status(root)
    assert now["slots"][now["current"]]["state"] == "committed"
    assert _served(root) in allowed
    before = _served(root)
    _install(root, "next")
    assert _served(root) == "next"
    lifecycle.rollback(root)
    assert _served(root) == before


STEPS_OF_HUNDREDS = [pytest.param(verb, marks=pytest.mark.fuzzes) for verb in VERBS if verb.startswith("install")]


@pytest.mark.parametrize("verb", [*(verb for verb in VERBS if not verb.startswith("install")), *STEPS_OF_HUNDREDS])
def test_killed_before_any_step_the_served_slot_is_whole(bare: Bare, tmp_path: Path, verb: str) -> None:
    step = 0
    crashed = True
    while crashed:
        root = tmp_path / str(step)
        _install(root, "old")
        crashed = _crash(bare, step, "slots", verb.split()[0], root, *_begun(root, verb))
        lifecycle.release(root, TOKEN)  # a dead host's lease lasts two minutes
        _check_after_crash(root, {"old", "new"} if verb in SERVING else {"old"})
        step += 1
    assert step > 2


def _begun(root: Path, verb: str) -> tuple[object, ...]:
    """What comes before that verb, and what it is told."""
    staging = _bundle(root / "staging" / NEW, "new")
    if verb.startswith(("commit", "rollback")):
        _stage(root, staging)
        lifecycle.begin_trial(root, NEW)
        if verb == "rollback committed":
            lifecycle.commit(root)
        return ()
    brought = [(staging / name).read_bytes() for name in (MANIFEST, SIGNATURE)]
    if verb == "abort":
        begin(root, NEW, TOKEN, "me", None, [KEY.public.raw], stand_in=True)
        stage.stage(root, staging, NEW, TOKEN, [KEY.public.raw], stand_in=True)
        return TOKEN, NEW
    shutil.rmtree(staging)
    _send(root, **{"model.onnx": b"new", "golden/x.npy": b"newnew"})
    head = [base64.b64encode(content).decode() for content in brought]
    return TOKEN, NEW, *BROUGHT, "--brought", *head, *(["--commit"] if "commit" in verb else [])


def _send(root: Path, **files: bytes) -> None:
    """What a push of the new bundle leaves."""
    with tarfile.open(archive_of(root, NEW), "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_a_trial_that_is_late_is_dropped_by_the_device_itself(tmp_path: Path) -> None:
    _install(tmp_path, "old")
    staging = _bundle(tmp_path / "staging" / "x", "new")
    _stage(tmp_path, staging)
    lifecycle.begin_trial(tmp_path, NEW, 0)
    now = lifecycle.status(tmp_path)
    assert now["slots"]["b"]["state"] == "failed"
    assert now["history"][-1]["verdict"] == "expired: deadline"
    with pytest.raises(RunnerError, match="no trial"):
        lifecycle.commit(tmp_path, NEW)
    assert _served(tmp_path) == "old"


def test_a_reboot_ends_a_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, "old")
    _try(tmp_path)
    (tmp_path / "boot_id").write_text("another")
    monkeypatch.setattr(deadlines, "BOOT_ID", tmp_path / "boot_id")
    assert lifecycle.status(tmp_path)["history"][-1]["verdict"] == "expired: reboot"
    assert _states(tmp_path) == ("committed", "failed")


def test_what_has_not_tested_itself_is_not_committed(tmp_path: Path) -> None:
    _stage(tmp_path, _bundle(tmp_path / "staging" / "x", "new"))
    with pytest.raises(RunnerError, match="has not passed its self-test"):
        lifecycle.commit(tmp_path, NEW)
    assert lifecycle.status(tmp_path)["current"] is None

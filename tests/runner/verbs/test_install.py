"""A whole flash in one process, with a real runtime."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.signing import SigningKey, write_signature
from edgekit.runner.layout import MANIFEST, PROBE, SIGNATURE
from edgekit.runner.slots import lease, lifecycle
from edgekit.runner.slots.stage import sweep
from edgekit.runner.slots.staging_folder import archive_of, clear
from edgekit.runner.slots.trust import Trust
from edgekit.runner.verbs.install import InstallRequest, abort, install
from tests.runner.conftest import Answer, Bare
from tests.runner.slot import KEY, WEIGHTS, write_slot

TOKEN = "token"

# In place of `-m runner`: it says each step as it begins.
TELL_STEPS = """
import sys
sys.addaudithook(lambda event, args: event == "edgekit.step" and print(args[0], file=sys.stderr))
from runner.__main__ import main
sys.exit(main(sys.argv[3:]))
"""


class Sent:
    """A bundle as a host sends it to the device at `root`."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        self.head = [base64.b64encode((folder / name).read_bytes()).decode() for name in (MANIFEST, SIGNATURE)]

    def archive(self, *left_out: str) -> Path:
        path = archive_of(self.root, self.digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as archive:
            for file in sorted(self.folder.rglob("*")):
                name = file.relative_to(self.folder).as_posix()
                if file.is_file() and name not in (MANIFEST, SIGNATURE, *left_out):
                    archive.addfile(_member(name, file), io.BytesIO(file.read_bytes()))
        return path

    def install(self, bare: Bare, *more: object) -> Answer:
        offer = f"--offer={KEY.public.raw.hex()}"
        argv = (self.root, TOKEN, self.digest, "--brought", *self.head, offer, "--stand-in", *more)
        return bare.ask("slots", "install", *argv)


def _member(name: str, file: Path) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = file.stat().st_size
    return member


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def _sent(root: Path, name: str = "new", **changes: Any) -> Sent:
    folder = root.parent / "made" / name
    folder.mkdir(parents=True)
    return Sent(write_slot(folder, name=name, **changes), root)


def _states(root: Path) -> list[str]:
    return [slot["state"] for slot in lifecycle.status(root)["slots"].values()]


def _verdicts(root: Path) -> list[str]:
    return [event["verdict"] for event in lifecycle.status(root)["history"]]


def _nothing_on_its_way(root: Path) -> bool:
    return list((root / "staging").iterdir()) == [] and lease.shown(root) is None


def test_one_process_leaves_what_the_steps_leave(bare: Bare, root: Path) -> None:
    first, second = _sent(root, "first"), _sent(root, "second")
    first.archive()
    answer = first.install(bare, "--commit").document
    assert (answer["state"], answer["current"], answer["changed"]) == ("committed", "a", True)
    assert answer["selftest"]["passed"]
    assert answer["pinned"] == [KEY.id]
    second.archive("model.onnx")
    answer = second.install(bare).document
    assert (answer["slot"], answer["state"], answer["current"]) == (str(root / "b"), "trial", "a")
    assert _verdicts(root) == ["staged", "trial", "committed", "staged", "trial"]
    assert _nothing_on_its_way(root)
    assert lifecycle.status(root)["slots"]["b"]["until_s"] > 0


def test_each_step_is_told_as_it_begins(bare: Bare, root: Path) -> None:
    sent, telling = _sent(root), replace(bare, python=(sys.executable, "-c", TELL_STEPS))
    sent.archive()
    assert sent.install(telling).stderr.split() == ["begin", "stage", "self-test", "trial"]
    assert sent.install(telling, "--commit").stderr.split() == ["begin", "stage", "self-test", "commit"]


def test_what_is_there_already_is_asked_no_more_than_it_needs(bare: Bare, root: Path) -> None:
    sent = _sent(root)
    sent.archive()
    sent.install(bare)
    again = sent.install(bare).document
    assert (again["state"], again["changed"], "selftest" in again) == ("trial", False, False)
    assert sent.install(bare, "--commit").document["state"] == "committed"
    served = sent.install(bare, "--commit").document
    assert (served["state"], served["changed"], "selftest" in served) == ("committed", False, False)
    assert _verdicts(root) == ["staged", "trial", "committed"]


def test_what_the_archive_lacks_is_asked_for_under_the_lease(bare: Bare, root: Path) -> None:
    sent = _sent(root)
    sent.archive("model.onnx", "golden/inputs/bias.npy")
    answer = sent.install(bare, "--commit").document
    assert answer["missing"] == ["golden/inputs/bias.npy", "model.onnx"]
    assert _states(root) == ["empty", "empty"]
    held = lifecycle.status(root)["lease"]
    assert held.keys() == {"holder", "left_s"}
    assert 0 < held["left_s"] <= lease.LONGEST_S
    sent.archive("golden/outputs/scores.npy")
    assert sent.install(bare, "--commit").document["state"] == "committed"
    assert _nothing_on_its_way(root)


def test_a_manifest_that_is_not_there_is_asked_for(bare: Bare, root: Path) -> None:
    answer = bare.ask("slots", "install", root, TOKEN, "0" * 64)
    assert answer.document["missing"] is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"weights": b"no model at all"}, {"kind": "load"}),
        ({"weights": (-WEIGHTS).tobytes()}, None),
    ],
    ids=["no model", "another model"],
)
def test_a_model_that_fails_is_dropped_and_the_device_free(
    bare: Bare, root: Path, changes: dict[str, Any], told: dict[str, str] | None
) -> None:
    from tests.runner.slot import model

    old = _sent(root, "old")
    old.archive()
    old.install(bare, "--commit")
    if told is None:
        changes = {"weights": model("onnx").replace(WEIGHTS.tobytes(), changes["weights"])}
    sent = _sent(root, **changes)
    sent.archive()
    answer = sent.install(bare, "--commit").document
    if told:
        assert answer["failure"]["kind"] == told["kind"]
    else:
        assert not answer["selftest"]["passed"]
    assert (answer["state"], answer["current"]) == ("failed", "a")
    assert _states(root) == ["committed", "failed"]
    assert _verdicts(root)[-2:] == ["staged", "rolled back"]
    assert _nothing_on_its_way(root)


def test_what_is_refused_leaves_nothing_and_is_not_parsed(bare: Bare, root: Path) -> None:
    Trust((SigningKey.generate().public.raw,)).write(_made(root))
    sent = _sent(root)
    archive = sent.archive()
    archive.write_bytes(b"no tar at all")
    assert sent.install(bare).document["kind"] == "trust"
    assert _nothing_on_its_way(root)
    assert _states(root) == ["empty", "empty"]


@pytest.mark.parametrize("digest", ["../../kept", "0" * 63, "0" * 65, "F" * 64, "0" * 64 + "\n"])
@pytest.mark.parametrize("verb", ["install", "abort"])
def test_what_is_no_digest_becomes_no_path(bare: Bare, root: Path, verb: str, digest: str) -> None:
    (_made(root) / "staging").mkdir()
    kept = root.parent / "kept.tar"
    kept.touch()
    assert bare.ask("slots", verb, root, TOKEN, digest).document["kind"] == "usage"
    assert kept.is_file()


def _made(root: Path) -> Path:
    root.mkdir(parents=True)
    return root


def test_a_trial_that_may_not_be_committed_is_dropped(bare: Bare, root: Path) -> None:
    """Trust may change between two steps: each asks anew."""
    sent = _sent(root, version=1)
    sent.archive()
    sent.install(bare)
    trust = Trust.of(root)
    trust.raised(2).write(root)
    assert sent.install(bare, "--commit").document["kind"] == "version"
    assert "committed" not in _states(root)
    assert _nothing_on_its_way(root)


def test_an_abort_drops_what_its_own_flash_began_and_nothing_else(root: Path, bare: Bare) -> None:
    sent = _sent(root)
    sent.archive()
    sent.install(bare)
    (root / PROBE / "session").mkdir(parents=True)
    assert not abort(root, TOKEN, sent.digest)["changed"]
    assert (root / PROBE / "session").is_dir(), "the host that probes the trial is at work there"
    assert _states(root)[0] == "trial", "that flash has ended: its trial is somebody's to judge"
    lifecycle.commit(root)
    lease.take(root, TOKEN, "me", 60)
    assert abort(root, TOKEN, sent.digest)["changed"]
    assert _states(root)[0] == "committed"
    assert lease.shown(root) is None
    assert not (root / PROBE).exists()


def test_a_signature_by_a_stranger_beside_a_good_archive_is_refused(bare: Bare, root: Path) -> None:
    Trust((KEY.public.raw,)).write(_made(root))
    sent = _sent(root)
    sent.archive()
    forged = write_signature(SigningKey.generate(), (sent.folder / MANIFEST).read_bytes())
    sent.head[1] = base64.b64encode(forged).decode()
    assert sent.install(bare, "--commit").document["kind"] == "trust"
    assert _nothing_on_its_way(root)


def test_an_unexpected_end_takes_back_what_was_begun(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = _sent(root)
    sent.archive()

    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lifecycle, "begin_trial", interrupted)
    brought = (sent.folder / MANIFEST).read_bytes(), (sent.folder / SIGNATURE).read_bytes()
    request = InstallRequest(root, sent.digest, TOKEN, brought=brought, offered=(KEY.public.raw,), stand_in=True)
    with pytest.raises(KeyboardInterrupt):
        install(request)
    assert _states(root) == ["failed", "empty"]
    assert _nothing_on_its_way(root)


def test_what_a_push_is_writing_is_not_swept(tmp_path: Path) -> None:
    folder = tmp_path / "staging"
    folder.mkdir()
    writer = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], cwd=folder, stdin=subprocess.PIPE)
    try:
        written = folder / f".12345678.{'0' * 64}.{writer.pid}.partial"
        names = (written.name, f".12345678.{'0' * 64}.{os.getpid()}.partial", "dead.tar")
        for name in names:
            (folder / name).touch()
        (folder / "dead").mkdir()
        clear(folder)
        assert list(folder.iterdir()) == [written]
    finally:
        writer.communicate()
    clear(folder)
    assert list(folder.iterdir()) == []


def test_what_cannot_be_swept_stops_nobody(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may write into a folder while it is removed."""

    def filled(*args: object, **options: object) -> None:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    staging, probe = root / "staging", root / "probe"
    for folder in (staging / "dead", probe):
        folder.mkdir(parents=True)
    for name in ("a.tar", "z.tar"):
        (staging / name).touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", filled)
        sweep(root)
    assert list(staging.iterdir()) == [staging / "dead"]
    assert probe.is_dir()
    sweep(root)
    assert list(root.rglob("*")) == [staging]

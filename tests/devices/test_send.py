"""What is sent to a device, and when."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

import pytest

from edgekit.devices import send
from edgekit.devices.flash import flash, status, trust
from edgekit.devices.local import Local
from edgekit.devices.transport import Completed
from edgekit.errors import CommandFailed, UntrustedKey
from tests.devices.conftest import HandMade, MakeBundle, with_more
from tests.devices.slot_contents import content, left_over, served
from tests.runner.device import OTHER
from tests.runner.slot import KEY


class Talk(Local):
    """Remembers what is done on the device, in order: the runner's verbs, and the names in each archive."""

    made: ClassVar[list[str]] = []

    def push(self, local: Path, remote: PurePosixPath) -> None:
        if remote.suffix == ".tar":
            with tarfile.open(local) as archive:
                self.made.append(f"sent {' '.join(sorted(archive.getnames()))}")
        super().push(local, remote)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if "slots" in argv:
            self.made.append(argv[argv.index("slots") + 1])
        return super().run(argv, timeout=timeout)


@pytest.fixture
def talk(device: Local, monkeypatch: pytest.MonkeyPatch) -> Talk:
    monkeypatch.setattr(Talk, "made", [])
    return Talk(device.url)


def test_up_to_a_limit_files_go_first_and_one_process_does_the_rest(
    talk: Talk, old: HandMade, make_bundle: MakeBundle
) -> None:
    new = with_more(make_bundle("new"))
    flash(new, talk, serve=True)
    assert talk.made == ["sent more", "install"]
    assert served(talk) == content(new)


def test_beyond_a_limit_the_manifest_is_verified_before_a_file_is_sent(
    talk: Talk, old: HandMade, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "AHEAD_BYTES", 4095)
    new = with_more(make_bundle("new"))
    flash(new, talk)
    assert talk.made == ["begin", "sent more", "install"]
    talk.made.clear()
    trust(talk, pin=[OTHER.public], revoke=[KEY.id])
    with pytest.raises(UntrustedKey):
        flash(_other(make_bundle("newer")), talk)
    assert talk.made == ["trust", "begin", "abort"]
    assert left_over(talk) == set()
    assert status(talk).lease is None


def _other(bundle: HandMade) -> HandMade:
    """The bundle with a file that no slot has, of another content than `with_more`'s."""
    (bundle.folder / "others").write_bytes(b"x" * 4096)
    return with_more(bundle)


def test_what_a_slot_has_lost_follows(talk: Talk, old: HandMade, make_bundle: MakeBundle) -> None:
    (Path(talk.root) / "a" / "golden" / "inputs" / "bias.npy").write_bytes(b"damaged")
    new = make_bundle("new")
    flash(new, talk, serve=True)
    assert talk.made == ["install", "sent golden/inputs/bias.npy", "install"]
    assert served(talk) == content(new)
    after = status(talk)
    assert after.slots[after.current or ""].whole


class Greedy(Talk):
    """Says that it lacks more than there is, whatever it is sent."""

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        ended = super().run(argv, timeout=timeout)
        if "install" not in argv:
            return ended
        missing = ["more"] * 1000 + ["manifest.json", "../../etc/passwd", "/etc/passwd"]
        return Completed(ended.argv, json.dumps({"slot": None, "state": None, "missing": missing}), "", 0)


def test_a_device_is_sent_files_of_the_bundle_once_and_no_others(
    talk: Talk, old: HandMade, make_bundle: MakeBundle
) -> None:
    with pytest.raises(CommandFailed, match="what was sent is not there"):
        flash(with_more(make_bundle("new")), Greedy(talk.url))
    assert talk.made == ["sent more", "install", "sent more", "install", "abort"]

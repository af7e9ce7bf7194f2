"""What is damaged or lost on a device is told by its own error, with a hint that does what it says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.devices.flash import commit, flash, rollback, serving, status, trust
from edgekit.devices.local import Local
from edgekit.devices.repair import repair
from edgekit.errors import CommandFailed, EdgekitError, SlotDamaged, StateGarbled, TrustLost, UntrustedKey
from tests.devices.conftest import HandMade, MakeBundle, with_more
from tests.devices.slot_contents import content, served
from tests.devices.test_flash import Counting
from tests.runner.device import OTHER
from tests.runner.slot import KEY


def _cut(program: Path) -> None:
    program.write_bytes(program.read_bytes()[:5000])


def _flip(program: Path) -> None:
    raw = bytearray(program.read_bytes())
    raw[len(raw) // 2] ^= 1
    program.write_bytes(raw)


def _empty(program: Path) -> None:
    program.write_bytes(b"")


def _replace_by_a_folder(program: Path) -> None:
    program.unlink()
    program.mkdir()


def _lose_the_sum(program: Path) -> None:
    program.with_suffix(".sum").unlink()


def _damage_the_sum(program: Path) -> None:
    program.with_suffix(".sum").write_bytes(b"\xff\n" * 100)


def _lose_both(program: Path) -> None:
    shutil.rmtree(program.parent)


@pytest.mark.parametrize(
    "damage", [_cut, _flip, _empty, _replace_by_a_folder, _lose_the_sum, _damage_the_sum, _lose_both]
)
def test_a_runner_program_that_is_damaged_is_sent_anew(
    device: Local, old: HandMade, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    before = status(device)
    (program,) = (path for path in (Path(device.root) / "runner").glob("*.pyz") if ".source" not in path.name)
    monkeypatch.setattr(Counting, "pushed", [])
    damage(program)
    counting = Counting(device.url)
    assert status(counting) == before
    # Only the device removes a folder, and then compiles the sources itself.
    second = f"{program.stem}.source.pyz" if damage is _replace_by_a_folder else f"{program.stem}.sum"
    assert Counting.pushed == [program.name, second]
    assert status(counting) == before
    assert len(Counting.pushed) == 2


def test_a_damaged_slot_is_no_way_back_and_the_model_that_is_served_stays(
    device: Local, old: HandMade, make_bundle: MakeBundle
) -> None:
    new = make_bundle("new")
    commit(flash(new, device))
    (Path(device.root) / "a" / "model.onnx").unlink()
    with pytest.raises(SlotDamaged, match=r"'model.onnx' in .* is missing"):
        rollback(serving(device))
    assert served(device) == content(new)


def test_a_trial_that_is_damaged_is_not_served(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    installation = flash(make_bundle("new"), device)
    (Path(installation.slot) / "model.onnx").write_bytes(b"odd")
    with pytest.raises(SlotDamaged):
        commit(installation)
    assert served(device) == content(old)


def test_what_is_served_and_damaged_is_flashed_again(device: Local, old: HandMade) -> None:
    (Path(device.root) / "current" / "model.onnx").write_bytes(b"odd")
    assert not commit_again(device, old)
    assert served(device) == content(old)


def commit_again(device: Local, bundle: HandMade) -> bool:
    """Flash and commit it; whether it was served already."""
    installation = flash(bundle, device)
    commit(installation)
    return installation.committed


def test_a_state_that_is_lost_is_repaired(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    (Path(device.root) / "state.json").write_text('{"slots": 3}')
    for verb in (lambda: flash(with_more(make_bundle("new")), device), lambda: rollback(serving(device))):
        with pytest.raises(StateGarbled) as caught:
            verb()
        assert caught.value.hint == f"edgekit device repair {device.url}"
        shutil.rmtree(Path(device.root).parent / "bundles" / "new", ignore_errors=True)
    assert [damage.kind for damage in status(device).damage] == ["garbled"]
    repaired = repair(device)
    assert (repaired.changed, repaired.current, served(device)) == (True, "a", content(old))
    assert status(device).damage == ()
    assert not commit_again(device, make_bundle("new"))


def test_a_lost_trust_is_told_and_is_said_anew(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    (Path(device.root) / "trust.json").unlink()
    new = make_bundle("new")
    with pytest.raises(TrustLost) as caught:
        flash(new, device)
    assert caught.value.hint == f"edgekit device trust {device.url} --key NAME pins one again"
    assert [key.id for key in trust(device, pin=[KEY.public]).keys] == [KEY.id]
    assert not commit_again(device, new)


def test_a_revocation_says_what_is_served_on_trial_and_behind(
    device: Local, old: HandMade, make_bundle: MakeBundle
) -> None:
    commit(flash(make_bundle("new"), device))
    flashed = trust(device, pin=[OTHER.public], revoke=[KEY.id])
    assert [(one.slot, one.role) for one in flashed.refused] == [("a", "behind"), ("b", "served")]
    with pytest.raises(UntrustedKey, match="slot 'a' may not be served"):
        rollback(serving(device))


def test_a_hint_of_what_trust_cannot_be_names_the_command_that_was_asked(device: Local, old: HandMade) -> None:
    with pytest.raises(CommandFailed) as caught:
        trust(device, threshold=5)
    assert caught.value.hint == "edgekit device trust --help"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"token": 3}'])
def test_a_garbled_lease_is_nobodys(device: Local, old: HandMade, make_bundle: MakeBundle, content: bytes) -> None:
    (Path(device.root) / "lease.json").write_bytes(content)
    assert status(device).lease is None
    assert not commit_again(device, make_bundle("new"))


def test_no_error_of_these_names_an_option_that_its_command_lacks(device: Local, old: HandMade) -> None:
    """A device whose Python does not start answers nothing at all: the hint is a command of its own."""
    (program,) = (path for path in (Path(device.root) / "runner").glob("*.pyz") if ".source" not in path.name)

    class Dying(Local):
        def run(self, argv, *, timeout):  # type: ignore[no-untyped-def]
            return super().run(["false"] if str(program) in argv else argv, timeout=timeout)

    with pytest.raises(EdgekitError) as caught:
        status(Dying(device.url))
    assert caught.value.hint == f"edgekit device ping {device.url} says what runs there"

"""`scripts/chaos --damage`: one file of a device is damaged between two steps of a flash, here a dozen times."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgekit.bundle.signing import write_signature
from edgekit.devices.flash import status
from edgekit.devices.local import Local
from scripts.cuts.campaign import Ground, tried
from scripts.cuts.damage import FILES, WAYS, Damage, plan
from tests.devices.conftest import HandMade, MakeBundle
from tests.runner.device import OTHER
from tests.runner.slot import KEY

pytestmark = pytest.mark.fuzzes

SEED = 1913


@pytest.fixture
def ground(tmp_path: Path, make_bundle: MakeBundle) -> Ground:
    bundles = [make_bundle(name) for name in ("first", "second", "third")]
    theirs = make_bundle("theirs")
    (theirs.folder / "manifest.sig").write_bytes(write_signature(OTHER, theirs.read("manifest.json")))
    stranger = HandMade.of(theirs.folder, theirs.manifest, [OTHER.public])
    ground = Ground(tmp_path / "device", bundles, stranger, KEY.public)
    ground.prepare()
    return ground


def test_a_plan_has_every_file_before_any_again_and_is_the_seeds() -> None:
    damages = plan(2 * len(FILES), SEED)
    for first in (0, len(FILES)):
        assert sorted(one.file for one in damages[first : first + len(FILES)]) == sorted(FILES)
    assert plan(len(damages), SEED) == damages
    assert plan(len(damages), SEED + 1) != damages


def test_each_way_changes_the_file_or_takes_it_away(tmp_path: Path) -> None:
    for name, hurt in WAYS.items():
        path = tmp_path / name
        path.write_text('{"a": [1, {"b": 2}]}')
        before = path.read_bytes()
        hurt(path, random.Random(5))
        assert not path.is_file() or path.read_bytes() != before, name


@pytest.mark.timeout(900)
def test_after_damage_to_any_file_what_is_served_is_whole_and_trusted_and_every_verb_answers(ground: Ground) -> None:
    draws = plan(len(FILES), SEED)
    tries = [tried(ground, damage) for damage in draws]
    assert [(one.damage, one.broken) for one in tries if one.broken] == []
    assert sum(one.hit for one in tries) >= len(FILES) // 2
    assert set(ground.codes) & {"EK706", "EK707", "EK708", "EK303"}


def test_a_device_that_serves_what_is_damaged_and_says_nothing_is_found_out(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the checks: a status that calls every slot whole."""

    def lying(device: Local) -> Any:
        state = status(device)
        slots = {name: slot.model_copy(update={"whole": True}) for name, slot in state.slots.items()}
        return state.model_copy(update={"slots": slots, "damage": ()})

    monkeypatch.setattr("scripts.cuts.campaign.status", lying)
    monkeypatch.setattr("scripts.cuts.campaign.repair", lambda device: SimpleNamespace())
    broken = tried(ground, Damage(3, "served/model", "cut", 0.0, 7)).broken
    assert "what it serves is not whole, and the status does not say so" in broken


def test_a_device_that_takes_a_strangers_bundle_is_found_out(ground: Ground) -> None:
    ground = dataclasses.replace(ground, stranger=ground.bundles[2])
    assert "a stranger's flash was taken" in tried(ground, Damage(1, "lease.json", "lost", 0.0, 7)).broken

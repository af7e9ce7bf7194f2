"""Compiled GPU kernels below the root of a device: kept for the models of its slots, and only whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.runner.layout import MANIFEST, PROBE
from edgekit.runner.model import kernel_store
from edgekit.runner.model.kernel_store import KERNELS, kernel_folder, seal

MALI, NEWER = "Mali-G715, 1.0", "Mali-G715, 1.1"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_store, "PERIOD_S", 0.001)


def placed(root: Path, slot: str, manifest: str = "") -> Path:
    folder = root / slot
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(manifest or f"manifest of {slot}")
    return folder


def compiled(slot: Path, variant: str = MALI) -> Path:
    """Folder of kernels that a load has compiled, and sealed as the process ended."""
    folder, cached = kernel_folder(slot, variant)
    assert folder is not None
    assert not cached
    assert list(folder.iterdir()) == []
    (folder / "kernels.bin").write_bytes(b"kernels")
    seal(folder)
    return folder


def test_kernels_of_a_slot_lie_outside_of_it_and_are_there_at_the_next_load(tmp_path: Path) -> None:
    slot = placed(tmp_path, "a")
    folder = compiled(slot)
    assert folder.parent == tmp_path / KERNELS
    assert list(slot.iterdir()) == [slot / MANIFEST]
    assert kernel_folder(slot, MALI) == (folder, True)
    assert (folder / "kernels.bin").read_bytes() == b"kernels"


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a changed byte": lambda folder: (folder / "kernels.bin").write_bytes(b"kernelZ"),
    "a lost file": lambda folder: (folder / "kernels.bin").unlink(),
    "a file more": lambda folder: (folder / "more.bin").write_bytes(b"of an interrupted load"),
    "no seal": lambda folder: (folder / kernel_store.SEAL).unlink(),
    "a strange seal": lambda folder: (folder / kernel_store.SEAL).write_text("[1]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_kernels_that_are_not_whole_are_compiled_again(tmp_path: Path, damage: str) -> None:
    slot = placed(tmp_path, "a")
    folder = compiled(slot)
    DAMAGES[damage](folder)
    again, cached = kernel_folder(slot, MALI)
    assert (again, cached, list(folder.iterdir())) == (folder, False, [])


def test_a_load_that_compiled_nothing_seals_nothing_that_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_store, "SETTLE_S", 0.01)
    slot = placed(tmp_path, "a")
    folder, _ = kernel_folder(slot, MALI)
    assert folder is not None
    seal(folder)
    assert kernel_folder(slot, MALI) == (folder, False)


def test_both_slots_keep_their_kernels_and_those_of_a_replaced_model_or_driver_go(tmp_path: Path) -> None:
    a, b = placed(tmp_path, "a"), placed(tmp_path, "b")
    of_a, of_b = compiled(a), compiled(b)
    assert kernel_folder(a, MALI) == (of_a, True)
    assert of_b.is_dir()
    placed(tmp_path, "b", "another bundle")
    assert kernel_folder(a, MALI) == (of_a, True)
    assert not of_b.exists()
    newer = compiled(a, NEWER)
    assert not of_a.exists()
    assert set((tmp_path / KERNELS).iterdir()) == {newer}


def test_kernels_of_a_model_that_is_only_probed_lie_beside_it_and_leave_the_slots_alone(tmp_path: Path) -> None:
    of_a = compiled(placed(tmp_path, "a"))
    probed = placed(tmp_path, f"{PROBE}/model-1")
    beside = compiled(probed)
    assert beside.parent == probed / KERNELS
    assert of_a.is_dir()


def test_where_no_folder_can_be_made_the_model_runs_without_kept_kernels(tmp_path: Path) -> None:
    slot = placed(tmp_path, "a")
    (tmp_path / KERNELS).write_text("a file in the place of the folder")
    assert kernel_folder(slot, MALI) == (None, False)

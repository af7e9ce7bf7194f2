"""Real packs on a bare arm64 board: every instruction emulated, nothing on it but busybox."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.devices.flash import commit, flash, serving, status
from edgekit.devices.measurement_protocol import Accuracy, Traced
from edgekit.devices.packs.equip import equip
from edgekit.devices.packs.recipe import RECIPES
from edgekit.devices.protocol import SelfTest
from edgekit.devices.runner_install import put_runner
from edgekit.errors import DeviceError
from tests.devices.conftest import MakeBundle
from tests.devices.packs.conftest import Board
from tests.runner.slot import expected, inputs, write_slot

LIMIT_S = 120.0
EVERY = pytest.mark.parametrize("distribution", [recipe.distribution for recipe in RECIPES])
FORMATS = {recipe.distribution: recipe.format for recipe in RECIPES}


@EVERY
def test_a_bare_board_runs_models_with_nothing_but_a_pack(
    board: Board, tmp_path: Path, distribution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    format = FORMATS[distribution]
    runner, info = put_runner(board, equip(board, format, {}, distribution))
    assert info.machine == "aarch64"
    assert str(info.runtimes[format]).startswith(f"{distribution} ")
    assert [name for name, found in info.runtimes.items() if found] == [format]
    slot = write_slot(tmp_path / "slot", format)
    given = inputs(3, seed=5)
    for name, array in given.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        np.save(tmp_path / "in" / f"{name}.npy", array)
    assert runner.ask(SelfTest, "selftest", slot, timeout=LIMIT_S).passed
    # The other kind of core has other instructions, so other kernels.
    monkeypatch.setattr(Board, "cpu", "cortex-a76")
    folders = ("--inputs", tmp_path / "in", "--out", tmp_path / "out")
    traced = runner.ask(Traced, "operators", slot, *folders, "--count", 2, timeout=LIMIT_S)
    # All that traces its operators here does so there.
    assert bool(traced.operators) is (distribution != "tflite-runtime")
    assert {operator.delegate for operator in traced.operators} <= {"cpu", "xnnpack", None}
    answer = runner.ask(Accuracy, "accuracy", slot, *folders, timeout=LIMIT_S)
    assert answer.runtime == info.runtimes[format]
    np.testing.assert_allclose(np.load(tmp_path / "out" / "scores.npy"), expected(given)["scores"], atol=1e-4)
    (slot / f"model.{format}").write_bytes(b"no model at all " * 100)
    with pytest.raises(DeviceError, match=rf"'model\.{format}' cannot be loaded"):
        runner.ask(SelfTest, "selftest", slot, timeout=LIMIT_S)


def test_a_bundle_goes_onto_a_bare_board_and_is_served(board: Board, make_bundle: MakeBundle) -> None:
    with pytest.raises(DeviceError, match="nothing is installed"):
        status(board)
    bundle = make_bundle("first", "tflite")
    commit(flash(bundle, board))
    assert serving(board).digest == bundle.digest
    assert board.pushed
    board.pushed.clear()
    assert flash(bundle, board).committed
    assert board.pushed == []

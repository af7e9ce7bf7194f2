"""The chip that the runner finds itself on."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.runner.model import hexagon_socs
from edgekit.runner.model.hexagon_socs import SOCS, soc_of_device, soc_of_model


@pytest.mark.parametrize(
    ("machine", "prop", "soc"),
    [
        ("SM8650\n", "", "SM8650"),
        ("QCS6490\n", "", "QCM6490"),
        (None, "SM8550", "SM8550"),
        (None, "Tensor G3", None),
        ("Exynos 2400\n", "", None),
        (None, "", None),
    ],
)
def test_a_device_is_known_by_its_chip(
    machine: str | None, prop: str, soc: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hexagon_socs, "MACHINE", tmp_path / "machine")
    monkeypatch.setattr(hexagon_socs, "command_output", lambda *argv, lines: prop)
    if machine is not None:
        (tmp_path / "machine").write_text(machine)
    assert soc_of_device() == soc


def test_chips_are_found_by_their_number() -> None:
    assert [soc_of_model(npu.soc_model) for npu in SOCS.values()] == list(SOCS)
    assert soc_of_model(1) is None

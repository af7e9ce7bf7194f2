"""Qualcomm's systems on a chip that have a Hexagon NPU for QNN (HTP), and the one that this program runs on.

Numbers and architectures: ExecuTorch 1.5, backends/qualcomm/serialization/qc_schema.py, class QcomChipset,
https://github.com/pytorch/executorch/blob/v1.5.1/backends/qualcomm/serialization/qc_schema.py
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..machine.command import command_output


class Hexagon(NamedTuple):
    """NPU of a chip: QNN's number of the chip, and the architecture of the NPU, such as 75 for v75."""

    soc_model: int
    arch: int


SOCS: dict[str, Hexagon] = {
    "SM8350": Hexagon(30, 68),
    "SM8450": Hexagon(36, 69),
    "SM8475": Hexagon(42, 69),
    "SM8550": Hexagon(43, 73),
    "SM8650": Hexagon(57, 75),
    "SM8750": Hexagon(69, 79),
    "SM8850": Hexagon(87, 81),
    "QCM6490": Hexagon(93, 68),
    "QCS9100": Hexagon(77, 73),
    "SC8380XP": Hexagon(60, 73),
}
SAME = {"QCS6490": "QCM6490", "QCS9075": "QCS9100"}
"""Chips that QNN gives no number of their own, and the one with the same NPU."""
EMULATED = "SM8650"
"""Chip that is emulated where nobody says which."""
MACHINE = Path("/sys/devices/soc0/machine")


def soc_of_model(number: int | None) -> str | None:
    """Name of the chip that QNN knows by a number; None for another."""
    return next((name for name, npu in SOCS.items() if npu.soc_model == number), None)


def soc_of_device() -> str | None:
    """Name of this device's chip, one of `SOCS`; None for another or an unknown one."""
    try:
        stated = MACHINE.read_text("utf-8", "replace")
    except OSError:
        stated = command_output("getprop", "ro.soc.model", lines=1)
    name = stated.strip().upper()
    name = SAME.get(name, name)
    return name if name in SOCS else None

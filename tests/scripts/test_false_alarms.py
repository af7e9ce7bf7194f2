"""Campaign of sound builds: every gate is judged, and one build is no alarm of a gate that counts."""

from __future__ import annotations

import pytest

from scripts.false_alarms.__main__ import COUNTED, DROPS, GROUPED, main


def test_each_gate_is_judged_once_a_build(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--builds", "1"]) == 0
    rows = {row.split("`")[1]: row for row in capsys.readouterr().out.splitlines() if "`" in row}
    assert {*DROPS, *COUNTED, *(f"{name}, in groups" for name in GROUPED)} <= rows.keys()
    assert all(row.count(" of 1 |") == 1 for row in rows.values())
    assert {rows[name].split("|")[4].strip() for name in COUNTED} == {"0 of 1"}

"""Power cuts at random points of a flash: `scripts/chaos` with a fixed seed, two steps, and at night five.

One device after the other: a second one would be prepared, and its steps timed, for half of the cuts.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from edgekit import user_paths
from scripts.cuts.__main__ import main
from scripts.cuts.plan import STEPS, plan

SEED = 956523
"""Its cut of `commit` comes after the link was moved, that of `stage` in the midst, all but the second at a change."""
TWO = (3, {"stage", "commit"})
FIVE = (1, {"archive", "stage", "trial", "commit", "go back"})
"""Number of the first cut, and the steps that are cut: the push, all that is written by an install, and a way back.

`begin`, `self-test` and `drop` write nothing that is served; a host's death at those is tried on this machine, and a
whole campaign cuts them too.
"""


def test_a_plan_has_every_step_before_any_again_and_is_the_seeds() -> None:
    cuts = plan(2 * len(STEPS) + 1, SEED)
    for first in (0, len(STEPS)):
        assert sorted(cut.step for cut in cuts[first : first + len(STEPS)]) == sorted(STEPS)
    assert [cut.number for cut in cuts] == list(range(1, 2 * len(STEPS) + 2))
    assert plan(len(cuts), SEED) == cuts
    assert plan(len(cuts), SEED + 1) != cuts


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("first", "steps"), [TWO, FIVE], ids=["two", "five"])
def test_after_a_cut_in_a_step_that_writes_the_device_serves_old_or_new_whole_and_takes_the_next(
    emulation: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, steps: set[str]
) -> None:
    """In this process: another one would import the compiler, and start a converter, for its three builds."""
    for name in ("config", "data", "downloads"):  # the script changes them for the rest of its process
        monkeypatch.setenv(f"EDGEKIT_{name.upper()}", str(getattr(user_paths, name)()))
    cuts = ("--cuts", first - 1 + len(steps), "--first", first, "--seed", SEED)
    argv = ("--backend", "onnx", *cuts, "--report", tmp_path / "report.json")
    try:
        assert main([*map(str, argv)]) == 0
    finally:
        logging.disable(logging.NOTSET)
    report = json.loads((tmp_path / "report.json").read_text())
    assert sorted(one["cut"]["step"] for one in report["rounds"]) == sorted(steps)
    assert report["old"] + report["new"] == len(steps)
    assert min(report["old"], report["new"]) > 0
    assert all(one["halted"] for one in report["rounds"] if one["cut"]["kind"] == "call")

"""`scripts/fuzz`, short: hostile answers and files are taken or refused by a code, and write nothing outside."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.fuzzes

CASES = ("--devices", "150", "--servers", "90", "--readers", "6", "--seed", "4")
PEAK_MB = 300


def test_hostile_answers_and_files_are_taken_or_refused_by_a_code() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.fuzzing", *CASES],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    kinds = re.findall(r"^(\w+): ([\d,]+) cases, 0 broken; .* taken (\d+); peak memory (\d+) MB", ended.stdout, re.M)
    assert [kind for kind, *_ in kinds] == ["devices", "servers", "readers"]
    for kind, count, taken, peak_mb in kinds:
        assert 0 < int(taken) < int(count.replace(",", "")), kind
        assert int(peak_mb) < PEAK_MB, kind

"""The plan of a TensorRT engine, read from its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.model.engine_plan import read_plan


@pytest.mark.parametrize("written", ["[]", "{}", "nonsense", '{"trtexec": 1}'])
def test_what_is_no_plan_is_said_to_be_none(tmp_path: Path, written: str) -> None:
    (tmp_path / "engine.json").write_text(written)
    with pytest.raises(RunnerError, match="is no engine plan"):
        read_plan(tmp_path)

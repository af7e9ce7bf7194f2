"""Names from outside stay inside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.untrusted.paths import contained

FOLDER = Path("/somewhere/inside")


@given(st.text() | st.text("./\\:abC \0", max_size=12))
def test_a_name_leads_nowhere_but_into_the_folder(name: str) -> None:
    try:
        path = contained(FOLDER, name)
    except ValueError:
        return
    assert os.path.normpath(path) == str(path)
    assert path != FOLDER
    assert path.is_relative_to(FOLDER)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "", ".", "a//b", "C:x", "a\\b", "a\0b", "é", "x" * 241])
def test_what_some_system_reads_its_own_way_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no plain relative path"):
        contained(FOLDER, name)


def test_a_plain_name_is_taken() -> None:
    assert contained(FOLDER, "out/scores 1.npy") == FOLDER / "out" / "scores 1.npy"

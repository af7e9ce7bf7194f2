"""Names in a project's files, checked as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import SpecError
from edgekit.specs.factory_names import check_factory


@pytest.mark.parametrize(
    "text",
    [
        "def net(): ...",
        "class net: ...",
        "net = 3",
        "from zoo import network as net",
        "import net.deep",
        "if True:\n    def net(): ...",
        "from zoo import *",
        "globals()['ne' + 't'] = 3",
        "def __getattr__(name): ...",
        "this is no Python",
    ],
)
def test_what_a_module_may_have_passes_and_nothing_is_run(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.py").write_text(f"{text}\nraise SystemExit('imported')\n")
    check_factory("own.py:net", tmp_path)


def test_what_it_cannot_have_is_told_with_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("raise SystemExit('imported')\ndef nest(): ...\ndef _own(): ...\n")
    with pytest.raises(SpecError, match=r"'own\.py' has no 'net'") as error:
        check_factory("own.py:net", tmp_path)
    assert "nest" in str(error.value.hint)
    with pytest.raises(SpecError, match=r"there is no 'owns\.py'"):
        check_factory("owns.py:net", tmp_path)

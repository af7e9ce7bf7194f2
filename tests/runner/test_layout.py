"""Names that host and device share are written in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import edgekit
from edgekit.runner import layout
from edgekit.runner.layout import MANIFEST, PLAN, SIGNATURE, SLOTS, root_of

ROOT = Path(edgekit.__file__).parent


def test_a_name_of_a_file_in_a_slot_is_written_in_one_module() -> None:
    """Other modules import it: a copy may come to differ."""
    names = {MANIFEST, SIGNATURE, PLAN}
    texts = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in ROOT.rglob("*.py")}
    written = {
        (path, node.value)
        for path, text in texts.items()
        if any(name in text for name in names)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert written == {(Path(layout.__file__).relative_to(ROOT).as_posix(), name) for name in names}


def test_a_slot_and_what_is_measured_beside_it_have_one_root() -> None:
    root = Path("/opt/edgekit")
    assert {root_of(root / slot) for slot in SLOTS} == {root_of(root / "probe" / "a-model")} == {root}

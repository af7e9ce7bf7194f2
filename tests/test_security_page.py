"""The page that says what is promised names the test that proves it: each one is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_test_that_the_security_page_names_exists() -> None:
    page = (CHECKOUT / "docs" / "security.md").read_text()
    named = NAMED.findall(page)
    assert len(named) == page.count("::test_") >= 15
    for path, name in named:
        tree = ast.parse((CHECKOUT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{path}::{name}"

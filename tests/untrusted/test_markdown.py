"""Words in Markdown: shown as they are, and ended by nothing in them."""

from __future__ import annotations

import pytest

from edgekit.untrusted.markdown import cell, code


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("edgekit plan", "`edgekit plan`"),
        ("a`b", r"<code>a\`b</code>"),
        ("a|b", r"<code>a\|b</code>"),
        ("<b>", "<code>&lt;b&gt;</code>"),
    ],
)
def test_code_is_a_span_where_no_letter_would_end_it(words: str, written: str) -> None:
    assert code(words) == written


def test_a_cell_is_one_line_without_markup() -> None:
    assert cell("a\n| ![x](y) \u202e<i>") == r"a \| !\[x\](y)  &lt;i&gt;"

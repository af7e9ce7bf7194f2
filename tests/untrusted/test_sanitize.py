"""Words from outside as they may be shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.untrusted.sanitize import json_lines, last_lines, line, lines

ANY = st.text(st.characters())
"""Surrogates too, as names of files have them."""


@given(ANY)
def test_a_line_is_printable_and_as_long_as_it_was(text: str) -> None:
    shown = line(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    shown.encode()


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b31m", "a\0b", "\u202egnp", "\u200f", "a\nb", "\r", "\ud800"])
def test_escapes_nul_and_marks_of_direction_are_spaces(text: str) -> None:
    assert set(text) & set(line(text)) <= set("[2Jab31mgnp")


def test_a_long_line_keeps_both_ends() -> None:
    assert line("A" * 3_000_000 + "end", 20) == "AAAAAAAAAA … AAAAAAAend"


@given(ANY)
def test_lines_of_ours_stay_lines(text: str) -> None:
    assert len(lines(text).split("\n")) == len(text.split("\n"))


@given(st.recursive(ANY, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner)))
def test_json_means_the_same_and_is_printable(document: object) -> None:
    written = json_lines(json.dumps(document, ensure_ascii=False, indent=1))
    assert written.replace("\n", "").isprintable()
    assert json.loads(written) == document


def test_the_last_lines_of_megabytes_are_few_and_short() -> None:
    assert last_lines("a\n" + "\n" * 4_000_000 + "b \x1b\n\n", 3) == ["b"]
    assert last_lines("1\n2\n3\n4", 2) == ["3", "4"]
    assert len(last_lines("B" * 4_000_000, 1)[0]) < 2100

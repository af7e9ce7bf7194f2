"""Plain text within the width of a terminal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgekit.report.forms import text
from edgekit.report.forms.columns import cells, folded, table
from edgekit.report.report import Report
from tests.report.examples import built, emulated, failed, passed, served

WIDTHS = (60, 72, 80, 100, 120, 200)
REPORTS = (passed, failed, built, emulated, served)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("make", REPORTS)
def test_a_report_fits_every_terminal_and_no_word_is_broken(make: Callable[[], Report], width: int) -> None:
    report = make()
    wide, narrow = (text.lines([report], full=True, width=columns) for columns in (None, width))
    words = {word for each in wide for word in each.text.split()}
    for each in narrow:
        # A command is to be copied, and a word that is longer than the line stays whole.
        alone = "  edgekit " in each.text or len(each.text.split()) == 1
        assert cells(each.text) <= width or alone, each.text
        names = ("reference:", "candidate:", "measured:", "fact:", "value:", "limit:", "gate:", "time:")
        new = {word for word in each.text.split() if word not in words}
        assert all(word.endswith(":") or word in names for word in new), new


@pytest.mark.parametrize("make", REPORTS)
def test_a_report_is_a_screenful_until_the_rest_is_asked_for(make: Callable[[], Report]) -> None:
    brief = [each.text for each in text.lines([make()], width=100)]
    whole = [each.text for each in text.lines([make()], full=True, width=100)]
    assert len(brief) <= 32 < len(whole)
    assert brief[0] == whole[0]
    assert {"Gates", "Next"} <= set(brief)
    assert brief[-1] == "All sections: edgekit report DIR --full; as a page: --report FILE.html"
    assert "Provenance" in whole
    assert "Provenance" not in brief


def test_outcomes_are_marked_where_a_line_begins_with_one() -> None:
    marked = [each for each in text.lines([failed()], width=80) if each.mark]
    assert [each.mark for each in marked] == ["FAILED", "failed", "failed", "undecided", "passed", "passed", "passed"]
    assert all(each.text.lstrip().startswith(each.mark) for each in marked)


def test_wide_letters_count_twice_and_marks_not_at_all() -> None:
    assert [cells(each) for each in ("abc", "猫", "🐈", "e\u0301", "ü")] == [3, 2, 2, 1, 1]
    rows = (("name", "n"), ("猫🐈", "1"), ("abcd", "2"))
    assert table(rows, None) == ["  name  n", "  猫🐈  1", "  abcd  2"]


def test_what_continues_is_indented_below_its_beginning() -> None:
    assert folded("one two three", 12, "  * ") == ["  * one two", "    three"]
    assert folded("unbreakable-word-of-a-name", 10, "- ") == ["- unbreakable-word-of-a-name"]
    assert folded("", 10, "  ") == [""]
    assert folded("at most 20 %", 11) == ["at most", "20 %"]


def test_a_cell_is_folded_below_itself_and_a_table_too_wide_is_told_cell_by_cell() -> None:
    rows = (("what", "value"), ("first", "one two three four"))
    assert table(rows, 22) == ["  what   value", "  first  one two three", "         four"]
    many = (("a", "b", "c", "d"), ("w" * 12, "x" * 12, "y" * 12, "z" * 12))
    assert table(many, 40) == [f"  {'w' * 12}", f"      b: {'x' * 12}", f"      c: {'y' * 12}", f"      d: {'z' * 12}"]

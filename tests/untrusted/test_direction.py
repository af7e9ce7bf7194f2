"""Letters from right to left, isolated."""

from hypothesis import given
from hypothesis import strategies as st

from edgekit.untrusted.direction import by_direction, isolated


def test_a_run_ends_with_its_last_letter_from_right_to_left() -> None:
    marked = by_direction("a שלום עולם 3, b قط.png", str, lambda run: f"<{run}>")
    assert marked == "a <שלום עולם> 3, b <قط>.png"


def test_what_is_isolated_is_closed_again() -> None:
    assert isolated("plain 🐈 ü") == "plain 🐈 ü"
    assert isolated("x שלום") == "x \u2068שלום\u2069"


@given(st.text())
def test_nothing_is_lost_and_nothing_is_left_open(text: str) -> None:
    assert by_direction(text, str, str) == text
    marks = isolated(text.replace("\u2068", "").replace("\u2069", ""))
    assert marks.count("\u2068") == marks.count("\u2069")

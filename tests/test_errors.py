"""The tree of errors: every class has a code of its own, a page of its own, and its place in the docstring."""

from __future__ import annotations

import re

import pytest

from edgekit import errors
from edgekit.errors import EdgekitError, all_errors, nearest, suggest

ERRORS = list(all_errors())

every_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)


def drawn() -> dict[str, tuple[str, str | None]]:
    """The group and the code of every class that the module's docstring draws."""
    group, drawn_codes = "", {}
    for mark, name, code in re.findall(r"^ *([*x-]) (\w+)(?: +(EK\d+))?", errors.__doc__ or "", re.MULTILINE):
        group = name if mark == "x" else group
        drawn_codes[name] = (group, code or None)
    return drawn_codes


def test_every_code_is_used_once() -> None:
    codes = [error.code for error in ERRORS]
    assert len(set(codes)) == len(codes)


@every_error
def test_every_error_has_a_code_a_page_and_an_exit_code(error: type[EdgekitError]) -> None:
    assert re.fullmatch(r"EK\d{3}", error.code)
    assert "code" in vars(error), "inherits the code of its base"
    assert error.__doc__
    assert "__doc__" in vars(error)
    assert error.exit_code in (2, 3)


@every_error
def test_every_error_is_drawn_under_its_group_with_its_code(error: type[EdgekitError]) -> None:
    group, code = drawn()[error.__name__]
    assert group in ("", *(base.__name__ for base in error.__mro__))
    # A base that only groups others is drawn without a code: nobody raises it.
    assert code == (None if error.code.endswith("00") else error.code)


def test_nothing_is_drawn_that_is_not_there() -> None:
    assert set(drawn()) == {error.__name__ for error in ERRORS}


def test_what_is_wrong_before_anything_starts_ends_with_2_and_all_else_with_3() -> None:
    for error in ERRORS:
        assert error.exit_code == (2 if issubclass(error, errors.UsageError) else 3)


def test_an_error_carries_a_hint() -> None:
    error = errors.SpecError("'x.toml' is not TOML", hint="edgekit targets show host")
    assert str(error) == "'x.toml' is not TOML"
    assert error.hint == "edgekit targets show host"


def test_the_nearest_name_is_suggested_and_otherwise_what_else_to_do() -> None:
    known = ["raspberry-pi-4", "jetson-orin-nano"]
    assert nearest("raspbery-pi-4", known) == "raspberry-pi-4"
    assert nearest("", known) is None
    assert nearest("x", []) is None
    assert suggest("jetson-orin", known, "look") == "did you mean 'jetson-orin-nano'?"
    assert suggest("zx81", known, "look") == "look"

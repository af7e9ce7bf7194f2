"""`explain`: the meaning of an error code."""

from __future__ import annotations

import inspect

from edgekit.errors import all_errors
from tests.conftest import Command


def test_every_error_code_is_explained_in_full(command: Command) -> None:
    for kind in all_errors():
        ended = command("explain", kind.code.lower())
        assert ended.code == 0
        heading, *rest = ended.out.rstrip("\n").split("\n")
        assert heading == f"{kind.code} {kind.__name__} (exit {kind.exit_code})"
        assert "\n".join(rest) == inspect.cleandoc(kind.__doc__ or "")


def test_an_unknown_code_is_told_the_nearest(command: Command) -> None:
    refusal = command("explain", "EK6O5").refused("EK102", 2)
    assert "'EK6O5'" in refusal
    assert "hint: did you mean 'EK605'?" in refusal


def test_without_a_code_all_are_listed_by_family(command: Command) -> None:
    listed = command("explain")
    assert listed.code == 0
    assert all(f"  {kind.code}  {kind.__name__}: " in listed.out for kind in all_errors())
    assert "\nUsageError (exit 2)\n" in listed.out
    errors = command("explain", "--json").document["errors"]
    assert [error["code"] for error in errors] == sorted(kind.code for kind in all_errors())


def test_a_family_lists_its_codes_and_one_that_is_none_is_an_error(command: Command) -> None:
    alike = command("explain", "ek6").out
    assert "EK601" in alike
    assert "EK701" not in alike
    derived = command("explain", "dataerror").out
    assert "EK110" in derived
    assert "EK104" not in derived
    for name in ("EK9", "EK", "Nothing"):
        command("explain", name).refused("EK102", 2)
    assert "did you mean 'deviceerror'?" in command("explain", "DeviceErrors").refused("EK102", 2)

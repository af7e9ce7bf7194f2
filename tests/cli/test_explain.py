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

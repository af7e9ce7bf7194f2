"""Hints for keys that a file lacks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from edgekit.specs.missing_key import missing_key_hint
from edgekit.specs.spec import Flag, Spec, Whole


class Lamp(Spec):
    watts: Whole


@pytest.mark.parametrize(
    ("annotation", "hint"),
    [
        (str, 'state it under [room]: key = "TEXT"'),
        (Whole, "state it under [room]: key = NUMBER"),
        (Annotated[float | None, Field(gt=0)], "state it under [room]: key = NUMBER"),
        (Flag, "state it under [room]: key = true"),
        (Literal["warm", "cold"], 'state it under [room]: key = "warm"'),
        (tuple[Whole, Whole], "state it under [room]: key = [NUMBER, NUMBER]"),
        (tuple[str, ...], 'state it under [room]: key = ["TEXT"]'),
        (Lamp, "state the table [room.key]"),
        (dict[str, Lamp], "state the table [room.key]"),
        (None, 'state it under [room]: key = "TEXT"'),
    ],
)
def test_the_form_of_its_type_is_shown(annotation: Any, hint: str) -> None:
    assert missing_key_hint(["room"], "key", annotation, []) == hint


def test_a_key_that_is_nearly_it_is_meant() -> None:
    assert missing_key_hint([], "licence", str, ["licens"]) == "did you mean 'licence', where 'licens' stands?"
    assert missing_key_hint([], "licence", str, ["colour"]) == 'state it: licence = "TEXT"'

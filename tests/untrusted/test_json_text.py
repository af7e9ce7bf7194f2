"""JSON from outside: only what is finite, shallow and Unicode."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.untrusted import json_text

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@given(PLAIN)
def test_what_json_can_say_is_read_as_it_was_written(document: object) -> None:
    assert json_text.loads(json.dumps(document)) == document


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        "[-Infinity]",
        "1e999",
        "-1e999",
        "9" * 21,
        "-9223372036854775809",
        "18446744073709551616",
        "9" * 100_000,
        '"\\ud800"',
        '{"\\uDFFF": 1}',
        "[" * 500_000,
        "[" * 70 + "]" * 70,
        '{"a":' * 200_000 + "1" + "}" * 200_000,
        "[" + "0," * 100_000 + "0]",
        "{",
        "",
    ],
    ids=lambda text: text[:12],
)
def test_what_python_takes_and_nobody_can_use_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  callers say what it was that they read
        json_text.loads(text)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        document = json_text.loads(raw)
    except ValueError:
        return
    assert not isinstance(document, float) or math.isfinite(document)


def test_a_document_of_sixty_levels_is_read() -> None:
    assert json_text.loads("[" * 60 + "]" * 60)[0]

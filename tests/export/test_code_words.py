"""Names and texts in programs, for names of inputs that no language takes as they are."""

from __future__ import annotations

import pytest

from edgekit.export.code_words import byte_count, identifier, text


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("image", "image"),
        ("x.1", "x_1"),
        ("1st", "tensor_1st"),
        ("val", "val_"),
        ("inputs", "inputs_"),
        ("größe", "gr__e"),
        ("日本", "tensor"),
    ],
)
def test_a_name_becomes_a_variable_of_any_of_the_languages(name: str, variable: str) -> None:
    assert identifier(name) == variable


def test_texts_are_quoted_and_sizes_are_in_bytes() -> None:
    assert text('a "b"\n') == '"a \\"b\\"\\n"'
    assert byte_count("float32", (1, 3, 4)) == 48
    assert byte_count("int64", (2,)) == 16

"""Flatbuffers, read from bytes that may end too early."""

from __future__ import annotations

import pytest

from edgekit.runner.files.flatbuffer import Table
from edgekit.runner.runtimes import etdump
from tests.runner import slot

pytestmark = pytest.mark.lowers


@pytest.mark.parametrize("cut", [0, 3, 7, 40, 200])
def test_a_program_that_ends_too_early_is_an_error(cut: int) -> None:
    with pytest.raises(ValueError, match=r"does not begin|too early"):
        [table.text(0) for table in Table.root(slot.model("pte")[:cut], etdump.PROGRAM).tables(1)]

"""The command line that a runner was started by."""

from __future__ import annotations

import sys

import pytest

from edgekit.runner.machine.own_command import OwnCommand, own_command, split

PACK = (
    "/opt/edgekit/runtimes/0a/lib/ld-linux-aarch64.so.1",
    "--library-path",
    "/opt/edgekit/runtimes/0a/lib",
    "python",
)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ((*PACK, "/opt/edgekit/runner/1b.pyz", "slots", "commit"), (PACK, ("/opt/edgekit/runner/1b.pyz",))),
        (("python3", "-m", "runner", "serve"), (("python3",), ("-m", "runner"))),
        (("python3", "-m", "pytest"), None),
        (("-m", "runner"), None),
        ((), None),
    ],
)
def test_it_ends_where_the_programs_own_words_begin(
    words: tuple[str, ...], parts: tuple[tuple[str, ...], tuple[str, ...]] | None
) -> None:
    assert split(words) == (parts and OwnCommand(*parts))


def test_another_program_tells_its_python() -> None:
    assert own_command().python == (sys.executable,)

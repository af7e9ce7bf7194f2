"""Pages of docs/tutorials do what they show, and every command of every page is one that edgekit knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.page_blocks import Block, assert_shown, blocks, run_page

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *TUTORIALS]
ADDRESS = re.compile(r"\bssh://\w+@([\w-]+)(?:\.local)?\b|\badb://")
"""Boards of the pages. A folder of this machine stands for each."""
LONGEST = 165
"""Lines of a tutorial: two screens, and the programs that it starts from."""


@pytest.mark.builds
@pytest.mark.trains
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    folder = tmp_path / "work"
    folder.mkdir()
    boards = {match[0]: f"local://{tmp_path / (match[1] or 'phone')}" for match in ADDRESS.finditer(text)}
    places = {f"EDGEKIT_{name}": str(tmp_path / name.lower()) for name in ("CONFIG", "CACHE", "DATA")}
    run_page(text, folder, places, boards)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_is_short_shows_a_verdict_and_what_is_seen_when_it_fails(page: Path) -> None:
    text = page.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert "**That is the verdict" in text
    _, _, fault = text.partition("\n## If it goes wrong\n")
    assert any(block.exit_code for block in blocks(fault))
    assert "| EK" in fault


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_command_of_a_page_has_the_options_that_it_is_typed_with(page: Path) -> None:
    from edgekit.cli.app import load

    unknown = []
    for words in _commands(page.read_text()):
        if any("…" in word or word.isupper() for word in words[:2]) or words[1].startswith("-"):
            continue
        command = load(words[1])
        rest = words[2:]
        while rest and rest[0] in getattr(command, "commands", {}):
            command, rest = command.commands[rest[0]], rest[1:]
        known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}
        unknown += [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
    assert unknown == []


def _commands(page: str) -> list[list[str]]:
    """Commands of the fenced blocks, and of blocks that are indented."""
    lines = re.findall(r"^ {4,}(edgekit [^\n]*)", page, re.MULTILINE)
    indented = Block("sh", "\n".join(line for line in lines if line.count('"') % 2 == line.count("'") % 2 == 0) + "\n")
    return [
        words for block in (*blocks(page), indented) if block.language in ("sh", "bash") for words in block.commands
    ]


def test_a_page_that_shows_something_else_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    page = (
        '```python title="p.py"\nprint("7 of 9 right")\n```\n\n```sh\npython p.py\n```\n\n'
        "<!-- exit: 3 -->\n```sh\nexit 3\n```\n\n<!-- not run: no -->\n```sh\nexit 1\n```\n"
    )
    run_page(page, folder, {}, {})
    for wrong in (page.replace("7 of", "8 of") + "```text\nanything\n```\n", page.replace("exit: 3", "exit: 2")):
        with_text = wrong.replace("p.py\n```\n\n<!-- exit", "p.py\n```\n\n```text\n8 of 9 wrong\n```\n\n<!-- exit")
        (tmp_path / "bin/edgekit").unlink()
        (tmp_path / "bin").rmdir()
        with pytest.raises(AssertionError):
            run_page(with_text, folder, {}, {})


def test_numbers_may_differ_and_an_ellipsis_stands_for_anything() -> None:
    assert_shown("PASSED  …\n…\n12 of 13\n", "before\nPASSED  host, 3.5\nbetween\n9 of 10\n")
    with pytest.raises(AssertionError):
        assert_shown("second\nfirst\n", "first\nsecond\n")

"""Pages of docs/tutorials do what they show, and every command of every page is one that edgekit knows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Built
from tests.page_blocks import assert_shown, blocks, rehearse_page, run_page
from tests.page_commands import commands, refusal

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *TUTORIALS]
ADDRESS = re.compile(r"\bssh://\w+@([\w-]+)(?:\.local)?\b|\badb://")
"""Boards of the pages. A folder of this machine stands for each."""
LONGEST = 175
"""Lines of a tutorial: two screens, and the programs that it starts from."""


def _boards(page: str, folder: Path) -> dict[str, str]:
    return {match[0]: f"local://{folder / (match[1] or 'phone')}" for match in ADDRESS.finditer(page)}


@pytest.mark.builds
@pytest.mark.trains
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    folder = tmp_path / "work"
    folder.mkdir()
    places = {f"EDGEKIT_{name}": str(tmp_path / name.lower()) for name in ("CONFIG", "CACHE", "DATA")}
    run_page(text, folder, places, _boards(text, tmp_path))


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda path: path.stem)
def test_what_a_tutorial_shows_without_a_build_is_so(
    page: Path, tmp_path: Path, built: Built, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.read_text()
    shutil.copytree(places["EDGEKIT_CONFIG"], tmp_path / "config")
    (tmp_path / "app-model").mkdir()  # a step before has exported it
    bundles = dict.fromkeys(("out/*.edgekit", "first/*.edgekit"), str(built.bundle))
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "config"))
    assert rehearse_page(text, tmp_path, {**_boards(text, tmp_path), **bundles}) > 0


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_is_short_shows_a_verdict_and_what_is_seen_when_it_fails(page: Path) -> None:
    text = page.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert "**That is the verdict" in text
    _, _, fault = text.partition("\n## If it goes wrong\n")
    assert any(block.exit_code for block in blocks(fault))
    assert "| EK" in fault


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_command_line_takes_each_command_of_a_page(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # one with --log opens a file
    told = {line.text: refusal(line) for line in commands(page.read_text())}
    assert {line: words for line, words in told.items() if words} == {}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("edgekit biuld --target host", "no command 'biuld'"),
        ("edgekit device ad pi", "no command 'ad' of 'device'"),
        ("edgekit build --target host --backnd onnx", "No such option: --backnd"),
        ("edgekit build --target host --ci gitlab", "not one of 'github'"),
        ("edgekit build --backend onnx", "Missing parameter: target"),
        ("edgekit build --target host twice", "extra argument"),
        ("edgekit build --target hots", "no target is named 'hots'"),
        ("edgekit plan --target host --profile int9", "no profile is named 'int9'"),
        ("edgekit export", ""),
        ("edgekit build --target host [--ci github]  # and so on", ""),
    ],
)
def test_a_command_that_is_typed_wrongly_is_found(line: str, told: str) -> None:
    [shown] = commands(f"`{line}`" if line == "edgekit export" else f"```sh\n{line}\n```\n")
    assert told in refusal(shown) if told else refusal(shown) == ""


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

"""Blocks of a page of documentation: what they write, run, and show.

- a block with `title="FILE"` behind its language is written to that file;
- `sh` is run by bash, up to the first command that fails;
- `text` is what the block before it shows: its lines in their order. `…` stands for anything, and numbers may differ.

A comment on the line before a block: `<!-- not run: REASON -->`, or `<!-- exit: 2 -->` for another exit code than 0.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command_line import edgekit_here, environment

BLOCK = re.compile(
    r"(?:^<!-- (?P<note>.*?) -->\n)?^```(?P<language>\w+)(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
TITLE = re.compile(r'title="([^"]+)"')
NUMBER = re.compile(r"(?<![A-Za-z])\d[\d,.]*")
"""Number that may differ. `EK102` and `int8` are words."""
LIMIT_S = 900.0


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    file: str = ""
    """File that the block is the text of."""
    note: str = ""
    """Comment on the line before it."""

    @property
    def runs(self) -> bool:
        return self.language == "sh" and not self.note.startswith("not run: ")

    @property
    def exit_code(self) -> int:
        return int(self.note.removeprefix("exit: ")) if self.note.startswith("exit: ") else 0

    @property
    def needs_no_build(self) -> bool:
        """True if its commands of edgekit build nothing and reach no device: they plan, name, or are refused."""
        verbs = [" ".join(words[1:3]) if words[1] == "device" else words[1] for words in self.commands]
        return bool(verbs) and (self.exit_code > 1 or set(verbs) <= {"plan", "device add", "device list"})

    @property
    def commands(self) -> list[list[str]]:
        """Words of each line that calls edgekit, without its comment, and up to where its output goes."""
        lines = self.text.replace("\\\n", " ").splitlines()
        parts = [part.strip() for line in lines for part in re.split(r"&&|\|", line)]
        return [shlex.split(re.split(r" >", part)[0], comments=True) for part in parts if part.startswith("edgekit ")]


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of a page in their order."""
    for match in BLOCK.finditer(page):
        title = TITLE.search(match["info"])
        yield Block(match["language"], match["text"], title[1] if title else "", match["note"] or "")


def run_page(page: str, folder: Path, env: Mapping[str, str], stand_ins: Mapping[str, str]) -> None:
    """Run a page in an empty folder. stand_ins: what is run in the place of the address of a device."""
    shim = folder.with_name("bin") / "edgekit"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m edgekit.cli "$@"\n')
    shim.chmod(0o755)
    path = os.pathsep.join((str(shim.parent), str(Path(sys.executable).parent), os.environ["PATH"]))
    env = environment({**env, "PATH": path, "COLUMNS": "100"})
    shown: str | None = None
    for address, other in stand_ins.items():
        page = page.replace(address, other)
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(block.text)
        elif block.runs:
            shown = _run(block, folder, env)
        elif block.language == "text" and shown is not None:
            assert_shown(block.text, shown)
        elif block.language == "sh":
            shown = None


def rehearse_page(page: str, folder: Path, stand_ins: Mapping[str, str]) -> int:
    """Run what needs no build, in this process; return how many commands that were.

    stand_ins: as `run_page` takes them, and bundles by the pattern that a page has for them, as `out/*.edgekit`.
    """
    for name, other in stand_ins.items():
        page = page.replace(name, other)
    shown, count = "", 0
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(block.text)
        elif block.runs and not block.needs_no_build:
            shown = ""
        elif block.runs:
            code, shown = 0, ""
            for line in block.text.replace("\\\n", " ").splitlines():
                if not line.startswith("edgekit "):
                    subprocess.run(["bash", "-ec", line], cwd=folder, check=True, timeout=LIMIT_S)
                    continue
                with pytest.MonkeyPatch.context() as patch:
                    patch.chdir(folder)
                    ended = edgekit_here(*shlex.split(line, comments=True)[1:], env={"COLUMNS": "100"})
                code, shown, count = ended.code, f"{shown}{ended.stderr}{ended.out}", count + 1
            assert code == block.exit_code, f"{block.text}\nexit {code}:\n{shown}"
        elif block.language == "text" and shown:
            assert_shown(block.text, shown)
    return count


def assert_shown(expected: str, shown: str) -> None:
    """Assert that the lines of a `text` block were shown, in their order."""
    lines = iter([_plain(line) for line in shown.splitlines()])
    for line in filter(None, map(_plain, expected.splitlines())):
        if line == "…":
            continue
        pattern = ".*".join(map(re.escape, line.split("…")))
        assert any(re.fullmatch(pattern, other) for other in lines), f"'{line}' is not shown in:\n{shown}"


def _run(block: Block, folder: Path, env: Mapping[str, str]) -> str:
    ended = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", block.text],
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
    )
    assert ended.returncode == block.exit_code, f"{block.text}\nexit {ended.returncode}:\n{ended.stdout}"
    return ended.stdout


def _plain(line: str) -> str:
    """The line with one space between words, and `#` for every number."""
    return NUMBER.sub("#", " ".join(line.split()))

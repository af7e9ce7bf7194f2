"""The runner's file as a device compiles it."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

from edgekit.runner.verbs.compile_runner import compile_runner


def _answer(program: Path) -> str:
    command = [sys.executable, "-I", "-S", "-B", str(program)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_what_was_compiled_is_run_and_another_python_takes_the_sources(tmp_path: Path) -> None:
    source, program = tmp_path / "source.pyz", tmp_path / "program.pyz"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("__main__.py", "import said\nprint(said.__file__)\n")
        archive.writestr("said.py", "")
    for _ in range(2):  # two hosts at once
        assert compile_runner(source, program) == {"changed": True}
        assert (tmp_path / "program.sum").read_text().strip() == hashlib.sha256(program.read_bytes()).hexdigest()
    assert _answer(program) == str(program / "said.pyc")
    program.write_bytes(program.read_bytes().replace(importlib.util.MAGIC_NUMBER, b"\x00\x00\r\n"))
    assert _answer(program) == str(program / "said.py")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program.pyz", "program.sum", "source.pyz"]

"""The programs of docs/apps, run against a server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.client import edgekit_client
from tests.command_line import edgekit_here
from tests.conftest import Built

APPS = Path(__file__).parents[3] / "docs" / "apps"
LIMIT_S = 100.0


SMALL = {"/opt/edgekit": "{root}", '"digits"': '"small"', "8, 8, 1]": "8, 8, 3]", "8 * 8": "8 * 8 * 3"}
"""Names and sizes of the pages' example, and those of the tests' own, which is built already."""


@pytest.fixture(scope="module")
def served(built: Built, tmp_path_factory: pytest.TempPathFactory, places: dict[str, str]) -> Iterator[Path]:
    """A device's folder, in the place of /opt/edgekit, whose server runs."""
    root = tmp_path_factory.mktemp("d") / "root"
    with pytest.MonkeyPatch.context() as patch:
        for name, place in places.items():
            patch.setenv(name, place)
        device = f"local://{root}"
        flashed = edgekit_here("flash", built.bundle, "--device", device)
        assert flashed.code == 0, flashed.err
        started = edgekit_here("device", "serve", device, "--workers", "1")
        assert started.code == 0, started.err
        yield root
        edgekit_here("device", "serve", device, "--stop")


def programs(page: str, language: str, root: Path) -> list[str]:
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", (APPS / page).read_text(), re.DOTALL)
    for old, new in SMALL.items():
        blocks = [block.replace(old, new.format(root=root)) for block in blocks]
    return blocks


def test_those_in_python_print_the_version_and_the_class(served: Path, tmp_path: Path) -> None:
    shutil.copy(edgekit_client.__file__, tmp_path)
    by_server, in_process = programs("python.md", "python", served)
    answers = [_run([sys.executable, "-c", program], tmp_path) for program in (by_server, in_process)]
    assert re.fullmatch(r"[0-9a-f]{12} [0-9]\n", answers[0])
    assert answers[0] == answers[1]


def test_the_one_in_cpp_prints_the_scores(served: Path, tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++ here")
    [program] = programs("cpp.md", "cpp", served)
    (tmp_path / "ask.cpp").write_text(program)
    _run([compiler, "-std=c++17", "-Wall", "-Werror", "ask.cpp", "-o", "ask"], tmp_path)
    scores = [float(line) for line in _run(["./ask", str(served / "serve.sock")], tmp_path).splitlines()]
    shutil.copy(edgekit_client.__file__, tmp_path)
    answered = int(_run([sys.executable, "-c", programs("python.md", "python", served)[0]], tmp_path).split()[1])
    assert len(scores) == 4
    assert max(range(4), key=scores.__getitem__) == answered


def _run(argv: list[str], folder: Path) -> str:
    ended = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout

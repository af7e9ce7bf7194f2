"""Lines of a project's own files that gates and errors are shown at."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import EdgekitError
from edgekit.specs.profile import Profile
from edgekit.specs.project import Project
from edgekit.specs.source_location import SourceLocation, error_location, gate_location, key_line
from edgekit.specs.spec import parse, read_toml
from tests.networks import TOML, substitute, write_project

PROFILE = """schema = 1
summary = '''
accuracy_drop = { max = 1 }
'''
families = ["host"]

[gates]
# agreement = { min = 0.9 }
size_ratio = { max = 0.35 }
agreement = { min = 0.97 }
latency_p50_ms.max = 3

[gates.accuracy_drop]
max = 0.01
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = write_project(tmp_path / "my project")
    (folder / "profiles").mkdir()
    (folder / "profiles" / "mine.toml").write_text(PROFILE)
    return folder


@pytest.mark.parametrize(
    ("gate", "line"), [("size_ratio", 9), ("agreement", 10), ("latency_p50_ms", 11), ("accuracy_drop", 13)]
)
def test_a_gate_is_located_in_the_profile_that_states_it(project: Path, gate: str, line: int) -> None:
    assert gate_location(project, "mine", gate) == SourceLocation("profiles/mine.toml", line)


def test_gates_of_the_project_come_first_and_those_of_nobody_at_its_file(project: Path) -> None:
    own = project / "edgekit.toml"
    own.write_text(f"{own.read_text()}\n[gates.agreement]\nmin = 0.5\n")
    header = own.read_text().splitlines().index("[gates.agreement]") + 1
    assert gate_location(project, "mine", "agreement") == SourceLocation("edgekit.toml", header)
    assert gate_location(project, "mine", "calibration_overlap") == SourceLocation("edgekit.toml", 3)
    assert gate_location(project, "host-int8", "size_ratio") == SourceLocation("edgekit.toml", 1)
    for hostile in ("../../etc/passwd", "a\0b", "/etc/passwd", "x" * 5000):
        assert gate_location(project, hostile, "size_ratio") == SourceLocation("edgekit.toml", 1)


def test_a_key_that_cannot_be_found_has_no_line(tmp_path: Path) -> None:
    assert key_line(tmp_path / "none.toml", ("a",)) is None
    (tmp_path / "bad.toml").write_bytes(b"a = \xff")
    assert key_line(tmp_path / "bad.toml", ("a",)) is None
    (tmp_path / "open.toml").write_text("a = [\n" * 40 + "a\n" * 400)
    assert key_line(tmp_path / "open.toml", ("a",)) is None


def located(project: Path, message: str) -> tuple[str, int] | None:
    at = error_location(message, project)
    return (at.file, at.line) if at else None


def test_an_error_names_the_last_line_of_the_project_that_it_tells_of(project: Path) -> None:
    assert located(project, "failed at model.py:3 in a: at model.py:7 in net: no") == ("model.py", 7)
    assert located(project, "failed at model.py:70000 in net: no") is None
    assert located(project, "failed at ../other.py:1 in net: no") is None
    assert located(project, "failed at /etc/passwd.py:1 in net: no") is None
    assert located(project, "no line at all") is None


def test_what_specs_refuse_is_located_by_its_key(project: Path) -> None:
    for text, expected in (
        (substitute("[gates]", "[gates]\nagrement = { min = 1 }", PROFILE), 8),
        (substitute("{ max = 0.35 }", "{ mux = 1 }", PROFILE), 9),
        (substitute("[gates]", "[gates", PROFILE), 7),
    ):
        path = project / "profiles" / "mine.toml"
        path.write_text(text)
        with pytest.raises(EdgekitError) as refused:
            parse(Profile, read_toml(path), "profiles/mine.toml", derived={"id": "mine"})
        assert located(project, str(refused.value)) == ("profiles/mine.toml", expected)


def test_what_a_project_refuses_is_located_in_its_file(project: Path) -> None:
    own = project / "edgekit.toml"
    own.write_text(substitute("[data]", "[dota]\n[data]", TOML))
    with pytest.raises(EdgekitError) as refused:
        Project.read(project)
    line = own.read_text().splitlines().index("[dota]") + 1
    assert located(project, str(refused.value)) == ("edgekit.toml", line)

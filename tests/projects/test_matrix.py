"""Table of the projects' metrics: the form that its tool writes is what docs/tasks.md has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.projects.matrix import BACKENDS, PROFILES, PROJECTS, notes, table
from tests.projects.training import HERE, WEIGHTS, kept_digest, scripts_digest

PAGE = Path(__file__).parents[2] / "docs" / "tasks.md"
FIGURE = r"\d+\.\d+( %| dB)?( †)?"
PAIR = re.compile(rf"{FIGURE} / (\*\*)?({FIGURE}|fails)(\*\*)?")


def cell(backend: str, profile: str, **values: Any) -> dict[str, Any]:
    common = {"metric": "map", "reference": 0.9, "edgekit": 0.89, "verdict": "passed", "failed": []}
    return {"project": "one", "backend": backend, "profile": profile, **common, **values}


def rows_of_page() -> list[list[str]]:
    """Cells of each row of the page's table."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `") and line.count("|") == 7]
    return [[part.strip() for part in line.strip("|").split("|")] for line in lines]


def test_the_page_has_a_row_for_every_project_and_profile() -> None:
    rows = rows_of_page()
    assert sorted((row[0].split("`")[1], row[1]) for row in rows) == sorted(
        (name, profile) for name in PROJECTS for profile in PROFILES
    )


def test_weights_in_the_folders_are_those_of_the_scripts_beside_them() -> None:
    """Else `python -m tests.projects.training NAME` writes them anew; the rest is trained by the tests."""
    names = sorted(path.parent.name for path in HERE.glob(f"*/{WEIGHTS}"))
    assert {"face", "tagger", "yolo"} <= set(names)
    assert [name for name in names if kept_digest(name) != scripts_digest(name)] == []


def test_every_int8_cell_of_the_page_compares_with_the_vendor_and_none_is_behind() -> None:
    for name, profile, trained, *cells in rows_of_page():
        assert len(cells) == len(BACKENDS)
        assert trained == "–" or re.fullmatch(FIGURE, trained), name
        for text in cells:
            assert re.fullmatch(FIGURE, text) if profile == "float32" else PAIR.fullmatch(text), (name, profile)
            assert "**" not in text, f"{name} {profile}: the vendor's plain recipe is better"


def test_the_table_marks_failures_and_vendors_that_are_better_by_more_than_chance() -> None:
    rows = [cell(backend, profile, vendor=0.88) for profile in PROFILES for backend in BACKENDS]
    rows[0] |= {"verdict": "failed", "failed": ["accuracy_drop"]}
    rows[1] |= {"vendor": 0.9, "behind": [0.001, 0.02]}
    rows[2] |= {"vendor": 0.9, "behind": [-0.001, 0.02]}
    del rows[3]["vendor"]
    rows[3]["vendor_error"] = "no kernel"
    _, _, static, dynamic, plain = table(rows)
    assert (
        static
        == "| `one`, map | host-int8 | 90.00 % | 89.00 % † / 88.00 % | 89.00 % / **90.00 %** | 89.00 % / 90.00 % |"
    )
    assert dynamic.startswith("| `one`, map | dynamic-int8 | 90.00 % | 89.00 % / fails |")
    assert plain == "| `one`, map | float32 | 90.00 % | 89.00 % | 89.00 % | 89.00 % |"
    assert list(notes(rows)) == [
        "- `one`, host-int8, executorch: accuracy_drop",
        "- `one`, dynamic-int8, executorch: the vendor's tool fails: no kernel",
    ]

"""Evidence and atlas of a bundle that was really built."""

from __future__ import annotations

import json
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.conftest import Built, Command


def test_a_build_has_a_valid_paper_trail_and_is_in_the_atlas(built: Built, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "evidence"
    ended = command("evidence", built.bundle, "--out", out)
    assert ended.code == 0, ended.err
    assert JsonStrictValidator(SchemaVersion.V1_7).validate_str((out / "bom.cdx.json").read_text()) is None
    report = json.loads((built.out / "report.json").read_text())
    assert json.loads((out / "facts/report.json").read_text()) == report
    card = (out / "model-card.md").read_text()
    assert f"| evaluation | {report['candidate']['samples']:,} |" in card
    page = tmp_path / "atlas.html"
    assert command("atlas", built.out, "--out", page).code == 0
    assert "--set profile.gates.size_ratio.max=2" in page.read_text()

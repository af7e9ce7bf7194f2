"""Model card: its task is the one that an exported folder names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.evidence.dossier import Dossier
from edgekit.evidence.model_card import model_card
from tests.evidence.examples import write_all


@pytest.mark.parametrize(
    ("task", "name"),
    [("embedding", "image-feature-extraction"), ("multi-label", "image-classification"), ("forecasting", None)],
)
def test_the_task_of_a_card_is_the_hubs_for_this_kind_of_input(task: str, name: str | None, tmp_path: Path) -> None:
    dossier = Dossier.gather(write_all(tmp_path), None, [])
    manifest = dossier.bundle.manifest.model_copy(update={"task": task})
    card = model_card(replace(dossier, bundle=replace(dossier.bundle, manifest=manifest)))
    tags = [row for row in card.split("\n---\n")[0].splitlines() if row.startswith("pipeline_tag")]
    assert tags == ([f'pipeline_tag: "{name}"'] if name else [])

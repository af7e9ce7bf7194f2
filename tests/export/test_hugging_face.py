"""Folders of the Hugging Face Hub: a card that its own library reads, and its tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.export.contract import Contract
from edgekit.export.folder import export
from edgekit.export.hugging_face import front_matter
from tests.export.conftest import Packed


def test_the_hubs_own_library_reads_the_card(packed: Packed, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    export(packed(), tmp_path / "out", hub=True)
    card = hub.ModelCard.load(tmp_path / "out" / "README.md")
    assert card.data.to_dict() == {
        "license": "unknown",
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
        "tags": ["edgekit", "quantized", "static-int8", "onnx", "raspberry-pi-5"],
    }
    assert card.text.lstrip().startswith("# tiny")
    assert (tmp_path / "out" / ".gitattributes").read_text() == "*.onnx filter=lfs diff=lfs merge=lfs -text\n"


@pytest.mark.parametrize(
    ("task", "edge", "name"),
    [
        ("detection", {"dtype": "uint8", "shape": (1, 8, 8, 3)}, "object-detection"),
        ("classification", {"dtype": "float32", "shape": (1, 40)}, None),
        ("classification", {"dtype": "int64", "shape": (1, 16), "tokenizer": True}, "text-classification"),
        ("audio-events", {"dtype": "float32", "shape": (1, 16)}, "audio-classification"),
        ("forecasting", {"dtype": "float32", "shape": (1, 16)}, "time-series-forecasting"),
        ("language-model", {"dtype": "int64", "shape": (1, 16)}, "text-generation"),
    ],
)
def test_a_task_has_the_hubs_name_for_its_kind_of_input(
    task: str, edge: dict[str, Any], name: str | None, packed: Packed, tmp_path: Path
) -> None:
    contract = export(packed(), tmp_path / "out")
    if edge.pop("tokenizer", False):
        edge["tokenizer"] = {"file": "tokenizer/x.json", "sha256": "0" * 64, "size": 3, "golden": {}}
    values = contract.model_dump(by_alias=True) | {"task": task, "inputs": [{"name": "x", **edge}]}
    card = front_matter(Contract.model_validate(values))
    assert [row for row in card.splitlines() if row.startswith("pipeline_tag")] == [f"pipeline_tag: {name}"] * bool(
        name
    )

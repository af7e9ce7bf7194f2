"""Networks that a folder's Python files define, found in their text."""

from __future__ import annotations

from pathlib import Path

from edgekit.scaffold.network_class import networks


def test_a_network_may_derive_from_a_sequence_or_from_lightning_and_parts_of_it_are_none(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "class Block(nn.Sequential):\n    pass\n\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(Block())\n"
    )
    (tmp_path / "lit.py").write_text("class Lit(pl.LightningModule):\n    pass\n\nclass Data(Dataset):\n    pass\n")
    assert [network.place for network in networks(tmp_path)] == ["lit.py:Lit", "net.py:Net"]

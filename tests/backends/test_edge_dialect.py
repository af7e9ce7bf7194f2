"""executorch's table of operators is the same, whichever parser reads it."""

from __future__ import annotations

import warnings
from importlib import resources

import pytest

from edgekit.backends.executorch import ExecuTorch

with warnings.catch_warnings(action="ignore"):  # as the worker imports it
    from edgekit.backends.executorch import edge_dialect

pytestmark = pytest.mark.lowers


def test_the_table_is_the_one_that_executorch_would_read_itself() -> None:
    import executorch.exir.dialects.edge as package
    from executorch.exir.dialects.edge import _ops
    from ruamel.yaml import YAML

    text = resources.files(package).joinpath("edge.yaml").read_text("utf-8")
    with edge_dialect.quick_yaml():
        read = YAML(typ="safe").load(text)
    assert read == YAML(typ="safe").load(text)
    assert {entry["inherits"]: entry for entry in read} == _ops._edge_dialect_info
    assert len(read) > 100


def test_a_parser_that_is_missing_leaves_the_import_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from ruamel.yaml import YAML

    monkeypatch.delattr("yaml.CSafeLoader")
    before = YAML.load
    with edge_dialect.quick_yaml():
        assert YAML.load is before


def test_it_is_imported_before_all_that_import_the_dialect() -> None:
    assert ExecuTorch.preload[0] == edge_dialect.__name__

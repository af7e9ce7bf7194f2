"""A hint on an optional part can be typed: it names a checkout or wheel that is there, or packages of an index."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.errors.extras import extra_hint

REQUIRES = """Metadata-Version: 2.1
Name: boxed
Version: 1
Requires-Dist: numpy>=1
Requires-Dist: drawn==1.2; extra == 'pictures'
Requires-Dist: lens==3; (sys_platform == 'linux') and extra == 'pictures'
Requires-Dist: other==1; extra == 'sounds'
"""


@pytest.fixture
def info(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Metadata of an installed package `boxed`."""
    folder = tmp_path / "site/boxed-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(REQUIRES)
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder


def test_from_a_checkout_it_is_installed_from_there(info: Path, tmp_path: Path) -> None:
    origin = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(origin))
    assert extra_hint("pictures", "boxed") == f"pip install -e '{tmp_path}[pictures]'"


def test_from_a_wheel_with_a_difficult_name_it_is_installed_from_that(info: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "it's a boxed-1.whl"
    wheel.touch()
    (info / "direct_url.json").write_text(json.dumps({"url": wheel.as_uri(), "archive_info": {}}))
    assert extra_hint("pictures", "boxed").startswith("pip install '")
    assert "boxed-1.whl[pictures]" in extra_hint("pictures", "boxed")
    wheel.unlink()
    assert extra_hint("pictures", "boxed").startswith("pip install drawn==1.2")


@pytest.mark.parametrize("origin", [None, "no JSON", "[]", '{"url": 3}', '{"url": "https://example.org/boxed.whl"}'])
def test_without_either_the_packages_themselves_are_named(info: Path, origin: str | None) -> None:
    if origin is not None:
        (info / "direct_url.json").write_text(origin)
    assert extra_hint("pictures", "boxed") == "pip install drawn==1.2 'lens==3; (sys_platform == '\"'\"'linux'\"'\"')'"
    assert extra_hint("sounds", "boxed") == "pip install other==1"
    assert "PATH[nothing]" in extra_hint("nothing", "boxed")


def test_no_hint_of_edgekit_asks_an_index_for_it() -> None:
    assert "'edgekit[" not in extra_hint("npu")
    root = Path(__file__).parents[1] / "edgekit"
    texts = {path: path.read_text() for path in root.rglob("*.py") if path.name != "extras.py"}
    assert [path for path, text in texts.items() if "pip install 'edgekit" in text] == []

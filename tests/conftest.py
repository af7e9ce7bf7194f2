"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.networks import write_project


@pytest.fixture(autouse=True)
def _own_places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own keys, cache or local device."""
    home = tmp_path_factory.getbasetemp() / "home"
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"EDGEKIT_{name}", str(home / name.lower()))


@pytest.fixture
def project_folder(tmp_path: Path) -> Path:
    """A project of a small residual network."""
    return write_project(tmp_path / "project")

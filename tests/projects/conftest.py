"""Trained projects, once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.projects.training import trained


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Converters are imported in this process, and warn of their own: the command line hides that, too."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(scope="session")
def project_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a trained project, by its name. Weights are kept in pytest's cache from one session to the next."""
    weights = Path(request.config.cache.mkdir("projects")) if request.config.cache else tmp_path_factory.mktemp("cache")
    folders: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in folders:
            folders[name] = trained(name, tmp_path_factory.mktemp("trained") / name, weights)
        return folders[name]

    return folder

"""Folders of the user: cache, downloads, configuration and data, or those that the environment names."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path


def cache() -> Path:
    """Folder of results that can be made anew (EDGEKIT_CACHE)."""
    return _configured("EDGEKIT_CACHE") or user_cache_path("edgekit")


def downloads() -> Path:
    """Folder of downloads and of packs and images made of them (EDGEKIT_DOWNLOADS)."""
    return _configured("EDGEKIT_DOWNLOADS") or cache() / "downloads"


def config() -> Path:
    """Folder of keys and trusted keys (EDGEKIT_CONFIG)."""
    return _configured("EDGEKIT_CONFIG") or user_config_path("edgekit")


def data() -> Path:
    """Folder of the local and the emulated devices (EDGEKIT_DATA)."""
    return _configured("EDGEKIT_DATA") or user_data_path("edgekit")


def _configured(variable: str) -> Path | None:
    return Path(os.environ[variable]) if os.environ.get(variable) else None

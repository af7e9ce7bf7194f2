"""Where what is the user's lies: in their own folders, or where the environment says."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path


def cache() -> Path:
    """What can be made anew: EDGEKIT_CACHE."""
    return _configured("EDGEKIT_CACHE") or user_cache_path("edgekit")


def downloads() -> Path:
    """What was fetched, and made of that: EDGEKIT_DOWNLOADS."""
    return _configured("EDGEKIT_DOWNLOADS") or cache() / "downloads"


def config() -> Path:
    """Keys, and whom to trust: EDGEKIT_CONFIG."""
    return _configured("EDGEKIT_CONFIG") or user_config_path("edgekit")


def data() -> Path:
    """The devices that are on this machine: EDGEKIT_DATA."""
    return _configured("EDGEKIT_DATA") or user_data_path("edgekit")


def _configured(variable: str) -> Path | None:
    return Path(os.environ[variable]) if os.environ.get(variable) else None

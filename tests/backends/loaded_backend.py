"""Backends by name, as a converter's process has them: with their libraries imported."""

from __future__ import annotations

import importlib
import warnings

from edgekit import plugins
from edgekit.backends.base import Backend


def loaded_backend(name: str) -> Backend:
    """A backend whose libraries are imported, without a word of what these warn of."""
    backend: Backend = plugins.load("backends", name)()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in backend.preload:
            importlib.import_module(module)
    return backend

"""edgekit: trained PyTorch models, compressed, lowered, flashed and measured on edge devices.

The functions and nouns of `edgekit.api` are attributes of this package; that module is imported when one is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.api import (
        BuildResult,
        Bundle,
        Comparison,
        EdgekitError,
        Measurement,
        Plan,
        Profile,
        Project,
        Report,
        Samples,
        Target,
        build,
        compare,
        diagnose,
        flash,
        load_project,
        load_report,
        load_samples,
        open_bundle,
        plan,
        probe,
        rollback,
        run,
        status,
    )

__version__ = "0.1.0"
__all__ = [
    "BuildResult",
    "Bundle",
    "Comparison",
    "EdgekitError",
    "Measurement",
    "Plan",
    "Profile",
    "Project",
    "Report",
    "Samples",
    "Target",
    "build",
    "compare",
    "diagnose",
    "flash",
    "load_project",
    "load_report",
    "load_samples",
    "open_bundle",
    "plan",
    "probe",
    "rollback",
    "run",
    "status",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'edgekit' has no attribute '{name}'")
    return getattr(import_module("edgekit.api"), name)


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))

"""edgekit: trained PyTorch models, compressed, lowered, flashed and measured on edge devices.

The functions and nouns of `edgekit.api` are attributes of this package. The module of one is imported when it is first
used: `import edgekit` loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.api import *  # noqa: F403 the names that are promised, and no other

__version__ = "0.2.0"

_MODULES = {
    "edgekit.api.ablation": ("ablate",),
    "edgekit.api.builds": ("BuildResult", "build", "diagnose", "load_project", "plan", "run"),
    "edgekit.api.bundles": ("open_bundle",),
    "edgekit.api.devices": ("commit", "flash", "rollback", "status"),
    "edgekit.api.probes": ("probe",),
    "edgekit.api.results": ("compare", "load_report"),
    "edgekit.bundle.archive": ("Bundle",),
    "edgekit.errors": ("EdgekitError",),
    "edgekit.ir.measurement": ("Measurement",),
    "edgekit.parity.ablation": ("Ablation",),
    "edgekit.parity.compare": ("Comparison",),
    "edgekit.pipeline.plan": ("Plan",),
    "edgekit.report.report": ("Report",),
    "edgekit.samples": ("Samples", "load_samples"),
    "edgekit.specs.profile": ("Profile",),
    "edgekit.specs.project": ("Project",),
    "edgekit.specs.target": ("Target",),
}
"""Public names by the module that defines them. Type checkers read the same names in `edgekit.api`."""
_HOMES = {name: module for module, names in _MODULES.items() for name in names}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edgekit' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))

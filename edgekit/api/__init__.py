"""Functions behind the command line, for programs and notebooks; `import edgekit` offers them all.

All of them raise `EdgekitError`, which has a stable `code`, a sentence, and a `hint` that can be typed. Nothing is
printed, and no signal is handled. A project's own code runs in this process.

Rooms: `ablation` what each step of a profile buys, `builds` from a project to a verdict, `bundles` the signed file,
`keys` those that sign it, `devices` the slots of one or many, `host_keys` trust in a device, `packs` runtimes for it,
`probing` measurements on it, `references` servers to compare with, `results` reports and comparisons. Each also holds
the steps that only the command line calls; what is promised are the names below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.api.ablation import ablate as ablate
    from edgekit.api.builds import BuildResult as BuildResult
    from edgekit.api.builds import build as build
    from edgekit.api.builds import diagnose as diagnose
    from edgekit.api.builds import load_project as load_project
    from edgekit.api.builds import plan as plan
    from edgekit.api.builds import run as run
    from edgekit.api.bundles import open_bundle as open_bundle
    from edgekit.api.devices import commit as commit
    from edgekit.api.devices import flash as flash
    from edgekit.api.devices import rollback as rollback
    from edgekit.api.devices import status as status
    from edgekit.api.probes import probe as probe
    from edgekit.api.results import compare as compare
    from edgekit.api.results import load_report as load_report
    from edgekit.bundle.archive import Bundle as Bundle
    from edgekit.errors import EdgekitError as EdgekitError
    from edgekit.ir.measurement import Measurement as Measurement
    from edgekit.parity.ablation import Ablation as Ablation
    from edgekit.parity.comparison import Comparison as Comparison
    from edgekit.pipeline.plan import Plan as Plan
    from edgekit.report.report import Report as Report
    from edgekit.samples import Samples as Samples
    from edgekit.samples import load_samples as load_samples
    from edgekit.specs.profile import Profile as Profile
    from edgekit.specs.project import Project as Project
    from edgekit.specs.target import Target as Target
else:
    from edgekit import __all__, __getattr__  # noqa: F401

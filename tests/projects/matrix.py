"""Runs of the projects of this folder on this machine, and the table of their metrics for docs/tasks.md.

`python -m tests.projects.matrix FOLDER [PROJECT …]` trains, builds, runs, and prints the table.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edgekit.api.builds import load_project, run
from edgekit.report.report import Report
from tests.projects.training import trained

BACKENDS = ("executorch", "onnx", "tflite")
PROFILES = ("host-int8", "float32", "dynamic-int8")
PROJECTS = tuple(sorted(path.parent.name for path in Path(__file__).parent.glob("*/edgekit.toml")))
# Networks this small hardly shrink, and nothing is timed on a machine that others use.
OVERRIDES = (
    "profile.gates.size_ratio.max=2",
    "profile.gates.not_slower=false",
    "profile.probe.min_duration_s=0.1",
    "profile.probe.min_count=16",
    "profile.probe.processes=1",
)


def ran(folder: Path, backend: str, profile: str, out: Path, cache: Path) -> Report:
    """Build the project in `folder` and run it on this machine; `out` is empty, for the report and the device."""
    overrides = [line for line in OVERRIDES if profile != "float32" or ".gates." not in line]
    return run(
        load_project(folder),
        "host",
        f"local://{out / 'device'}",
        backend=backend,
        profile=profile,
        overrides=overrides,
        out=out / "report",
        cache=cache,
    )


def gates(report: Report) -> dict[str, str]:
    """Outcome of each gate, by name."""
    return {gate.name: gate.outcome for gate in report.gates}


def row(name: str, backend: str, profile: str, report: Report) -> str:
    """Row of the table: metric of the reference and of the artifact, agreement, gates on answers, verdict."""
    scores = [side.score.value if side.score else float("nan") for side in (report.reference, report.candidate)]
    metric = report.reference.score.name if report.reference.score else ""
    outcomes = gates(report)
    judged = ", ".join(outcomes.get(gate, "-") for gate in ("agreement", "accuracy_drop"))
    return (
        f"| `{name}` | {backend} | {profile} | {metric} | {scores[0]:.4f} | {scores[1]:.4f} | {report.agreement:.4f} "
        f"| {report.sqnr_db:.1f} | {judged} | {report.verdict} |"
    )


def main(work: Path, names: list[str]) -> None:
    work.mkdir(parents=True, exist_ok=True)
    for name in names:
        folder = work / name
        if not folder.exists():
            trained(name, folder, work)
        for profile in PROFILES:
            for backend in BACKENDS:
                out = work / "runs" / f"{name}-{backend}-{profile}"
                report = ran(folder, backend, profile, out, work / "cache")
                sys.stdout.write(row(name, backend, profile, report) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or list(PROJECTS))

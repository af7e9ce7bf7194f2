"""Runs of the projects of this folder on this machine, and the table of their metrics for docs/tasks.md.

`python -m tests.projects.matrix FOLDER [PROJECT …]` trains, builds, runs, scores the vendors' plain recipes on the same
programs and samples, and prints the table. A cell that FOLDER has is not run again.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.api.build_session import build_requests
from edgekit.api.builds import load_project, run
from edgekit.cache import Cache
from edgekit.errors import EdgekitError
from edgekit.measure.store import load
from edgekit.parity.compare import compare
from edgekit.pipeline.build import eager_answers, evaluation
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.report.report import Report
from edgekit.tasks.registry import task_of
from tests.networks import substitute
from tests.projects.training import trained
from tests.stateful_projects import write_voice

BACKENDS = ("executorch", "onnx", "tflite")
PROFILES = ("host-int8", "dynamic-int8", "float32")
UNLABELLED, VOICE = "unlabelled", "voice"
PROJECTS = (*sorted(path.parent.name for path in Path(__file__).parent.glob("*/edgekit.toml")), UNLABELLED, VOICE)
# Networks this small hardly shrink, and nothing is timed on a machine that others use.
OVERRIDES = (
    "profile.gates.size_ratio.max=2",
    "profile.gates.not_slower=false",
    "profile.probe.min_duration_s=0.1",
    "profile.probe.min_count=16",
    "profile.probe.processes=1",
)
CELL_S = 900
FAILURES = {"edgekit": "error", "the vendor's tool": "vendor_error"}
"""Keys of a cell's errors, by who fails."""
AGREEMENT = "agreement"
"""Figure of a project without labels, in place of a metric."""


def prepared(name: str, folder: Path, weights: Path) -> Path:
    """Write a trained project to `folder`. weights: folder that keeps weights."""
    if name == VOICE:
        return write_voice(folder)
    if name != UNLABELLED:
        return trained(name, folder, weights)
    path = trained("segmenter", folder, weights) / "edgekit.toml"
    path.write_text(substitute('"data.py:evaluation"', '"data.py:evaluation", labelled = false', path.read_text()))
    return folder


def overrides(profile: str) -> list[str]:
    """Overrides for a run of the profile."""
    return [line for line in OVERRIDES if profile != "float32" or ".gates." not in line]


def few(backend: str) -> list[str]:
    """Overrides for the tests, where time counts: 64 calibration samples, and repair in the programs of onnx alone.

    Quantization and repair take their time for each sample. Repair works on programs, before any backend.
    """
    return ["profile.quantize.samples=64", *(["profile.quantize.repair=false"] if backend != "onnx" else [])]


def ran(folder: Path, backend: str, profile: str, out: Path, cache: Path, *more: str) -> Report:
    """Build the project in `folder` and run it on this machine; `out` is empty, for the report and the device.

    more: overrides beside those of every run.
    """
    return run(
        load_project(folder),
        "host",
        f"local://{out / 'device'}",
        backend=backend,
        profile=profile,
        overrides=[*overrides(profile), *more],
        out=out / "report",
        cache=cache,
    )


def gates(report: Report) -> dict[str, str]:
    """Outcome of each gate, by name."""
    return {gate.name: gate.outcome for gate in report.gates}


def edgekit_cell(folder: Path, backend: str, profile: str, out: Path, cache: Path) -> dict[str, Any]:
    """Metric of the trained network and of edgekit's artifact, and the verdict; or the error."""
    try:
        report = ran(folder, backend, profile, out, cache)
    except EdgekitError as error:
        return {"error": f"{error.code}: {error}"}
    reference, candidate = report.reference.score, report.candidate.score
    return {
        "metric": reference.name if reference else AGREEMENT,
        "higher_is_better": reference.higher_is_better if reference else True,
        "reference": reference.value if reference else 1.0,
        "edgekit": candidate.value if candidate else report.agreement,
        "agreement": report.agreement,
        "sqnr_db": report.sqnr_db,
        "verdict": report.verdict,
        "failed": [name for name, outcome in gates(report).items() if outcome == "failed"],
    }


def vendor_cell(folder: Path, backend: str, profile: str, out: Path, cache: Path) -> dict[str, Any]:
    """Metric of the vendor's plain recipe on edgekit's float program and samples, or the error of its tools.

    `behind` is what edgekit's artifact of the run in `out` loses against it, between the ends of the 95 % interval over
    the same samples: 0.01 is one point of a share, 1 % of another metric. A positive lower end is no chance.
    """
    from edgekit.backends.vendor_trial import vendor_outputs
    from edgekit.frontend.store import load_program

    project = load_project(folder)
    (request,) = build_requests(project, "host", backend, profile, overrides(profile))
    line = StageRunner(Cache(cache))
    compilation = Compilation(request, line)
    data = evaluation(request, line, None)
    program, calibration = load_program(compilation.captured), compilation.calibration.folder
    reference = eager_answers(compilation, data)
    try:
        outputs = vendor_outputs(request.backend(), program, calibration, data.folder, profile == "dynamic-int8")
    except EdgekitError as error:
        return {"vendor_error": str(error)}
    assert outputs is not None
    names = [spec.name for spec in program.signature.reported]
    measured = replace(reference, outputs=dict(zip(names, outputs, strict=True)))
    task = task_of(project)
    compared = compare(reference, measured, task)
    score = compared.candidate.score
    cell = {"vendor": score.value if score else compared.agreement, "vendor_sqnr_db": compared.sqnr_db}
    if not (out / "report" / "candidate.json").exists():
        return cell
    loss = compare(measured, load(out / "report" / "candidate"), task).drop_at(0.975)
    return {**cell, "behind": [loss.low, loss.high]} if loss else cell


def write_cell(work: Path, name: str, backend: str, profile: str, path: Path) -> None:
    """Run one cell, and write it to `path`: edgekit's part first, as tools of vendors may end the process."""
    cell: dict[str, Any] = {"project": name, "backend": backend, "profile": profile}
    out = work / "runs" / path.stem
    cell |= edgekit_cell(work / name, backend, profile, out, work / "cache")
    if profile != "float32":
        path.write_text(json.dumps(cell | {"vendor_error": "the tool ended the process"}))
        cell |= vendor_cell(work / name, backend, profile, out, work / "cache")
    path.write_text(json.dumps(cell))


def cells(work: Path, names: list[str]) -> Iterator[dict[str, Any]]:
    """Run the cells that `work` lacks, each in a process of its own, and yield all."""
    for folder in (work, work / "cells"):
        folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not (work / name).exists():
            prepared(name, work / name, work)
    for profile in PROFILES:
        for name in names:
            for backend in BACKENDS:
                path = work / "cells" / f"{name}-{backend}-{profile}.json"
                if not path.exists():
                    process = multiprocessing.Process(target=write_cell, args=(work, name, backend, profile, path))
                    process.start()
                    process.join(CELL_S)
                    process.kill()
                yield json.loads(path.read_text())


def shown(cell: Mapping[str, Any], side: str) -> str:
    """Text of one side's figure: a share in per cent, any other number as it is; with the marks of the table."""
    if side not in cell:
        return "fails"
    value, metric = cell[side], cell["metric"]
    text = f"{value:.2f} dB" if metric == "psnr" else f"{value:.4f}" if metric == "mase" else f"{100 * value:.2f} %"
    if side == "edgekit" and cell["verdict"] == "failed":
        return f"{text} †"
    return f"**{text}**" if side == "vendor" and cell.get("behind", [0])[0] > 0 else text


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of the table: a row for each project and profile, edgekit's and the vendor's figure for each backend.

    † marks an artifact whose verdict is failed, bold figures of a vendor's file that is better by more than chance.
    """
    by_key = {(cell["project"], cell["profile"], cell["backend"]): cell for cell in rows}
    yield f"| project, metric | profile | trained | {' | '.join(BACKENDS)} |"
    yield "|" + "---|" * (3 + len(BACKENDS))
    for name in dict.fromkeys(cell["project"] for cell in rows):
        for profile in PROFILES:
            row = [by_key[name, profile, backend] for backend in BACKENDS]
            first = next(cell for cell in row if "reference" in cell)
            sides = ("edgekit",) if profile == "float32" else ("edgekit", "vendor")
            pairs = [" / ".join(shown(cell, side) for side in sides) for cell in row]
            figure = "–" if first["metric"] == AGREEMENT else shown(first, "reference")
            yield f"| `{name}`, {first['metric']} | {profile} | {figure} | {' | '.join(pairs)} |"


def notes(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines below the table: gates that failed, and what failed altogether."""
    for cell in rows:
        where = f"- `{cell['project']}`, {cell['profile']}, {cell['backend']}: "
        if cell.get("verdict") == "failed":
            yield where + ", ".join(cell["failed"])
        yield from (f"{where}{who} fails: {cell[key]}" for who, key in FAILURES.items() if key in cell)


def main(work: Path, names: list[str]) -> None:
    import torch

    torch.set_num_threads(1)  # a process that is forked later must find no pool of threads
    rows = []
    for cell in cells(work, names):
        rows.append(cell)
        sys.stderr.write(json.dumps(cell) + "\n")
    sys.stdout.write("\n".join([*table(rows), "", *notes(rows)]) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or list(PROJECTS))

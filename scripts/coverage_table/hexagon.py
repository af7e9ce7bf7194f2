"""Architectures on the emulated Hexagon NPU: `python -m scripts.coverage_table.hexagon NAME…`, a line each.

Each is quantized by the profile's plain recipe and lowered for a target with the delegate `qnn-htp`, in this process,
whose check says what the NPU took and how near its answers are. It has neither stages nor gates of a build.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path

from edgekit import user_paths
from edgekit.api.builds import load_project
from edgekit.backends.npu_check import check_on_npu
from edgekit.backends.onnx import Onnx
from edgekit.backends.verify import verify
from edgekit.errors import EdgekitError
from edgekit.frontend.capture import capture
from edgekit.frontend.load import batches, load
from edgekit.frontend.sequences import network_arguments
from edgekit.ir.program import PassRecord
from edgekit.passes.quantization.quantize import quantize
from edgekit.samples import load_samples
from edgekit.specs.catalog import Catalog
from scripts.coverage_table.project import digest, write_project
from scripts.coverage_table.registry import ARCHITECTURES

PROFILES = ("android-int8", "hexagon-int16")
CHECKS = 4
"""Samples of the check: an emulated NPU takes up to minutes for one."""


def record(name: str, target: str, profile: str, work: Path) -> PassRecord:
    """Record of the check on the NPU. Raises EdgekitError where the file is refused."""
    catalog, architecture = Catalog.default(), ARCHITECTURES[name]
    board, recipe = catalog.target(target), catalog.profile(profile).quantize
    assert recipe
    runtime = board.select_runtime("onnx")
    project = load_project(write_project(architecture, work / "projects" / f"{name}-{digest(architecture)}"))
    model = load(project)
    checks, calibration = (
        load_samples(project, role, count) for role, count in (("evaluation", CHECKS), ("calibration", 24))
    )
    program = capture(model, network_arguments(model, checks))
    quantized = quantize(
        program,
        recipe,
        lambda changed: Onnx().quantization(changed, runtime),
        batches(calibration, project),
        batches(checks, project),
    )
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        out = Path(scratch)
        (out / "checks").mkdir()
        checks.save(out / "checks")
        artifact = Onnx().lower(quantized, board, runtime, out)
        verify(artifact, quantized, out / "checks", out / "golden", None, lambda: program)
        return check_on_npu(artifact, board, out / "checks", out, lambda: program)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=list(ARCHITECTURES))
    parser.add_argument("--target", default="snapdragon-8-gen-3")
    parser.add_argument("--profile", choices=PROFILES, default=PROFILES[0])
    parser.add_argument("--work", type=Path, default=user_paths.cache() / "coverage")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    for name in args.names:
        try:
            told = dict(record(name, args.target, args.profile, args.work.resolve()).options)
            words = (told.get("remark"), told.get("warning"), told.get("left to the CPU"), told.get("note"))
            line = " | ".join(filter(None, words))
        except EdgekitError as error:
            line = f"refused {error.code}: {error}"
        print(f"{name} {args.profile}: {line}", flush=True)


if __name__ == "__main__":
    main()

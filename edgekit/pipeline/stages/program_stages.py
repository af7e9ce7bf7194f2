"""Stages of a program on its way to the artifact: captured, quantized, lowered. Their keys, and what they make."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.backends.lowering_process import Lowering
from edgekit.cache import digest_of, tool_versions
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.quantization_jobs import IMPORTS, quantize_program, round_groups
from edgekit.pipeline.stages.stage import Stage
from edgekit.runner.model.accelerator import QNN_HTP
from edgekit.runner.runtimes.qnn_library import DISTRIBUTION as NPU_PACKAGE
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from edgekit.frontend.load import Model


@dataclass(frozen=True)
class LoweringStage(Stage[[Lowering, Path]]):
    """A stage from a captured program to an artifact; run with the converter's process and the program's folder."""

    program: Callable[[], Path]
    """Make the folder of the program to lower."""


def capture_stage(name: str, model_key: Callable[[], str], model: Callable[[], Model], golden: CachedData) -> Stage[[]]:
    """Stage that captures a network. The program must answer the samples of `golden` as the network does."""

    def make(out: Path) -> None:
        from edgekit.frontend.capture import capture
        from edgekit.frontend.sequences import network_arguments
        from edgekit.frontend.store import save_program

        network = model()
        save_program(capture(network, network_arguments(network, golden.samples)), out)

    def compute_key() -> str:
        return digest_of({"stage": "capture", "model": model_key(), "versions": tool_versions(("torch",))})

    return Stage(name, compute_key, make)


def quantize_stage(
    request: BuildRequest,
    recipe: Quantize,
    capture: Stage[[]],
    captured: Callable[[], Path],
    calibration: CachedData | None,
    golden: CachedData,
    worker: Callable[[], AbstractContextManager[Lowering]],
) -> Stage[[]]:
    """Stage that quantizes what `capture` made, in the folder `captured`, and verifies it on `golden`.

    Of a recipe that the backend carries out as it lowers, only the rounding of weights is done here. calibration:
    samples to find ranges or roundings on; None where the recipe needs none. worker: the converter's process, which
    does it.
    """

    def compute_key() -> str:
        return digest_of(
            {
                "stage": "quantize",
                "program": capture.key,
                "samples": calibration.key if calibration else None,
                "checks": golden.key,
                # Not whether another one would have been tried.
                "recipe": recipe.model_dump(mode="json", exclude={"repair"}),
                "runtime": request.runtime.model_dump(mode="json"),
                "versions": tool_versions(request.backend.packages),
            }
        )

    at_lowering = recipe.precision in request.backend.at_lowering

    def make(out: Path) -> None:
        arguments = {
            "program": str(captured()),
            "recipe": recipe.model_dump(mode="json"),
            "runtime": request.runtime.model_dump(mode="json"),
            "calibration": str(calibration.folder) if calibration else None,
            "checks": str(golden.folder),
        }
        with worker() as running:
            running.call(round_groups if at_lowering else quantize_program, arguments, out, IMPORTS)

    return Stage("round" if at_lowering else "quantize", compute_key, make)


def lowering_stage(
    name: str,
    request: BuildRequest,
    recipe: Quantize | None,
    program_key: Callable[[], str],
    program: Callable[[], Path],
    golden: CachedData,
    floating: Callable[[], Path] | None = None,
    half: CachedData | None = None,
) -> LoweringStage:
    """Stage that lowers a program, and verifies the artifact on `golden`.

    recipe: what the backend quantizes by. floating: makes the folder of the float program that was quantized. half:
    samples on which values that float16 does not hold are looked for; None where nothing computes in float16.
    """

    # Its NPU's package compiles and checks the file too.
    packages = (*request.backend.packages, *((NPU_PACKAGE,) if QNN_HTP in request.runtime.delegates else ()))

    def compute_key() -> str:
        return digest_of(
            {
                "stage": "lower",
                "program": program_key(),
                "checks": golden.key,
                "recipe": recipe.model_dump(mode="json") if recipe else None,
                "runtime": request.runtime.model_dump(mode="json"),
                "arch": request.target.cpu.arch,
                "versions": tool_versions(packages),
                **({"half": half.key, "target": request.target.id} if half else {}),
            }
        )

    def make(out: Path, worker: Lowering, folder: Path) -> None:
        captured = floating() if floating else None
        worker.lower(
            folder, golden.folder, request.target, request.runtime, out, recipe, captured, half.folder if half else None
        )

    return LoweringStage(name, compute_key, make, program)

"""Stages of a program on its way to the artifact: captured, quantized, lowered. Their keys, and what they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.backends.lowering_process import Lowering
from edgekit.cache import digest_of, tool_versions
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.stage import Stage
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from edgekit.frontend.load import Model


CHUNKS, CHECKS = 256, 8
"""Largest numbers of chunks of prompts that an entry point for several tokens is calibrated and verified on."""


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
) -> Stage[[]]:
    """Stage that quantizes what `capture` made, in the folder `captured`, and verifies it on `golden`.

    calibration: samples to find ranges on; None where the recipe needs none.
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

    def make(out: Path) -> None:
        from edgekit.frontend.sequences import prefill_arguments, program_arguments
        from edgekit.frontend.store import load_program, save_program
        from edgekit.passes.quantization.quantize import quantize

        program, backend = load_program(captured()), request.backend()
        checks = program_arguments(program, golden.samples)
        # Without ranges to find, one sample is run only to trace the program again.
        samples = program_arguments(program, calibration.samples) if calibration else checks[:1]
        quantization = lambda recipe: backend.quantization(recipe, request.runtime)  # noqa: E731
        prefill = []
        for entry in program.prefill:
            chunks = prefill_arguments(entry, calibration.samples if calibration else golden.samples, CHUNKS)
            prefill.append(quantize(entry, recipe, quantization, chunks, chunks[:CHECKS]))
        quantized = quantize(program, recipe, quantization, samples, checks)
        save_program(replace(quantized, prefill=tuple(prefill)), out)

    return Stage("quantize", compute_key, make)


def lowering_stage(
    name: str,
    request: BuildRequest,
    recipe: Quantize | None,
    program_key: Callable[[], str],
    program: Callable[[], Path],
    golden: CachedData,
    floating: Callable[[], Path] | None = None,
) -> LoweringStage:
    """Stage that lowers a program, and verifies the artifact on `golden`.

    recipe: what the backend quantizes by. floating: makes the folder of the float program that was quantized.
    """

    def compute_key() -> str:
        return digest_of(
            {
                "stage": "lower",
                "program": program_key(),
                "checks": golden.key,
                "recipe": recipe.model_dump(mode="json") if recipe else None,
                "runtime": request.runtime.model_dump(mode="json"),
                "arch": request.target.cpu.arch,
                "versions": tool_versions(request.backend.packages),
            }
        )

    def make(out: Path, worker: Lowering, folder: Path) -> None:
        captured = floating() if floating else None
        worker.lower(folder, golden.folder, request.target, request.runtime, out, recipe, captured)

    return LoweringStage(name, compute_key, make, program)

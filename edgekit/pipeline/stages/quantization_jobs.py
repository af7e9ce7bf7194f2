"""Quantization in the converter's process: functions that it calls by name, and the search for a recipe.

That process has the converter imported, whose quantizer it is, and which takes seconds of CPU: nothing imports it
twice. Arguments are what JSON holds, results are files.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from edgekit import plugins
from edgekit.pipeline.request import BuildRequest
from edgekit.samples import Samples
from edgekit.specs.compression import Quantize
from edgekit.specs.target import RuntimeSpec

if TYPE_CHECKING:
    from edgekit.passes.quantization.quantize import Quantization

CHUNKS, CHECKS = 256, 8
"""Largest numbers of chunks of prompts that an entry point for several tokens is calibrated and verified on."""
IMPORTS = (
    "torchao.quantization.pt2e.quantize_pt2e",
    "edgekit.frontend.sequences",
    "edgekit.passes.quantization.auto_observer",
    "edgekit.passes.quantization.bias_choice",
    "edgekit.passes.quantization.calibrate",
    "edgekit.passes.quantization.embedding_tables",
    "edgekit.passes.quantization.group_rounding",
    "edgekit.passes.quantization.observers",
    "edgekit.passes.quantization.rounding",
    "edgekit.passes.sensitivity.repair",
)
"""Modules that every such function needs."""
REQUEST = TypeAdapter(BuildRequest)


def stated(request: BuildRequest) -> Any:
    """Form of a request that JSON holds."""
    return REQUEST.dump_python(request, mode="json", by_alias=True)


def quantizations(runtime: RuntimeSpec) -> Callable[[Quantize], Quantization]:
    """Function from a recipe to the quantizer of the runtime's backend."""
    backend = plugins.load("backends", runtime.backend)()
    return lambda recipe: backend.quantization(recipe, runtime)


def quantize_program(
    program: str, recipe: dict[str, Any], runtime: dict[str, Any], calibration: str | None, checks: str, out: str
) -> None:
    """Quantize the program in the folder `program` into the folder `out`.

    calibration: folder of the samples that ranges are found on; None where the recipe needs none. checks: folder of the
    samples that it is verified on. Raises what `passes.quantization.quantize.quantize` does.
    """
    from edgekit.frontend.sequences import prefill_arguments, program_arguments
    from edgekit.frontend.store import load_program, save_program
    from edgekit.passes.quantization.quantize import quantize

    source, golden = load_program(Path(program)), Samples.read(Path(checks), mapped=True)
    ranges = Samples.read(Path(calibration), mapped=True) if calibration else None
    settled, quantization = Quantize.model_validate(recipe), quantizations(RuntimeSpec.model_validate(runtime))
    verified_on = program_arguments(source, golden)
    # Without ranges to find, one sample is run only to trace the program again.
    samples = program_arguments(source, ranges) if ranges else verified_on[:1]
    prefill = []
    for entry in source.prefill:
        chunks = prefill_arguments(entry, ranges or golden, CHUNKS)
        prefill.append(quantize(entry, settled, quantization, chunks, chunks[:CHECKS]))
    quantized = quantize(source, settled, quantization, samples, verified_on)
    save_program(replace(quantized, prefill=tuple(prefill)), Path(out))


def round_groups(
    program: str, recipe: dict[str, Any], runtime: dict[str, Any], calibration: str | None, checks: str, out: str
) -> None:
    """Put the weights of the program in the folder `program` on the grids of int4 groups, into the folder `out`.

    A backend of the runtime rounds them as it lowers. Arguments and errors: as of `quantize_program`.
    """
    from edgekit.backends.group_remainders import SHORT_GROUPS
    from edgekit.frontend.sequences import program_arguments
    from edgekit.frontend.store import load_program, save_program
    from edgekit.passes.quantization.group_rounding import GroupRounding, changed_weights, with_weights

    source, golden = load_program(Path(program)), Samples.read(Path(checks), mapped=True)
    ranges = Samples.read(Path(calibration), mapped=True) if calibration else None
    samples = program_arguments(source, ranges) if ranges else ()
    format = plugins.load("backends", RuntimeSpec.model_validate(runtime).backend)().format
    step = GroupRounding(Quantize.model_validate(recipe), samples, format in SHORT_GROUPS)
    rounded = step(source, program_arguments(source, golden))
    # Entry points share their weights, in the file too: what was found on single tokens is theirs.
    weights = changed_weights(source.exported, rounded.exported)
    prefill = tuple(replace(entry, exported=with_weights(entry.exported, weights)) for entry in source.prefill)
    save_program(replace(rounded, prefill=prefill), Path(out))


def write_json(path: Path, value: object) -> None:
    """Write a log of a search, for people."""
    path.write_text(json.dumps(value, indent=2))

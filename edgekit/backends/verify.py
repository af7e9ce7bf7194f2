"""Verification of a lowering: its file must load, run, and compute what the program computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edgekit.backends.artifact_run import run_errors, runner_manifest
from edgekit.backends.float_yardstick import FloatYardstick
from edgekit.backends.free_axes import model_tensor
from edgekit.backends.index_values import index_orders
from edgekit.backends.program_outputs import program_outputs
from edgekit.backends.reference_kernels import ReferenceKernels
from edgekit.backends.verify_prefill import decode_agreement_db, prefill_outputs, prefill_texts
from edgekit.backends.verify_steps import verify_steps
from edgekit.errors import Disagreement, FloatDisagreement, LengthDisagreement
from edgekit.ir.artifact import Artifact
from edgekit.ir.index_order import IndexOrder
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.signature import FreeLength
from edgekit.ir.sqnr import FLOAT_DB, sqnr_db
from edgekit.runner.model.lengths import LENGTHS
from edgekit.runner.model.tensors import Column, RaggedColumn, dequantize, read_columns, row
from edgekit.runner.runtimes.model import LoadedModel
from edgekit.samples import Samples
from edgekit.specs.compression import Quantize

HALF_DB = 40.0
"""Least SQNR with weights of 16 bits: 11 bits of precision are 66 dB a weight, and networks may amplify the error."""
INDEX_DB = 40.0
"""Least SQNR of a map of indices: one in ten thousand may flip by the last bit of a float."""
INTEGER_DB = 15.0
"""Least SQNR of integer kernels, which round where the simulation does not; below it they compute something else."""
FAULT = "try another --backend, and report it: the program that the converter was given answers as the network does"
PADDED = "state a mask for its inputs, or a bucket for each length: buckets = [8, 9, 10, …]; or take --backend onnx"
HALF = "take a profile of float32: something in the network is too large or too small for 16 bits"
LOST = "keep more of the model in float: [quantize] skip, or a profile of a higher precision"
INT4_DB = 6.0
"""Least SQNR of int4 weights against a float program: random networks gave 18 to 26 dB, a wrong layout about 0."""


def floor_db(program: Program, recipe: Quantize | None) -> float:
    """Least SQNR, in dB, of a lowered program. recipe: the compression that the converter applied, if any."""
    if recipe is None:
        return INTEGER_DB if any(record.name == "quantize" for record in program.history) else FLOAT_DB
    return {"float16": HALF_DB, "weight-int4": INT4_DB}.get(recipe.precision, INTEGER_DB)


def verify(
    artifact: Artifact,
    program: Program,
    checks: Path,
    golden: Path,
    recipe: Quantize | None = None,
    floating: Callable[[], Program] | None = None,
) -> float:
    """Run the artifact on the samples in `checks` ([N, …] in `<input>.npy`) and compare it with the program.

    Of a model with state, single steps are compared, each from the program's state: an error cannot add up. Inputs and
    outputs, as stored, are written to `golden/inputs` and `golden/outputs`: the device must reproduce them. recipe: the
    compression that the backend applied during lowering, if any. floating: loads the float program that a quantized one
    was made from; a file that is about as near to it as the quantized program is has lost nothing more. Returns the
    worst output's SQNR against the program in dB. Raises LoweringError if the file does not load or run, Disagreement,
    which names whose loss it is, if its outputs differ.
    """
    if program.signature.lengths:
        check_lengths(artifact, program, checks, floor_db(program, recipe))
    columns: list[Column]
    if program.signature.state:
        columns = [np.load(checks / f"{spec.name}.npy", allow_pickle=False) for spec in program.signature.sampled]
        reference, candidate, answers = verify_steps(artifact, program, Samples.read(checks), golden.parent)
    else:
        columns = read_columns(checks, [model_tensor(spec) for spec in program.signature.inputs])
        candidate = answers = file_outputs(artifact, columns)
        reference = program_outputs(program, columns)
    floor, qualities = floor_db(program, recipe), []
    yardstick = FloatYardstick(floating, columns) if floating and not program.signature.state else None
    reference_kernels = ReferenceKernels(artifact, program, columns)
    expected_names = [spec.name for spec in program.signature.outputs]
    if [spec.name for spec in artifact.signature.outputs] != expected_names:
        names = ", ".join(spec.name for spec in artifact.signature.outputs)
        raise Disagreement(f"'{artifact.entry.name}' gives {names}, the program gives {', '.join(expected_names)}")
    orders: dict[int, IndexOrder] | None = None
    for index, spec in enumerate(artifact.signature.outputs):
        expected, stored = reference[index], candidate[index]
        got = dequantize(stored, spec.affine.scale, spec.affine.zero_point) if spec.affine else stored
        alike = expected.shape == got.shape
        quality = sqnr_db(expected, got) if alike else -np.inf
        least = floor if expected.dtype.kind == "f" else min(floor, INDEX_DB)
        if alike and expected.dtype.kind != "f" and not quality >= least:
            orders = index_orders(program, columns) if orders is None else orders
            quality = max(quality, orders[index].sqnr_db(expected, got)) if index in orders else quality
        qualities.append(quality)
        if quality >= least:
            continue
        losses = yardstick.losses(index, expected, got) if yardstick and alike else None
        if losses is None or losses.is_refused:
            told = f"; {losses}" if losses else ""
            if alike and expected.dtype.kind == "f" and not (losses and losses.is_useless):
                truth = yardstick.outputs[index] if yardstick and losses else expected
                told += f"; {reference_kernels.blame(index, truth, losses.least_db if losses else least)}"
            raise _disagreement(f"output '{spec.name}' of '{artifact.entry.name}'", quality, least, recipe, told)
    if program.prefill:
        qualities += _check_prefill(artifact, program, Samples.read(checks), floor, recipe, golden.parent)
    for stored, spec in zip(answers, artifact.signature.reported, strict=True):
        _save(golden / "outputs" / f"{spec.name}.npy", stored)
    for column, spec in zip(columns, artifact.signature.sampled, strict=True):
        _save(golden / "inputs" / f"{spec.name}.npy", column.array if isinstance(column, RaggedColumn) else column)
    for length in artifact.signature.lengths:
        name = f"{length.name}{LENGTHS}.npy"
        _save(golden / "inputs" / name, np.load(checks / name, allow_pickle=False))
    return float(min(qualities))


def _check_prefill(
    artifact: Artifact, program: Program, samples: Samples, floor: float, recipe: Quantize | None, folder: Path
) -> list[float]:
    """SQNR in dB of every output of the entry points for several tokens. Raises Disagreement, LoweringError.

    They answer once a chunk: where int4 weights move one of so few answers, the chunk is held against the same tokens
    read one by one by the same file, whose steps were verified. folder: holds the initial states.
    """
    affine, qualities = {spec.name: spec.affine for spec in artifact.signature.outputs}, []
    for count, name, expected, stored in prefill_outputs(artifact, program, samples):
        scaled = affine[name]
        got = dequantize(stored, scaled.scale, scaled.zero_point) if scaled else stored
        quality = sqnr_db(expected, got) if expected.shape == got.shape else -np.inf
        least = floor if expected.dtype.kind == "f" else min(floor, INDEX_DB)
        reported = any(spec.name == name for spec in artifact.signature.reported)
        by_decode = reported and recipe is not None and recipe.precision == "weight-int4"
        if not quality >= least and not (by_decode and _reads_alike(artifact, program, samples, count, folder)):
            where = f"output '{name}' of '{artifact.entry.name}' at a prefill of {count} tokens"
            raise _disagreement(where, quality, least, recipe)
        qualities.append(quality)
    return qualities


def _reads_alike(artifact: Artifact, program: Program, samples: Samples, count: int, folder: Path) -> bool:
    """True if a file answers alike to texts of `count` tokens that it reads at once, and token by token."""
    with run_errors(artifact):
        texts = prefill_texts(program, samples, count)
        return decode_agreement_db(runner_manifest(artifact, folder), texts) >= INTEGER_DB


def _disagreement(
    output: str, quality_db: float, least_db: float, recipe: Quantize | None, losses: str = ""
) -> Disagreement:
    kind = FloatDisagreement if least_db == FLOAT_DB else Disagreement
    hint = FAULT if recipe is None else HALF if recipe.mode == "float16" else LOST
    expectation = f"at least {least_db:.0f} dB was expected{losses}"
    return kind(f"{output} is {quality_db:.1f} dB from the program, {expectation}", hint=hint)


def check_lengths(artifact: Artifact, program: Program, checks: Path, floor: float) -> None:
    """Compare the artifact with the program at the least lengths, at some between, and at the greatest.

    The first sample in `checks` is repeated and cut to each. Raises Disagreement, which names the lengths, or
    LoweringError if it does not run.
    """
    columns = read_columns(checks, [model_tensor(spec) for spec in program.signature.inputs])
    lengths = program.signature.lengths
    names = [length.name for length in lengths]
    for sizes in zip(*(spread_lengths(length) for length in lengths), strict=True):
        chosen = dict(zip(names, sizes, strict=True))
        sample: list[Column] = [
            _resized(array, spec.at(chosen))
            for array, spec in zip(row(columns, 0), program.signature.inputs, strict=True)
        ]
        stated = ", ".join(f"{name} = {size}" for name, size in chosen.items())
        pairs = zip(
            program.signature.outputs, program_outputs(program, sample), file_outputs(artifact, sample), strict=True
        )
        for spec, expected, stored in pairs:
            affine = next(each.affine for each in artifact.signature.outputs if each.name == spec.name)
            got = dequantize(stored, affine.scale, affine.zero_point) if affine else stored
            quality = sqnr_db(expected, got) if expected.shape == got.shape else -np.inf
            least = floor if expected.dtype.kind == "f" else min(floor, INDEX_DB)
            if not quality >= least:
                raise _length_disagreement(artifact, f"output '{spec.name}' at {stated}", quality, least)


def spread_lengths(length: FreeLength) -> tuple[int, ...]:
    """Five lengths of a range: both ends, the first after the least, and two between."""
    last = len(length.all) - 1
    return tuple(length.all[place] for place in (0, min(1, last), last // 3, last - last // 3, last))


def _length_disagreement(artifact: Artifact, output: str, quality_db: float, least_db: float) -> Disagreement:
    buckets = any(length.buckets for length in artifact.signature.lengths)
    reason = ": it is not the same once its inputs are padded to a bucket" if buckets else ""
    return LengthDisagreement(
        f"{output} is {quality_db:.1f} dB from the program, at least {least_db:.0f} dB was expected{reason}",
        hint=PADDED if buckets else FAULT,
    )


def _resized(array: Array, shape: tuple[int, ...]) -> Array:
    """Repeat and cut an array [1, …] to a shape of as many axes."""
    repeated = np.tile(array, [-(-size // own) for size, own in zip(shape, array.shape, strict=True)])
    return np.ascontiguousarray(repeated[tuple(map(slice, shape))])


def file_outputs(artifact: Artifact, columns: Sequence[Column]) -> list[Array]:
    """Outputs of the artifact in the device's own runner, [N, …] each, as stored."""
    columns = list(columns)
    with run_errors(artifact):
        return LoadedModel.load(runner_manifest(artifact), 1, row(columns, 0)).outputs(columns)


def _save(path: Path, array: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, allow_pickle=False)

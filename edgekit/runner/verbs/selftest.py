"""Verb `selftest`: verify that the model of a slot reproduces its golden outputs on this device."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunnerError
from ..model.manifest import ModelTensor, RunnerManifest, read_manifest
from ..model.sequences import read_samples, read_steps
from ..model.tensors import read_columns, read_raw, real, row
from ..processing.audio import audio_digest
from ..processing.golden import golden_digest
from ..processing.tokenization import is_known, read_tokenization
from ..runtimes.model import LoadedModel

if TYPE_CHECKING:
    from ..model.accelerator import Accelerator
    from ..model.tensors import Array


SHARE = 1e-4
"""Difference of a function's reals from those of the build, as a share of the largest one."""


def selftest(slot: Path, threads: int, accelerator: Accelerator | None = None) -> dict[str, Any]:
    """Run the golden inputs: `passed`, and by output the differences `worst` and `allowed`, in real units.

    `worst` is null if it is not finite. Raises RunnerError, also if processing gives other inputs here.
    """
    manifest = read_manifest(slot, accelerator)
    _check_processing(manifest)
    _check_tokenizers(manifest)
    inputs = slot / "golden" / "inputs"
    columns = read_samples(inputs, manifest)
    _check_functions(manifest, columns)
    golden = read_columns(slot / "golden" / "outputs", manifest.reported, timed=bool(manifest.state))
    model = LoadedModel.load(manifest, threads, row(read_steps(inputs, manifest)[0], 0))
    stored = model.outputs(columns)
    passed, outputs = True, {}
    for k, tensor in enumerate(manifest.reported):
        worst, allowed = _difference(stored[k], golden[k], tensor, manifest.tolerance)
        # NaN is not below anything: it fails.
        passed = passed and worst <= allowed
        outputs[tensor.name] = {"worst": worst if math.isfinite(worst) else None, "allowed": allowed}
    providers = {name: model.loaded[name] for name in ("provider", "planned_provider")}
    return {"passed": passed, "outputs": outputs, **providers}


def _check_processing(manifest: RunnerManifest) -> None:
    """Raise RunnerError (run) if an input is made of other pixels or samples here than where the bundle was built."""
    for name, processing in manifest.processing.items():
        if golden_digest(processing.steps, processing.channels) != processing.golden:
            raise RunnerError("run", f"the processing of '{name}' gives other pixels here than where it was built")
    for name, audio in manifest.audio.items():
        if audio_digest(audio.settings) != audio.golden:
            raise RunnerError("run", f"the processing of '{name}' gives other samples here than where it was built")


def _check_tokenizers(manifest: RunnerManifest) -> None:
    """Raise RunnerError (run) if a tokenizer makes other token ids of its golden texts here than where it was built.

    Kinds of tokenizers that are not known here have no ids to compare: the build held theirs against the vocabulary.
    """
    for name, stated in manifest.tokenizers.items():
        content = _document(stated.file) if stated.golden else None
        if content is None or not is_known(content):
            continue
        tokenizer = read_tokenization(content)
        wrong = next((text for text, ids in stated.golden.items() if tokenizer.encode(text) != ids), None)
        if wrong is not None:
            message = f"the tokenizer of '{name}' makes other token ids of '{wrong[:40]}' here than where it was built"
            raise RunnerError("run", message)


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise RunnerError("data", f"'{path}' cannot be read: {error}") from error


def _check_functions(manifest: RunnerManifest, columns: Sequence[Array]) -> None:
    """Raise RunnerError (run) if a function makes another input of a raw sample here than where it was built.

    Integers may differ by one, reals by `SHARE` of the sample's range: sums and exponentials differ in the last bits.
    """
    golden = {tensor.name: column for tensor, column in zip(manifest.sampled, columns)}
    for name, processing in manifest.functions.items():
        for i, path in processing.raw:
            if name not in golden or not 0 <= i < len(golden[name]):
                raise RunnerError("data", f"'{path}' belongs to no golden input")
            result, wanted = processing.function(read_raw(path)), golden[name][i : i + 1][0]
            if not _alike(result, wanted):
                raise RunnerError("run", f"the function of '{name}' gives another input here than where it was built")


def _alike(result: Array, wanted: Array) -> bool:
    if result.dtype != wanted.dtype or result.shape != wanted.shape:
        return False
    kind, span = wanted.dtype.kind, float(np.abs(wanted.astype(np.float64)).max(initial=0))
    allowed = 0 if kind == "b" else 1 if kind in "iu" else SHARE * span
    # NaN is not below anything: it fails.
    return bool((np.abs(result.astype(np.float64) - wanted) <= allowed).all())


def _difference(stored: Array, golden: Array, tensor: ModelTensor, tolerance: float) -> tuple[float, float]:
    """Largest difference from the golden output, and the largest that the tolerance allows, in real units."""
    candidate, reference = (real(array, tensor).astype(np.float64) for array in (stored, golden))
    if not np.isfinite(reference).all():
        raise RunnerError("data", f"the golden output '{tensor.name}' is not finite")
    return float(np.abs(candidate - reference).max()), tolerance * float(reference.max() - reference.min())

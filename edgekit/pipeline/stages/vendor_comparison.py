"""Comparison with the vendor's plain recipe where int8 is refused or poor: whose fault it is, as far as is known."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgekit.backends.lowering_process import Lowering
from edgekit.cache import digest_of
from edgekit.errors import EdgekitError, LoweringError, LoweringTimeout
from edgekit.parity.gates import GateResult
from edgekit.pipeline.stages.compile import Compilation, Compiled

ANSWERS = ("accuracy_drop", "agreement")
"""Gates that a poor quantization fails."""
BETTER_DB = 3.0
"""Least advantage of the vendor's recipe, in dB, that is a fault of edgekit's: half the noise."""
GOOD_DB = 15.0
"""Least SQNR of an int8 file that works, against the float program."""
DYNAMIC = "dynamic-int8"
"""Precision whose activations are rounded as they come."""
QUANTIZE = "quantize"
"""Name of the pass whose SQNR is edgekit's."""
TRIAL = "trial.json"


@contextlib.contextmanager
def blamed(compilation: Compilation) -> Iterator[None]:
    """Wait for a compilation; if its quantized program is refused, add to the error what the vendor's recipe comes to.

    Nothing is tried for programs that are neither quantized with ranges nor dynamically, nor if the float program is
    refused too. Raises what the compilation raises.
    """
    try:
        yield
    except LoweringTimeout:
        raise
    except LoweringError as error:
        told = _of_refusal(compilation) if _has_recipe(compilation) and _float_is_lowered(compilation) else ""
        if not told:
            raise
        raise type(error)(f"{error}; {told}", hint=error.hint) from error


def _has_recipe(compilation: Compilation) -> bool:
    """True if vendors have a plain recipe of the same kind."""
    return _is_dynamic(compilation) or (
        compilation.request.recipe_before_lowering is not None and compilation.request.calibrated
    )


def _is_dynamic(compilation: Compilation) -> bool:
    recipe = compilation.request.profile.quantize
    return recipe is not None and recipe.precision == DYNAMIC


def _float_is_lowered(compilation: Compilation) -> bool:
    return compilation.line.cache.find(compilation.lower_float.key) is not None


def _of_refusal(compilation: Compilation) -> str:
    try:
        quality_db = _cached_trial(compilation)
    except LoweringTimeout:
        return "the vendor's plain recipe does not end in time either"
    except EdgekitError as error:
        return f"the vendor's plain recipe fails too: {error}"
    if quality_db is None:
        return ""
    if quality_db >= GOOD_DB:
        return f"the vendor's plain recipe reaches {quality_db:.1f} dB on the same program: report it to edgekit"
    return f"the vendor's plain recipe fails too: it reaches {quality_db:.1f} dB"


def vendor_remarks(compilation: Compilation, compiled: Compiled, judged: Iterable[GateResult]) -> tuple[str, ...]:
    """Sentence on the vendor's plain recipe if gates on answers failed after int8 quantization; else empty.

    Raises nothing: a recipe that cannot be tried is no error of this build.
    """
    steps = [record.sqnr_db for record in compiled.history if record.name == QUANTIZE]
    if not steps or not _has_recipe(compilation):
        return ()
    if not any(gate.name in ANSWERS and gate.outcome == "failed" for gate in judged):
        return ()
    try:
        quality_db = _cached_trial(compilation)
    except EdgekitError as error:
        return (f"The vendor's plain recipe on the same program fails too: {error}.",)
    if quality_db is None:
        return ()
    both = f"{quality_db:.1f} dB on the same program and samples, edgekit's {steps[-1]:.1f} dB"
    if quality_db >= steps[-1] + BETTER_DB:
        return (f"The vendor's plain recipe reaches {both}: report it to edgekit.",)
    return (f"The vendor's plain recipe does no better: {both}; see which layers it is: edgekit diagnose.",)


def _cached_trial(compilation: Compilation) -> float | None:
    """SQNR of the vendor's recipe in dB, from the cache if it was tried before; None without a recipe."""

    def make(out: Path) -> None:
        dynamic = _is_dynamic(compilation)
        samples = compilation.golden if dynamic else compilation.calibration
        with Lowering(compilation.request.runtime.backend) as worker:
            quality_db = worker.try_vendor(
                compilation.captured, samples.folder, compilation.golden.folder, dynamic=dynamic
            )
        (out / TRIAL).write_text(json.dumps(quality_db))

    entry, _ = compilation.line.cache.fetch(
        digest_of({"stage": "vendor trial", "lowering": compilation.lower.key}), make
    )
    quality_db: float | None = json.loads((entry / TRIAL).read_text())
    return quality_db

"""The stage that screens calibration data for poisoned samples, and the float network for a backdoor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit.cache import digest_of, tool_versions
from edgekit.ir.measurement import Array
from edgekit.parity.poisoning.equality import contradictions, equal_groups
from edgekit.parity.poisoning.range_influence import Extremes, range_outliers
from edgekit.parity.poisoning.record import SHOWN, BackdoorScreen, PoisoningScreen, RangeOutlier
from edgekit.parity.poisoning_readings import GATES
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.compress import CALIBRATION
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.stage import Stage
from edgekit.samples import Samples
from edgekit.tasks.label_arrays import is_labelled

if TYPE_CHECKING:
    from edgekit.frontend.load import Model

STAGE = "poisoning screen"
RECORD = "screen.json"


def is_screened(compilation: Compilation) -> bool:
    """True if a gate asks for the screen, and the project has calibration data."""
    request = compilation.request
    named = any(getattr(request.profile.gates, name) is not None for name in GATES)
    return named and request.project.data.calibration is not None


def poisoning_screen(compilation: Compilation) -> PoisoningScreen | None:
    """Screen of the calibration data of a build; None where no gate asks for it, or there are none."""
    if not is_screened(compilation):
        return None
    entry = screen_stage(compilation).run(compilation.line)
    return PoisoningScreen.model_validate_json((entry / RECORD).read_bytes())


def screen_stage(compilation: Compilation) -> Stage[[]]:
    """The stage that screens the calibration data, the same samples that ranges are found on."""

    def compute_key() -> str:
        return digest_of(
            {
                "stage": STAGE,
                "program": compilation.capture_original.key,
                "data": screened_data(compilation).key,
                "task": compilation.request.project.model.task,
                "versions": tool_versions(("torch",)),
            }
        )

    def make(out: Path) -> None:
        samples = screened_data(compilation).samples
        screen = screened(compilation.network.model, samples, _extremes(compilation, samples))
        (out / RECORD).write_text(screen.model_dump_json())

    return Stage(STAGE, compute_key, make)


def screened_data(compilation: Compilation) -> CachedData:
    """The calibration samples that ranges are found on; as many, where the recipe finds none."""
    if compilation.request.calibrated:
        return compilation.calibration
    return CachedData(compilation.request.project, compilation.line, "calibration", CALIBRATION)


def screened(model: Model, samples: Samples, extremes: Extremes | None) -> PoisoningScreen:
    """Screen samples, and the float network on them. extremes: of its activations; None where they are not known."""
    from edgekit.pipeline.stages.backdoor_search import backdoor_screen, class_answers

    groups = equal_groups(samples.inputs)
    outliers: tuple[RangeOutlier, ...] = range_outliers(extremes) if extremes else ()
    differing = contradictions(groups, samples.labels)
    answers = class_answers(model, samples)
    labels = samples.labels if is_labelled(samples.labels) and samples.labels.ndim == 1 else None
    wrong = _wrong(answers, labels)
    # Values that no other sample has would be a patch's, too, and make any of them flip answers.
    rest = np.setdiff1d(np.arange(len(samples)), [one.sample for one in outliers])
    backdoor = _renumbered(backdoor_screen(model, samples.take(rest), None if labels is None else labels[rest]), rest)
    return PoisoningScreen(
        samples=len(samples),
        tensors=len(extremes.names) if extremes else 0,
        outliers=outliers,
        duplicates=groups[:SHOWN],
        duplicated=sum(len(group) - 1 for group in groups),
        contradictions=differing,
        labelled=0 if answers is None or labels is None else len(labels),
        disagreements=len(wrong),
        disagreeing=wrong[:SHOWN],
        backdoor=backdoor,
        poisoned=_poisoned(outliers, differing, backdoor),
    )


def _poisoned(
    outliers: tuple[RangeOutlier, ...], differing: tuple[int, ...], backdoor: BackdoorScreen
) -> tuple[int, ...]:
    carriers = (sample for patch in backdoor.patches for sample in patch.samples)
    return tuple(sorted({*(one.sample for one in outliers), *differing, *carriers}))


def _renumbered(backdoor: BackdoorScreen, indices: Array) -> BackdoorScreen:
    """Screen of some of the samples, with their indices in the whole set."""
    patches = tuple(
        patch.model_copy(update={"samples": tuple(indices[list(patch.samples)].tolist())}) for patch in backdoor.patches
    )
    return backdoor.model_copy(update={"patches": patches})


def _wrong(answers: Array | None, labels: Array | None) -> tuple[int, ...]:
    if answers is None or labels is None:
        return ()
    return tuple(np.flatnonzero(answers != labels).tolist())


def _extremes(compilation: Compilation, samples: Samples) -> Extremes | None:
    """Ends of every activation on every sample; None for sequences, which are calibrated on step by step."""
    if compilation.request.project.state:
        return None
    from edgekit.frontend.load import batches
    from edgekit.frontend.store import load_program
    from edgekit.passes.quantization.sample_extremes import sample_extremes

    program = load_program(compilation.original)
    return Extremes(*sample_extremes(program, batches(samples, compilation.request.project)))

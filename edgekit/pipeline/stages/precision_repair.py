"""Precision repair, `[quantize] repair`: int8 where it holds, and the report's sentence on where it does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cache import digest_of
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.mixed_precision import SETTLED, judge_of, limits_of
from edgekit.pipeline.stages.quantization_jobs import IMPORTS, REQUEST, quantizations, stated, write_json
from edgekit.pipeline.stages.repaired_gates import FloatWork
from edgekit.pipeline.stages.stage import Stage
from edgekit.samples import Samples
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from edgekit.passes.sensitivity.repair_trial import RepairResult, RepairTrial

REMARK = "remark.json"
IN_FLOAT = "in_float.json"
TRIED = "tried.json"
"""Log of the trials, for people."""
STAGE = "precision repair"
SEARCH = 5
"""Version of the search: results of another one are not taken from the cache."""
JUDGED = 256
"""Most held-out samples that judge."""
NAMED = 8
"""Most operators that the sentence names."""


def repair_stage(compilation: Compilation) -> Stage[[]] | None:
    """The stage that checks int8 on held-out calibration data and repairs it; None where the profile asks for none."""
    request = compilation.request
    recipe = request.profile.quantize
    if recipe is None or not recipe.repair or recipe.mode != "static" or recipe.mixed:
        return None

    def compute_key() -> str:
        gates = {name: bound.model_dump(mode="json") for name, bound in request.profile.gates.named()}
        return digest_of(
            {
                "stage": STAGE,
                "search": SEARCH,
                "program": compilation.program_key,
                "gates": {name: gates.get(name) for name in ("accuracy_drop", "agreement", "integer_macs_share")},
                "task": [request.project.model.task, request.project.task],
            }
        )

    def make(out: Path) -> None:
        with compilation.worker() as worker:  # it imports the converter while the program is captured
            arguments = {
                "request": stated(request),
                "program": str(compilation.captured),
                "calibration": str(compilation.calibration.folder),
            }
            worker.call(repair_program, arguments, out, IMPORTS)

    return Stage(STAGE, compute_key, make)


def repaired_compilation(compilation: Compilation) -> Compilation:
    """Compilation by the recipe that holds, with a sentence on it; the same one if plain int8 does."""
    stage = repair_stage(compilation)
    return compilation if stage is None else settled_compilation(compilation, stage.run(compilation.line))


def settled_compilation(compilation: Compilation, entry: Path) -> Compilation:
    """Compilation by the result of the stage, in the folder `entry`."""
    recipe = Quantize.model_validate_json((entry / SETTLED).read_bytes())
    remark: str = json.loads((entry / REMARK).read_text())
    if not remark:
        return compilation
    in_float = FloatWork(**json.loads((entry / IN_FLOAT).read_text()))
    profile, stated = compilation.request.profile, compilation.request.project.gates.model_fields_set
    profile = profile.model_copy(update={"quantize": recipe, "gates": in_float.gates(profile.gates, stated)})
    return Compilation(replace(compilation.request, profile=profile), compilation.line, (remark,))


def repair_program(request: dict[str, Any], program: str, calibration: str, out: str) -> None:
    """Search for the recipe of a request, in the converter's process, and write it with its sentence into `out`.

    program, calibration: folders of the captured program and of the calibration set.
    """
    asking, folder = REQUEST.validate_python(request), Path(out)
    settled, in_float = asking.profile.quantize, FloatWork()
    assert settled  # the stage is there only with a recipe
    result = _repaired(asking, Path(program), Samples.read(Path(calibration), mapped=True))
    if result is not None and result.chosen is not result.plain:
        settled = result.chosen.recipe.model_copy(update={"repair": False})
        in_float = _in_float(result)
    (folder / SETTLED).write_text(settled.model_dump_json(exclude_unset=True))
    (folder / IN_FLOAT).write_text(json.dumps(in_float.fields()))
    (folder / REMARK).write_text(json.dumps(_sentence(result)))
    write_json(folder / TRIED, [_logged(trial) for trial in result.trials] if result else [])


def _repaired(request: BuildRequest, captured: Path, data: Samples) -> RepairResult | None:
    """Result of the search; None if no sample can be held out, or the gates limit no answers."""
    from edgekit.frontend.sequences import program_arguments
    from edgekit.frontend.store import load_program
    from edgekit.passes.base import one_thread
    from edgekit.passes.sensitivity.judge import held_out
    from edgekit.passes.sensitivity.mixed_precision import PrecisionSearch
    from edgekit.passes.sensitivity.repair import repaired

    recipe, gates = request.profile.quantize, request.profile.gates
    assert recipe  # the stage is there only with a recipe
    if len(data.labels) < 4 or not (gates.agreement or gates.accuracy_drop):
        return None
    fit, judging = held_out(data.labels, share=0.5)
    program = load_program(captured)
    with one_thread():
        judge = judge_of(request.project, program, data.take(judging[:: -(-len(judging) // JUDGED)]))
        problem = PrecisionSearch(
            program,
            recipe,
            quantizations(request.runtime),
            program_arguments(program, data.take(fit)),
            judge,
            limits_of(gates),
        )
        return repaired(problem)


def _sentence(result: RepairResult | None) -> str:
    """Sentence for the report; empty if plain int8 holds and is built, or could not be judged."""
    if result is None or (result.plain.met and len(result.trials) == 1):
        return ""
    if result.plain.met and result.chosen is result.plain:
        return (
            f"Plain int8 holds on {result.samples} held-out calibration samples ({_score(result.plain)}), and leaves "
            f"attention in float: {result.trials[-1].change} do not hold ({_score(result.trials[-1])})."
        )
    if result.plain.met:
        return (
            f"Plain int8 holds on {result.samples} held-out calibration samples ({_score(result.plain)}), and leaves "
            f"attention in float; {result.chosen.change} brought its products into integers ({_score(result.chosen)}); "
            "--profile int8-plain leaves it in float."
        )
    opening = f"Plain int8 does not hold on {result.samples} held-out calibration samples ({_score(result.plain)})"
    tried = f"{len(result.trials) - 1} recipes were tried"
    if result.chosen is result.plain:
        return f"{opening}, and nothing helped: {tried}{_cause(result)}."
    helped = f"{result.chosen.change} brought {_score(result.chosen)}{_exceptions(result)}"
    if result.chosen.met:
        return f"{opening}; {tried}, {helped}."
    return f"{opening}; {tried}, and none holds: {helped}{_cause(result)}."


def _score(trial: RepairTrial) -> str:
    return f"{trial.score.sqnr_db:.1f} dB from float, agreement {trial.score.agreement:.3f}"


def _in_float(result: RepairResult) -> FloatWork:
    return FloatWork(round(result.in_float.macs, 4), round(result.in_float.weights, 4))


def _exceptions(result: RepairResult) -> str:
    """Operators in float, their cost, what the gates make of it, and the way back."""
    names = result.chosen.exceptions
    if not names:
        return ", all in int8"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    work = _in_float(result)
    gates = "; the gates on integers and size expect that much less" if work.is_promised else ""
    back = "; --profile int8-plain leaves nothing in float"
    return f", in float: {', '.join(names[:NAMED])}{more}, {work}{gates}{back}"


def _cause(result: RepairResult) -> str:
    if not result.worst:
        return ""
    return f"; most noise, {100 * result.worst_share:.0f} %, is of the rounding of {result.worst}"


def _logged(trial: RepairTrial) -> dict[str, Any]:
    return {
        "change": trial.change,
        "float32": list(trial.exceptions),
        "price": round(trial.price, 4),
        "agreement": trial.score.agreement,
        "accuracy_drop": trial.score.accuracy_drop,
        "sqnr_db": trial.score.sqnr_db,
        "met": trial.met,
    }

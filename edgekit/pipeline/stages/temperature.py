"""Temperature fitted on calibration samples, `[task] temperature = "fit"`: a number before anything is compiled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit.cache import digest_of, tool_versions
from edgekit.errors import DataError
from edgekit.ir.plural import counted
from edgekit.ir.record import Record
from edgekit.parity.calibration.paired_calibration import LEAST, PairedCalibration
from edgekit.parity.calibration.temperature import fit_temperature
from edgekit.parity.comparison import Comparison
from edgekit.parity.gate_texts import percent
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.inputs import CachedData, Network
from edgekit.pipeline.stages.stage import Stage
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.specs.project import Project
from edgekit.tasks.class_scores import form_of, refusal
from edgekit.tasks.classification import FIT
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.registry import TEMPERATURE, number_of, task_of, temperature_of
from edgekit.tasks.task_over_time import of_sequences

SAMPLES = 2048
"""Most calibration samples that a temperature is fitted on."""
FITTED = "temperature.json"
NAME = "temperature"
WRONG = 10
"""Fewest wrong decisions that a temperature is fitted by: of a network that is always right, it falls to nothing."""
SUSPICIOUS = 4.0
"""Standard errors by which a network does better on calibration samples than on others where it was trained on them."""


class TemperatureRecord(Record):
    """Temperature of a network, and the samples that it was fitted on."""

    temperature: float
    samples: int
    nll_before: float
    """Mean negative log-likelihood of these samples without it, in nats."""
    nll_after: float
    right: float
    """Share of these samples that the network is right on: of one label each, and of flags the share of flags."""


def settled_temperature(request: BuildRequest, line: StageRunner) -> BuildRequest:
    """Replace `temperature = "fit"` by the number that fits; a request that fits nothing is returned as it is."""
    stage = temperature_stage(request, line)
    if stage is None:
        return request
    return with_temperature(request, _read(stage.run(line)).temperature)


def with_temperature(request: BuildRequest, temperature: float | str | None) -> BuildRequest:
    """Request with another temperature under [task]; without any for None."""
    options = {key: value for key, value in request.project.task.items() if key != TEMPERATURE}
    if temperature is not None:
        options[TEMPERATURE] = temperature
    return replace(request, project=request.project.model_copy(update={"task": options}))


def temperature_stage(request: BuildRequest, line: StageRunner) -> Stage[[]] | None:
    """The stage that fits a temperature; None where the project asks for none, or states a number."""
    if temperature_of(request.project) != FIT:
        return None
    project = with_temperature(request, None).project
    network, data = Network(project, line), CachedData(project, line, "calibration", SAMPLES)

    def compute_key() -> str:
        return digest_of(
            {
                "stage": NAME,
                "model": network.key,
                "data": data.key,
                "task": [project.model.task, project.task],
                "versions": tool_versions(("torch", "numpy")),
            }
        )

    def make(out: Path) -> None:
        (out / FITTED).write_text(_fitted(project, network, data).model_dump_json())

    return Stage(NAME, compute_key, make)


def is_known(request: BuildRequest, line: StageRunner) -> bool:
    """True if the key of the stage can be told without loading the network or reading data."""
    project = with_temperature(request, None).project
    return Network(project, line).known and CachedData(project, line, "calibration", SAMPLES).known


def fitted_in(folder: Path) -> float:
    """Temperature that the stage left in its folder."""
    return _read(folder).temperature


def temperature_remarks(request: BuildRequest, line: StageRunner, comparison: Comparison) -> tuple[str, ...]:
    """Sentences for the report on the temperature in the model.

    A network is surer of samples that it was trained on, and right: a temperature of these is too small.
    """
    number = number_of(temperature_of(request.project))
    if number is None:
        return ()
    fit = _record(request, line)
    if fit is None or fit.temperature != number:
        return (f"The logits are divided by {number:g}, as [task] states.", *_worse(comparison))
    sentence = (
        f"The logits are divided by {number:.4g}, fitted on {counted(fit.samples, 'calibration sample')}: their "
        f"negative log-likelihood falls from {fit.nll_before:.4f} to {fit.nll_after:.4f} nats."
    )
    return (sentence, *_trained_on(fit, comparison), *_worse(comparison))


def _trained_on(fit: TemperatureRecord, comparison: Comparison) -> tuple[str, ...]:
    """Warn if the network does so much better on the calibration samples that it was trained on them."""
    score = comparison.reference.score
    if score is None or score.name != "top1":
        return ()
    pooled = (fit.right * fit.samples + score.value * comparison.samples) / (fit.samples + comparison.samples)
    error = (pooled * (1 - pooled) * (1 / fit.samples + 1 / comparison.samples)) ** 0.5
    if fit.right - score.value <= SUSPICIOUS * error:
        return ()
    return (
        f"THE TEMPERATURE IS PROBABLY TOO SMALL: the network is right on {percent(fit.right)} of the calibration "
        f"samples and on {percent(score.value)} of the evaluation samples, so it was trained on the former. Give "
        "[data] calibration samples that it was not trained on, or state the number: [task] temperature.",
    )


def _worse(comparison: Comparison) -> tuple[str, ...]:
    """Warn if the reference's probabilities of the evaluation samples are better without the temperature."""
    pair = comparison.calibration
    record = pair.record if isinstance(pair, PairedCalibration) else None
    if record is None or record.untempered is None or record.untempered.nll >= record.reference.nll:
        return ()
    return (
        f"THE TEMPERATURE MAKES THE PROBABILITIES WORSE on {counted(record.samples, 'evaluation sample')}: the "
        f"reference's negative log-likelihood is {record.reference.nll:.4f} nats with it, {record.untempered.nll:.4f} "
        "without.",
    )


def _fitted(project: Project, network: Network, data: CachedData) -> TemperatureRecord:
    """Fit the temperature. Raises DataError where the samples have no labels, or the network gives no logits."""
    from edgekit.frontend.eager import Eager

    samples = data.samples
    where = f"the calibration data of '{project.name}'"
    if not is_labelled(samples.labels):
        raise DataError(
            f"{where} have no labels, which a temperature is fitted by",
            hint="label them (labelled = true under [data]), or state the number: [task] temperature = 1.5",
        )
    if len(samples) < LEAST:
        raise DataError(
            f"{where} have {counted(len(samples), 'sample')}, a temperature needs {LEAST}",
            hint="add more, or state the number: [task] temperature = 1.5",
        )
    outputs = Eager(lambda: network.twin).measure(samples, None).outputs
    task = of_sequences(task_of(project), samples.length, samples.labels)
    task.check(outputs, samples.labels)
    scores = task.class_scores(outputs, samples.labels)
    reason = "they are no class scores" if scores is None else refusal(scores)
    if scores is None or reason or form_of(scores) != "logits":
        raise DataError(
            f"[task] temperature divides logits: of the network's outputs {reason or 'the first holds probabilities'}",
            hint="return the logits from forward, without softmax or sigmoid at its end",
        )
    best = (scores.values > 0) == scores.truth if scores.several else scores.values.argmax(axis=1) == scores.truth
    wrong = int((~best).sum())
    fitted = fit_temperature(scores, "logits")
    if wrong < WRONG or fitted.at_limit:
        raise DataError(
            f"{where}: the network is wrong on {wrong} of {best.size:,} decisions, a temperature is fitted by {WRONG} "
            "at least; samples that it was trained on say nothing of how sure it may be",
            hint="calibrate on samples that it was not trained on, or state the number: [task] temperature = 1.5",
        )
    return TemperatureRecord(
        temperature=float(f"{fitted.value:.6g}"),
        samples=scores.samples,
        nll_before=fitted.nll_before,
        nll_after=fitted.nll_after,
        right=float(best.mean()),
    )


def _record(request: BuildRequest, line: StageRunner) -> TemperatureRecord | None:
    """Record of the fit that the request was settled by; None where nothing was fitted."""
    stated = with_temperature(request, FIT)
    stage = temperature_stage(stated, line) if is_known(stated, line) else None
    entry = line.cache.find(stage.key) if stage else None
    return _read(entry) if entry else None


def _read(folder: Path) -> TemperatureRecord:
    return TemperatureRecord.model_validate_json((folder / FITTED).read_text())

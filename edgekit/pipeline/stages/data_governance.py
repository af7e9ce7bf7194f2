"""Data governance of a build: records of the data sets, kept in the cache, and the data card of the bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edgekit.cache import digest_of, tool_versions
from edgekit.ir.measurement import Measurement
from edgekit.ir.record import Record
from edgekit.parity.data.card import DataCard
from edgekit.parity.data.governance import (
    MOST,
    DataGovernance,
    DataSetRecord,
    OverlapRecord,
    measured_record,
    overlap_record,
    stated_record,
)
from edgekit.parity.data.labels import check_labels
from edgekit.parity.data.terms import violations
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.samples import Samples
from edgekit.specs.project import DataSet

R = TypeVar("R", bound=Record)
RECORD = "record.json"
CALIBRATION = "calibration"
TRAINING = "training"
EVALUATION = "evaluation"


def governance_of(compilation: Compilation, samples: Samples, reference: Measurement) -> DataGovernance:
    """Data governance of a verdict on these evaluation samples, which the reference answered.

    The training set is read for the gate `training_overlap` alone, if nothing trained on it: MOST samples at most.
    """
    request, stated = compilation.request, compilation.request.project.data
    sets = _shaping(compilation)
    compared = [data for data in sets if data.role == CALIBRATION]
    if request.profile.gates.training_overlap and stated.training:
        compared.append(_training(compilation, sets))
    classes = compilation.golden.classes
    records = [_measured(compilation, data) for data in sets]
    evaluation = _kept(
        compilation,
        {"set": EVALUATION, "samples": samples.digest, "terms": stated.evaluation.model_dump(mode="json")},
        DataSetRecord,
        lambda: measured_record(EVALUATION, stated.evaluation, samples, classes),
    )
    labelled = request.project.model.task == "classification"
    first = next(iter(reference.outputs.values()))
    return DataGovernance(
        sets=(*records, evaluation),
        overlaps=tuple(_overlap(compilation, data, samples) for data in compared),
        labels=check_labels(first, reference.labels, reference.groups) if labelled else None,
        allowed=request.project.policy.licences,
        policy=request.project.policy.stated,
        violations=_violations(request, sets),
    )


def foreseen_data_gates(request: BuildRequest) -> tuple[str, ...]:
    """Gates on the data sets that a build of this request decides though nothing names them."""
    calibrated = ("calibration_overlap",) if request.calibrated else ()
    return (*calibrated, *(("licences",) if request.project.policy.stated else ()))


def data_card(compilation: Compilation) -> DataCard:
    """Card of the data that shaped the artifact, with the terms of the evaluation set."""
    project, sets = compilation.request.project, _shaping(compilation)
    return DataCard(
        schema_version=1,
        model=project.name,
        sets=(
            *(_measured(compilation, data) for data in sets),
            stated_record(EVALUATION, project.data.evaluation),
        ),
        allowed=project.policy.licences,
        violations=_violations(compilation.request, sets),
    )


def _shaping(compilation: Compilation) -> tuple[CachedData, ...]:
    """Data sets that the artifact depends on, one a role."""
    return tuple({data.role: data for data in compilation.shaping_data}.values())


def _training(compilation: Compilation, sets: tuple[CachedData, ...]) -> CachedData:
    known = next((data for data in sets if data.role == TRAINING), None)
    return known or CachedData(compilation.request.project, compilation.line, TRAINING, MOST)


def _stated(request: BuildRequest, role: str) -> DataSet:
    stated: DataSet = getattr(request.project.data, role)
    return stated


def _violations(request: BuildRequest, sets: tuple[CachedData, ...]) -> tuple[str, ...]:
    # The network was trained on the training set, whether or not the build trains on it.
    trained = (TRAINING,) if request.project.data.training else ()
    roles = (*(data.role for data in sets), *trained, EVALUATION)
    return violations(request.project.policy, {role: _stated(request, role) for role in roles})


def _measured(compilation: Compilation, data: CachedData) -> DataSetRecord:
    stated = _stated(compilation.request, data.role)
    return _kept(
        compilation,
        {"set": data.role, "data": data.key},
        DataSetRecord,
        lambda: measured_record(data.role, stated, data.samples, data.classes),
    )


def _overlap(compilation: Compilation, data: CachedData, samples: Samples) -> OverlapRecord:
    stated, evaluation = (_stated(compilation.request, role) for role in (data.role, EVALUATION))
    same = (stated.path, stated.loader) == (evaluation.path, evaluation.loader)
    source = str(stated.path or stated.loader) if same else None
    return _kept(
        compilation,
        {"overlap": data.role, "data": data.key, "samples": samples.digest, "source": source},
        OverlapRecord,
        lambda: overlap_record(data.role, samples, data.samples, source),
    )


def _kept(compilation: Compilation, key: dict[str, object], kind: type[R], make: Callable[[], R]) -> R:
    """The record that was made of the same samples before, or a new one. It takes part in no stage of its own."""

    def write(out: Path) -> None:
        (out / RECORD).write_text(make().model_dump_json(by_alias=True))

    digest = digest_of({"data governance": key, "versions": tool_versions(("numpy",))})
    folder = compilation.line.cache.fetch(digest, write)[0]
    return kind.model_validate_json((folder / RECORD).read_bytes())

"""Order → what rounding does to each of its layers, what that means, and what to try next."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit import plugins
from edgekit.bundle.archive import Bundle
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.signing import PublicKey
from edgekit.errors import DataError, Misfit
from edgekit.ir.layers import Layer
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.sqnr import sqnr_db
from edgekit.parity.diagnose import Diagnosis, Outcome, diagnose
from edgekit.pipeline.compile import Compilation
from edgekit.pipeline.inputs import Data
from edgekit.pipeline.line import Line
from edgekit.pipeline.order import Order, orders
from edgekit.report import record
from edgekit.report.record import Report
from edgekit.specs import override
from edgekit.specs.compression import Mixed, Quantize
from edgekit.specs.override import Override
from edgekit.specs.profile import Profile
from edgekit.specs.project import Project
from edgekit.specs.spec import parse

if TYPE_CHECKING:
    from edgekit.passes.base import Sample
    from edgekit.passes.mixed import Found
    from edgekit.passes.quantize import Quantization

PROFILE = "profile.json"
"""What a build leaves beside its report: the recipe as it was, with what `--set` changed."""
CHECKED = 256
"""Evaluation samples on which the whole network is looked at: stratified, and a minute at the most."""
SAME_DB = 6.0
"""Golden answers nearer to the project's than this are of one network; those of another are at about 0 dB."""


@dataclass(frozen=True)
class Left:
    """What a build left behind: a bundle, and where it is known the recipe and the report."""

    bundle: Bundle
    profile: Profile | None
    report: Report | None

    @classmethod
    def open(cls, path: Path, trusted: Sequence[PublicKey]) -> Left:
        """From a folder or a bundle. Raises DataError if there is none, and what `Bundle.open` raises."""
        bundle = Bundle.open(_bundle_in(path) if path.is_dir() else path, trusted)
        folder = bundle.path.parent
        report = next((r for r in _reports(folder) if r.bundle and r.bundle.digest == bundle.digest), None)
        return cls(bundle, _profile(folder / PROFILE, bundle.manifest), report)

    def order(self, project: Project, changes: Sequence[str]) -> Order:
        """The same order again, with `changes`. Raises UsageError if a name in it is no longer known."""
        manifest = self.bundle.manifest
        if self.profile is None:
            return orders(project, manifest.target, manifest.backend, manifest.profile, changes)[0]
        # The target's family has a default profile; the one that was used replaces it.
        order = orders(project, manifest.target, manifest.backend, None, [c for c in changes if not _of_profile(c)])[0]
        profile = override.apply(self.profile, "profile", [Override.parse(change) for change in changes])
        profile.check(order.target, order.runtime, order.backend.refuses)
        return replace(order, profile=profile)


@dataclass(frozen=True)
class Examined:
    """What was found out about one order."""

    order: Order
    layers: tuple[Layer, ...]
    outcome: Outcome
    diagnosis: Diagnosis
    warnings: tuple[str, ...]
    """What must be known before the numbers are believed."""
    found: Found | None
    """What a search for layers to leave in float came to, if one was asked for."""

    @property
    def profile(self) -> Profile:
        """The profile with what the search found written into it."""
        if self.found is None:
            return self.order.profile
        return self.order.profile.model_copy(update={"quantize": self.found.recipe})


@dataclass(frozen=True)
class Examination:
    """An order, and the data to look at it with."""

    order: Order
    line: Line
    left: Left | None = None

    def examine(self, search: bool) -> Examined:
        """Measure every layer, say what is wrong; with `search`, find the fewest layers to leave in float.

        Raises Misfit for a profile without static quantization, DataError and PassError for data that do not do.
        """
        from edgekit.passes.sensitivity import analyse

        recipe, data = self._recipe, self._evaluation
        golden = self._golden
        with self.line.stage("sensitivity"):
            checks = [*golden, *self._tensors(data)]
            found = analyse(self._program, recipe, self._quantization, self._tensors(self._calibration), checks)
        count = len(golden)
        floats, rounded = ({n: o[count:] for n, o in self._named(side)} for side in (found.floats, found.rounded))
        outcome, notes = self._outcome(floats, rounded, data.samples.labels)
        warnings = [*notes, *self._changed({name: values[:count] for name, values in self._named(found.rounded)})]
        diagnosis = diagnose(found.layers, recipe, outcome)
        searched = self._search(outcome) if search else None
        return Examined(self.order, found.layers, outcome, diagnosis, tuple(warnings), searched)

    @property
    def _recipe(self) -> Quantize:
        recipe, profile = self.order.profile.quantize, self.order.profile
        if recipe is None or recipe.mode != "static":
            raise Misfit(
                f"profile '{profile.id}' is {profile.precision}: only static quantization has ranges to look into",
                hint="edgekit profiles lists those in int8: --profile ID",
            )
        return recipe

    @cached_property
    def _compilation(self) -> Compilation:
        return Compilation(self.order, self.line)

    @cached_property
    def _program(self) -> Program:
        from edgekit.frontend.store import load_program

        return load_program(self._compilation.captured)

    @property
    def _calibration(self) -> Data:
        return self._compilation.calibration

    @cached_property
    def _evaluation(self) -> Data:
        return Data(self.order.project, self.line, "evaluation", CHECKED)

    def _quantization(self, recipe: Quantize) -> Quantization:
        return self.order.backend().quantization(recipe, self.order.runtime)

    def _tensors(self, data: Data) -> list[Sample]:
        from edgekit.frontend.load import batches

        return batches(data.samples, self.order.project)

    def _named(self, outputs: Sequence[Array]) -> list[tuple[str, Array]]:
        return [(spec.name, values) for spec, values in zip(self._program.signature.outputs, outputs, strict=True)]

    def _outcome(
        self, floats: dict[str, Array], rounded: dict[str, Array], labels: Array
    ) -> tuple[Outcome, tuple[str, ...]]:
        """How the network does, by the simulation; what a report says of the file that was built, if that is worse."""
        metric = plugins.load("metrics", self.order.project.model.task)()
        metric.check(floats, labels)
        agreement = float(np.mean(metric.answers(floats) == metric.answers(rounded)))
        drop = float(np.mean(metric.scores(floats, labels)) - np.mean(metric.scores(rounded, labels)))
        gates, training = self.order.profile.gates, self.order.project.data.training
        outcome = Outcome(agreement, drop, len(labels))
        if gates.agreement and gates.agreement.min is not None:
            outcome = replace(outcome, agreement_min=gates.agreement.min)
        if gates.accuracy_drop and gates.accuracy_drop.max is not None:
            outcome = replace(outcome, accuracy_drop_max=gates.accuracy_drop.max)
        calibration = self.order.project.data.calibration
        if training and calibration != training:
            where = ("loader", training.loader) if training.loader else ("path", training.path)
            stated = calibration and (calibration.loader if training.loader else calibration.path)
            if stated:
                outcome = replace(outcome, training=f"project.data.calibration.{where[0]}={where[1]}")
        report = self.left.report if self.left else None
        if report is None:
            return outcome, ()
        note = (
            f"the file that was built agreed on {report.agreement:.1%} of {report.candidate.samples} samples, "
            f"the simulation of it on {agreement:.1%} of {len(labels)}"
        )
        return outcome, (note,) if abs(report.agreement - agreement) > 0.05 else ()

    @property
    def _golden(self) -> list[Sample]:
        """The bundle's golden inputs. Raises DataError if the project's model does not take them."""
        import torch

        if self.left is None:
            return []
        bundle = self.left.bundle
        columns = []
        for spec in self._program.signature.inputs:
            values = _array(bundle, f"golden/inputs/{spec.name}.npy")
            if values is None or values.shape[1:] != spec.shape[1:] or values.dtype.name != spec.dtype:
                raise DataError(
                    f"the project's model takes {spec}, and '{bundle.path.name}' was built for another",
                    hint="edgekit build makes the bundle anew; --project DIR names another project",
                )
            columns.append(torch.from_numpy(values))
        return [tuple(column[i : i + 1] for column in columns) for i in range(len(columns[0]))]

    def _changed(self, answers: dict[str, Array]) -> list[str]:
        """Whether what the bundle answers to its golden inputs is what the project's model answers now."""
        if self.left is None or self.left.bundle.manifest.profile != self.order.profile.id:
            return []
        manifest, bundle = self.left.bundle.manifest, self.left.bundle
        for spec in manifest.signature.outputs:
            golden = _array(bundle, f"golden/outputs/{spec.name}.npy")
            if golden is None or spec.name not in answers or golden.shape != answers[spec.name].shape:
                return [f"the project's model does not give the outputs of '{bundle.path.name}': build it again"]
            if spec.affine:
                golden = (golden.astype(np.float64) - spec.affine.zero_point) * spec.affine.scale
            near = sqnr_db(golden, answers[spec.name])
            if not near >= SAME_DB:
                return [
                    f"the project's model has changed since '{bundle.path.name}' was built: its golden answers are "
                    f"{near:.1f} dB from the model's of now. This is about the model of now: build it again"
                ]
        return []

    def _search(self, outcome: Outcome) -> Found:
        from edgekit.passes.mixed import Judge, Limits, held_out, search

        recipe, tensors = self._recipe, self._tensors(self._calibration)
        labels = self._calibration.samples.labels
        calibrating, judging = held_out(labels)
        judge = Judge(
            self._program,
            [tensors[i] for i in judging],
            labels[judging] if labels.ndim == 1 and labels.dtype.kind == "i" else None,
        )
        limits = Limits(outcome.agreement_min, outcome.accuracy_drop_max)
        evaluations = (recipe.mixed or Mixed()).evaluations
        with self.line.stage("mixed precision"):
            used = [tensors[i] for i in calibrating]
            return search(self._program, recipe, self._quantization, used, judge, limits, evaluations)


def _bundle_in(folder: Path) -> Path:
    found = sorted(folder.glob("*.edgekit"))
    if not found:
        deeper = sorted(folder.glob("*/*.edgekit"))
        hint = f"edgekit diagnose '{deeper[0].parent}'" if deeper else "edgekit build leaves one in --out"
        raise DataError(f"there is no bundle in '{folder}'", hint=hint)
    if len(found) > 1:
        raise DataError(f"there are {len(found)} bundles in '{folder}'", hint=f"edgekit diagnose '{found[0]}'")
    return found[0]


def _reports(folder: Path) -> tuple[Report, ...]:
    path = folder / "report.json"
    return record.read(path) if path.is_file() else ()


def _profile(path: Path, manifest: Manifest) -> Profile | None:
    """The recipe beside the report, if it is of that bundle."""
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read: {error}", hint="edgekit build writes it anew") from error
    profile = parse(Profile, values, str(path))
    return profile if profile.id == manifest.profile else None


def _of_profile(change: str) -> bool:
    return change.startswith("profile.")


def _array(bundle: Bundle, name: str) -> Array | None:
    if name not in {file.path for file in bundle.manifest.files}:
        return None
    values: Array = np.load(io.BytesIO(bundle.read(name)), allow_pickle=False)
    return values

"""Order → what rounding does to each of its layers, what that means, and what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from edgekit import plugins
from edgekit.errors import Misfit
from edgekit.ir.layers import Layer
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.parity.diagnose import Diagnosis, diagnose
from edgekit.parity.outcome import NetworkOutcome
from edgekit.parity.pruning_diagnosis import pruning
from edgekit.parity.statistics import paired_bootstrap, wilson
from edgekit.pipeline.build_output import BuildOutput
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.mixed_precision import searched
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.specs.compression import Mixed, Quantize
from edgekit.specs.profile import Profile

if TYPE_CHECKING:
    from edgekit.passes.base import Sample
    from edgekit.passes.quantization.quantize import Quantization
    from edgekit.passes.sensitivity.mixed_precision import MixedPrecisionResult

CONFIDENCE = 0.95
CHECKED = 256
"""Evaluation samples on which the whole network is looked at: stratified, and a minute at the most."""
CHANGED = 32
"""Of these, samples on which a pruned network is held against the original, module by module."""
DROP = 0.01
"""Accuracy that pruning may cost where the profile says nothing of it."""


@dataclass(frozen=True)
class Examined:
    """What was found out about one order."""

    order: BuildRequest
    layers: tuple[Layer, ...]
    outcome: NetworkOutcome
    diagnosis: Diagnosis
    warnings: tuple[str, ...]
    """What must be known before the numbers are believed."""
    found: MixedPrecisionResult | None
    """What a search for layers to leave in float came to, if one was asked for."""
    pruned: Diagnosis | None = None
    """What pruning cost, where the profile prunes."""

    @property
    def profile(self) -> Profile:
        """The profile with what the search found written into it."""
        if self.found is None:
            return self.order.profile
        return self.order.profile.model_copy(update={"quantize": self.found.recipe})


@dataclass(frozen=True)
class Examination:
    """An order, and the data to look at it with."""

    order: BuildRequest
    line: StageRunner
    left: BuildOutput | None = None

    def examine(self, search: bool) -> Examined:
        """Measure every layer, say what is wrong; with `search`, find the fewest layers to leave in float.

        Raises Misfit for a profile without static quantization, DataError and PassError for data that do not do.
        """
        from edgekit.passes.sensitivity.analysis import analyse

        recipe, data = self._recipe, self._evaluation
        golden = self._golden
        with self.line.stage("sensitivity"):
            checks = [*golden, *self._tensors(data)]
            found = analyse(self._program, recipe, self._quantization, self._tensors(self._calibration), checks)
        count = len(golden)
        floats, rounded = ({n: o[count:] for n, o in self._named(side)} for side in (found.floats, found.rounded))
        outcome, notes = self._outcome(floats, rounded, data.samples.labels)
        answers = {name: values[:count] for name, values in self._named(found.rounded)}
        warnings = [*notes, *(self.left.changed(answers) if self.left else ())]
        diagnosis = diagnose(found.layers, recipe, outcome)
        searched = self._search(outcome) if search else None
        pruned = self._pruned(floats, data)
        return Examined(self.order, found.layers, outcome, diagnosis, tuple(warnings), searched, pruned)

    def _pruned(self, floats: dict[str, Array], data: CachedData) -> Diagnosis | None:
        """What pruning and recovery cost, in float; None where the profile does not prune. floats: [N, …] an output."""
        from edgekit.passes.pruning.layer_changes import changes, first_output

        compressed = self._compilation.compressed
        if "prune" not in compressed.stages:
            return None
        original, samples = self._compilation.network.model.module, self._tensors(data)
        metric, gate = plugins.load("metrics", self.order.project.model.task)(), self.order.profile.gates.accuracy_drop
        first, answers = next(iter(floats.items()))
        before = {first: np.concatenate([first_output(original, sample) for sample in samples])}
        labels = data.samples.labels
        drop = float(np.mean(metric.scores(before, labels)) - np.mean(metric.scores({first: answers}, labels)))
        allowed = gate.max if gate and gate.max is not None else DROP
        return pruning(changes(original, compressed.model.module, samples[:CHANGED]), drop, allowed)

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
    def _calibration(self) -> CachedData:
        return self._compilation.calibration

    @cached_property
    def _evaluation(self) -> CachedData:
        return CachedData(self.order.project, self.line, "evaluation", CHECKED)

    def _quantization(self, recipe: Quantize) -> Quantization:
        return self.order.backend().quantization(recipe, self.order.runtime)

    def _tensors(self, data: CachedData) -> list[Sample]:
        from edgekit.frontend.load import batches

        return batches(data.samples, self.order.project)

    def _named(self, outputs: Sequence[Array]) -> list[tuple[str, Array]]:
        return [(spec.name, values) for spec, values in zip(self._program.signature.outputs, outputs, strict=True)]

    def _outcome(
        self, floats: dict[str, Array], rounded: dict[str, Array], labels: Array
    ) -> tuple[NetworkOutcome, tuple[str, ...]]:
        """How the network does: by what the report says of the file that was built, or else by the simulation."""
        metric = plugins.load("metrics", self.order.project.model.task)()
        metric.check(floats, labels)
        alike = float(np.mean(metric.answers(floats) == metric.answers(rounded)))
        drop = paired_bootstrap(metric.scores(floats, labels) - metric.scores(rounded, labels), CONFIDENCE)
        outcome = NetworkOutcome(alike, drop.value, len(labels), accuracy_drop_low=drop.low)
        report, notes = self.left.report if self.left else None, []
        if report:
            bounds, count = report.accuracy_drop_bounds, report.candidate.samples
            outcome = NetworkOutcome(report.agreement, report.accuracy_drop, count, accuracy_drop_low=bounds.low)
            if abs(report.agreement - alike) > 0.05:
                notes.append(
                    f"the file that was built agreed on {report.agreement:.1%} of {count} samples, the simulation of "
                    f"it on {alike:.1%} of {len(labels)}: what differs is the backend's arithmetic"
                )
        high = wilson(outcome.agreement, outcome.samples, 2 * CONFIDENCE - 1).high
        gates = self.order.profile.gates
        if gates.agreement and gates.agreement.min is not None:
            outcome = replace(outcome, agreement_min=gates.agreement.min)
        if gates.accuracy_drop and gates.accuracy_drop.max is not None:
            outcome = replace(outcome, accuracy_drop_max=gates.accuracy_drop.max)
        return replace(outcome, agreement_high=high, training=self._training), tuple(notes)

    @property
    def _training(self) -> str | None:
        """The option that calibrates with the project's training data, if that is other data and named the same way."""
        training, calibration = self.order.project.data.training, self.order.project.data.calibration
        if training is None or calibration is None:
            return None
        for name in ("loader", "path"):
            now, then = getattr(training, name), getattr(calibration, name)
            if now and then and now != then:
                return f"project.data.calibration.{name}={now}"
        return None

    @property
    def _golden(self) -> list[Sample]:
        import torch

        if self.left is None:
            return []
        columns = [torch.from_numpy(values) for values in self.left.golden(self._program.signature.inputs)]
        return [tuple(column[i : i + 1] for column in columns) for i in range(len(columns[0]))]

    def _search(self, outcome: NetworkOutcome) -> MixedPrecisionResult:
        from edgekit.passes.sensitivity.mixed_precision import Limits

        limits = Limits(outcome.agreement_min, outcome.accuracy_drop_max)
        with self.line.stage("mixed precision"):
            return searched(self._compilation, limits, (self._recipe.mixed or Mixed()).evaluations)

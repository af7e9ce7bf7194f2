"""Order → the loss of each layer by quantization, its cause, and what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from edgekit.errors import Misfit
from edgekit.ir.layers import Layer
from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted
from edgekit.ir.program import Program
from edgekit.parity.diagnose import Diagnosis, diagnose
from edgekit.parity.network_outcome import NetworkOutcome
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.parity.pruning_diagnosis import pruning
from edgekit.parity.statistics.proportions import wilson
from edgekit.pipeline.build_output import BuildOutput
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.mixed_precision import searched
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.pipeline.stages.temperature import settled_temperature
from edgekit.specs.compression import Mixed, Quantize
from edgekit.specs.profile import Profile
from edgekit.tasks.label_arrays import is_labelled, unlabelled
from edgekit.tasks.registry import task_of

if TYPE_CHECKING:
    from edgekit.passes.base import Sample
    from edgekit.passes.quantization.quantize import Quantization
    from edgekit.passes.sensitivity.mixed_precision import MixedPrecisionResult

CONFIDENCE = 0.95
CHECKED = 256
"""Number of evaluation samples that the whole network is examined on: stratified, and a minute at the most."""
CHANGED = 32
"""Number of samples, of `CHECKED`, on which a pruned network is compared with the original, module by module."""
DROP = 0.01
"""Default accuracy drop that pruning may cost."""


@dataclass(frozen=True)
class Examined:
    """Result of examining one request."""

    request: BuildRequest
    layers: tuple[Layer, ...]
    outcome: NetworkOutcome
    diagnosis: Diagnosis
    warnings: tuple[str, ...]
    """Warnings about the numbers, each a sentence."""
    search: MixedPrecisionResult | None
    """Result of the search for layers to leave in float; None without a search."""
    pruned: Diagnosis | None = None
    """Diagnosis of the pruning; None where the profile does not prune."""

    @property
    def profile(self) -> Profile:
        """Profile of the request, with the recipe that the search came to."""
        if self.search is None:
            return self.request.profile
        return self.request.profile.model_copy(update={"quantize": self.search.recipe})


@dataclass(frozen=True)
class Examination:
    """Examination of a request; `build_output` is the build that it is about, if it was built."""

    request: BuildRequest
    line: StageRunner
    build_output: BuildOutput | None = None

    def examine(self, search: bool) -> Examined:
        """Measure every layer and diagnose the network; with `search`, also find the fewest layers to leave in float.

        Raises Misfit for a profile without static quantization, DataError and PassError for data that cannot be used.
        """
        from edgekit.passes.sensitivity.analysis import analyse

        recipe, data = self._recipe, self._evaluation
        golden = self._golden
        with self.line.stage("sensitivity"):
            checks = [*golden, *self._tensors(data)]
            analysis = analyse(self._program, recipe, self._quantization, self._tensors(self._calibration), checks)
        count = len(golden)
        floats, rounded = ({n: o[count:] for n, o in self._named(side)} for side in (analysis.floats, analysis.rounded))
        # Of sequences single steps are examined, each from the float network's state; steps have no labels here.
        steps = self._program.signature.state
        labels = unlabelled(len(checks)) if steps else data.samples.labels
        outcome, notes = self._outcome(floats, rounded, labels)
        answers = {name: values[:count] for name, values in self._named(analysis.rounded)}
        warnings = [*notes, *(self.build_output.changed(answers) if self.build_output and not steps else ())]
        diagnosis = diagnose(analysis.layers, recipe, outcome)
        searched = self._search(outcome) if search else None
        pruned = self._pruned(floats, data)
        return Examined(self.request, analysis.layers, outcome, diagnosis, tuple(warnings), searched, pruned)

    def _pruned(self, floats: dict[str, Array], data: CachedData) -> Diagnosis | None:
        """Diagnose pruning and recovery, in float; None where the profile does not prune. floats: [N, …] an output."""
        from edgekit.passes.pruning.layer_changes import changes, outputs

        compressed = self._compilation.compressed
        if self.request.profile.prune is None:
            return None
        original, samples = self._compilation.network.model.module, self._tensors(data)
        gate = self.request.profile.gates.accuracy_drop
        columns = zip(*(outputs(original, sample) for sample in samples), strict=True)
        before = {name: np.concatenate(column) for name, column in zip(floats, columns, strict=True)}
        compared = self._compared(before, floats, data.samples.labels)
        allowed = gate.max if gate and gate.max is not None else DROP
        lost = compared.accuracy_drop or 0.0
        return pruning(
            changes(original, compressed.model.module, samples[:CHANGED]), lost, allowed, compared.metric.unit
        )

    @property
    def _recipe(self) -> Quantize:
        recipe, profile = self.request.profile.quantize, self.request.profile
        if recipe is None or recipe.mode != "static":
            raise Misfit(
                f"profile '{profile.id}' is {profile.precision}: only static quantization has ranges to look into",
                hint="edgekit profiles lists those in int8: --profile ID",
            )
        return recipe

    @cached_property
    def _compilation(self) -> Compilation:
        return Compilation(settled_temperature(self.request, self.line), self.line)

    @cached_property
    def _program(self) -> Program:
        from edgekit.frontend.store import load_program

        return load_program(self._compilation.captured)

    @property
    def _calibration(self) -> CachedData:
        return self._compilation.calibration

    @cached_property
    def _evaluation(self) -> CachedData:
        return CachedData(self.request.project, self.line, "evaluation", CHECKED)

    def _quantization(self, recipe: Quantize) -> Quantization:
        return self.request.backend().quantization(recipe, self.request.runtime)

    def _tensors(self, data: CachedData) -> list[Sample]:
        from edgekit.frontend.sequences import program_arguments

        return program_arguments(self._program, data.samples, padded=True)

    def _named(self, outputs: Sequence[Array]) -> list[tuple[str, Array]]:
        """Outputs that are answers, by name."""
        signature = self._program.signature
        pairs = zip(signature.outputs, outputs, strict=True)
        return [(spec.name, values) for spec, values in pairs if spec in signature.reported]

    def _compared(self, reference: dict[str, Array], candidate: dict[str, Array], labels: Array) -> PairedAnswers:
        """Compare outputs [N, …] by name. Raises DataError if the task cannot score them."""
        task = task_of(self.request.project)
        task.check(reference, labels if is_labelled(labels) else None)
        return PairedAnswers.of(task.answers(reference), task.answers(candidate), labels, task)

    def _outcome(
        self, floats: dict[str, Array], rounded: dict[str, Array], labels: Array
    ) -> tuple[NetworkOutcome, tuple[str, ...]]:
        """Agreement and accuracy drop of the whole network, from the build's report, or else from the simulation."""
        compared = self._compared(floats, rounded, labels)
        alike, drop = compared.agreement, compared.drop_at(CONFIDENCE)
        outcome = NetworkOutcome(
            alike, drop.value if drop else None, len(labels), accuracy_drop_low=drop.low if drop else None
        )
        report, notes = self.build_output.report if self.build_output else None, []
        if report:
            bounds, count = report.accuracy_drop_bounds, report.candidate.samples
            low = bounds.low if bounds else None
            outcome = NetworkOutcome(report.agreement, report.accuracy_drop, count, accuracy_drop_low=low)
            if abs(report.agreement - alike) > 0.05 and not self._program.signature.state:
                notes.append(
                    f"the file that was built agreed on {report.agreement:.1%} of {counted(count, 'sample')}, the "
                    f"simulation of it on {alike:.1%} of {len(labels)}: what differs is the backend's arithmetic"
                )
        high = wilson(outcome.agreement, outcome.samples, 2 * CONFIDENCE - 1).high
        gates = self.request.profile.gates
        if gates.agreement and gates.agreement.min is not None:
            outcome = replace(outcome, agreement_min=gates.agreement.min)
        if gates.accuracy_drop and gates.accuracy_drop.max is not None:
            outcome = replace(outcome, accuracy_drop_max=gates.accuracy_drop.max)
        return replace(outcome, agreement_high=high, training=self._training, unit=compared.metric.unit), tuple(notes)

    @property
    def _training(self) -> str | None:
        """Override that calibrates with the project's training data; None if it calibrates with them, or has none."""
        training, calibration = self.request.project.data.training, self.request.project.data.calibration
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

        if self.build_output is None or self._program.signature.state:
            return []
        columns = [torch.from_numpy(values) for values in self.build_output.golden(self._program.signature.inputs)]
        return [tuple(column[i : i + 1] for column in columns) for i in range(len(columns[0]))]

    def _search(self, outcome: NetworkOutcome) -> MixedPrecisionResult:
        from edgekit.passes.sensitivity.judge import Limits

        limits = Limits(outcome.agreement_min, outcome.accuracy_drop_max)
        with self.line.stage("mixed precision"):
            compilation, evaluations = self._compilation, (self._recipe.mixed or Mixed()).evaluations
            data = compilation.calibration.samples
            return searched(compilation.request, compilation.captured, data, limits, evaluations)

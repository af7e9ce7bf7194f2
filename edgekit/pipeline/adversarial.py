"""Adversarial sensitivity: evaluation samples changed against the float network, asked of both endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgekit.cache import digest_of
from edgekit.errors import PassError
from edgekit.parity.adversarial import AdversarialSensitivity, AttackRecord, attack_record
from edgekit.parity.compare import compare
from edgekit.pipeline.both_endpoints import BothEndpoints
from edgekit.pipeline.stages.compile import Compilation
from edgekit.sample_sets import SampleSet
from edgekit.samples import Samples
from edgekit.stratification import spread
from edgekit.tasks.classification import Classification
from edgekit.tasks.label_arrays import is_labelled

if TYPE_CHECKING:
    from edgekit.passes.adversarial.attacks import Attack
    from edgekit.passes.adversarial.white_box import InputRange, WhiteBox

STAGE = "adversarial"
EPSILONS = (2 / 255, 8 / 255)
"""Largest changes, as shares of the input's range: 2 and 8 levels of 255, as are usual for pictures."""
PGD_STEPS = 10
ATTACKED = 500
"""Evaluation samples that are changed, at most."""
FEWEST = 32
WORK = 2e12
"""Multiply-accumulates that the attacks may take, forward and backward: a minute or two on two cores."""
CLEAN = "none"


def adversarial_sensitivity(
    compilation: Compilation, both: BothEndpoints | None, samples: Samples | None
) -> AdversarialSensitivity | None:
    """Attack evaluation samples, and compare both endpoints on them; None where no gate asks for it.

    A network that cannot be attacked has the reason in the record. Raises what the endpoints do.
    """
    if compilation.request.profile.gates.adversarial_drop is None or both is None or samples is None:
        return None
    from edgekit.passes.adversarial.white_box import WhiteBox

    try:
        network = WhiteBox.of(compilation.network.model)
        bounds = network.bounds(samples)
        if bounds.width == 0:
            raise PassError("all inputs are one value")
        attacks = _attacks(network, bounds)
        chosen = _labelled(network, samples.take(spread(len(samples), _count(network, samples, bounds, attacks))))
        records = dict(_records(compilation, both, network, chosen, bounds, attacks))
    except PassError as error:
        return AdversarialSensitivity(reason=str(error))
    return AdversarialSensitivity(
        input=network.name,
        low=bounds.low,
        high=bounds.high,
        whole_numbers=network.whole_numbers,
        clean=records[CLEAN],
        attacks=tuple(record for name, record in records.items() if name != CLEAN),
    )


def _attacks(network: WhiteBox, bounds: InputRange) -> tuple[Attack, ...]:
    """FGSM and PGD of each size; sizes of whole numbers are at least 1, and each is there once."""
    from edgekit.passes.adversarial.attacks import Attack

    sizes = [share * bounds.width for share in EPSILONS]
    if network.whole_numbers:
        sizes = [float(max(1, round(size))) for size in sizes]
    return tuple(Attack(size, steps) for size in dict.fromkeys(sizes) for steps in (1, PGD_STEPS))


def _count(network: WhiteBox, samples: Samples, bounds: InputRange, attacks: tuple[Attack, ...]) -> int:
    """Number of samples that the work of all attacks allows."""
    import torch

    from edgekit.passes.pruning.compute_cost import macs

    one = torch.from_numpy(network.raw(network.values(samples.take([0])), bounds))
    cost = 3 * macs(network.model.module, (one,))[""] * sum(attack.steps for attack in attacks)
    return min(len(samples), ATTACKED, max(FEWEST, int(WORK / max(cost, 1.0))))


def _labelled(network: WhiteBox, samples: Samples) -> Samples:
    """Samples with the classes that they are attacked away from: their labels, or else the network's answers."""
    if is_labelled(samples.labels):
        return samples
    return replace(samples, labels=network.answers(network.values(samples)).numpy().astype(np.int64))


def _records(
    compilation: Compilation,
    both: BothEndpoints,
    network: WhiteBox,
    samples: Samples,
    bounds: InputRange,
    attacks: tuple[Attack, ...],
) -> Iterator[tuple[str, AttackRecord]]:
    """Name and record of each attack, and of the samples unchanged."""
    by_name = {f"{attack.name} {attack.epsilon:g}": attack for attack in attacks}
    known = [compilation.network.key, samples.digest, bounds.low, bounds.high]
    sets = [SampleSet(CLEAN, lambda: samples, samples.digest)]
    for name, attack in by_name.items():
        identity = digest_of([STAGE, *known, attack.epsilon, attack.steps])
        sets.append(SampleSet(name, _changed(network, samples, attack, bounds), identity))
    task = Classification()
    for pair in both.ask(sets, STAGE):
        compared = compare(pair.reference, pair.candidate, task)
        attack_made = by_name.get(pair.name)
        title, epsilon = (attack_made.name, attack_made.epsilon) if attack_made else (CLEAN, 0.0)
        yield pair.name, attack_record(title, epsilon, epsilon / bounds.width, compared)


def _changed(network: WhiteBox, samples: Samples, attack: Attack, bounds: InputRange) -> Callable[[], Samples]:
    """Function that makes the samples of an attack, when their turn comes."""

    def make() -> Samples:
        import torch

        from edgekit.passes.adversarial.attacks import attacked

        labels = torch.from_numpy(np.asarray(samples.labels, np.int64))
        values = attacked(network, network.values(samples), labels, attack, bounds)
        return replace(samples, inputs={network.name: network.raw(values, bounds)})

    return make

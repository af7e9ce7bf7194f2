"""Registry: which perturbations fit which inputs, and what is said where none does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import Misfit
from edgekit.perturb.draws import Draws
from edgekit.perturb.input_domain import InputDomain, Kind
from edgekit.perturb.perturbation import Family, Perturbation
from edgekit.perturb.registry import PERTURBATIONS, perturbation_plan
from edgekit.samples import Samples
from edgekit.specs.inputs import Input

SERIES = Input.model_validate({"shape": [4], "signal": "series"})


@dataclass(frozen=True)
class Gain:
    name: str = "gain"
    family: Family = "natural"
    kind: Kind = "series"
    severities: tuple[int, ...] = (1, 2)
    version: int = 1
    parameters: str = "half, a quarter"

    def unfit(self, samples: Samples, domain: InputDomain) -> str | None:
        return "it is silent" if not samples.inputs[domain.name].any() else None

    def apply(self, samples: Samples, domain: InputDomain, severity: int, draws: Draws) -> Samples:
        quieter = samples.inputs[domain.name] / np.float32(2**severity)
        return replace(samples, inputs={**samples.inputs, domain.name: quieter})


def waves(level: float = 1.0) -> Samples:
    return Samples({"wave": np.full((3, 4), level, np.float32)}, np.arange(3))


def domain(spec: Input = SERIES) -> InputDomain:
    return InputDomain("wave", spec, Path())


def test_each_severity_is_a_set_with_a_name_and_an_identity_of_its_own() -> None:
    chosen = perturbation_plan(waves(), [domain()], ["natural"], [Gain()])
    sets = chosen.sets(waves())
    assert [each.name for each in sets] == ["gain 1 of wave", "gain 2 of wave"]
    assert [float(each.make().inputs["wave"][0, 0]) for each in sets] == [0.5, 0.25]
    assert len({each.identity for each in sets}) == 2
    changed = perturbation_plan(waves(), [domain()], ["natural"], [Gain(version=2)])
    assert changed.digest != chosen.digest


def test_a_family_that_nothing_fits_is_told_with_what_there_is() -> None:
    with pytest.raises(Misfit, match="'wave' holds series") as told:
        perturbation_plan(waves(), [domain()], ["shift"], [Gain()])
    assert told.value.hint == "--robustness natural"


def test_the_reason_of_a_perturbation_that_does_not_fit_is_told() -> None:
    with pytest.raises(Misfit, match="it is silent"):
        perturbation_plan(waves(0.0), [domain()], ["natural"], [Gain()])
    both: list[Perturbation] = [Gain(), Gain(name="noise")]
    assert perturbation_plan(waves(), [domain()], ["natural"], both).unfit == ()


def test_a_part_of_a_set_has_the_perturbations_that_fit_the_part() -> None:
    mixed = Samples({"wave": np.array([[0.0] * 4, [1.0] * 4], np.float32)}, np.arange(2))
    whole = perturbation_plan(mixed, [domain()], ["natural"], [Gain()])
    assert whole.among(mixed.take([1])) == whole
    with pytest.raises(Misfit, match="'gain': it is silent, among the 1 that are perturbed") as told:
        whole.among(mixed.take([0]))
    assert told.value.hint is not None
    assert "robustness.samples" in told.value.hint


def test_the_domain_of_an_input_is_read_off_its_statement() -> None:
    picture = {"shape": [1, 8, 8], "preprocess": {"from": "uint8 NHWC", "scale": 0.0625}}
    assert domain(Input.model_validate(picture)).kind == "pictures"
    assert domain(Input.model_validate(picture)).white == 16
    picture["preprocess"] = {"from": "uint8 NHWC", "scale": 1 / 255}
    assert domain(Input.model_validate(picture)).white == 255
    assert domain(Input.model_validate({"shape": [4], "dtype": "int64"})).kind is None


def test_names_of_perturbations_are_unique() -> None:
    names = [each.name for each in PERTURBATIONS]
    assert len(set(names)) == len(names)

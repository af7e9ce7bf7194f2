"""Trial of a project that was just written: its network answers samples, once for each preprocessing in question.

Files of weights do not say how pictures were normalized for training. Labels do: with the wrong normalization a network
is right less often.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.errors import ScaffoldError
from edgekit.samples import Samples, load_samples
from edgekit.scaffold.draft import Draft
from edgekit.scaffold.weight_shapes import WeightShapes, read_weight_shapes
from edgekit.specs import override
from edgekit.specs.override import Override
from edgekit.specs.project import Project

if TYPE_CHECKING:
    from edgekit.frontend.load import Model

SAMPLES = 100
"""Samples that are tried: differences of normalization are tens of points."""
LEAST_SAMPLES = 20
BUDGET_S = 20.0
"""Seconds that the answers of all preprocessings may take together: large networks answer fewer samples."""
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
HALF = {"mean": [0.5], "std": [0.5]}
NAMES = ("pixels from 0 to 1", "mean and std of ImageNet", "pixels from -1 to 1", "pixels from 0 to 255")
FEW = 2
"""Samples that another preprocessing must answer beyond one that comes before it: fewer are chance."""
MARGIN = 0.02
"""Share of answers by which another preprocessing must be better than one that comes before it."""


@dataclass(frozen=True)
class PreprocessScore:
    """Preprocessing that was tried, and the share of right answers with it; None where nothing is labelled."""

    preprocess: dict[str, Any] | None
    name: str
    accuracy: float | None
    count: int


@dataclass(frozen=True)
class PreprocessTrial:
    """Preprocessings that were tried, the best first, and the shapes of the network's tensors by name."""

    answered: tuple[PreprocessScore, ...]
    shapes: Mapping[str, tuple[int, ...]]

    def takes(self, weights: WeightShapes) -> bool:
        """True if the network's `load_state_dict` takes these weights as they are."""
        return weights.plain and dict(self.shapes) == dict(weights.shapes)


def try_project(project: Project) -> PreprocessTrial:
    """Answer samples of a project by its float network, once for each preprocessing.

    Raises what loading the project's network and its samples raises, and ScaffoldError if the network gives another
    number of classes than the samples have.
    """
    from edgekit.frontend.load import load

    name = next(iter(project.inputs))
    samples: dict[str, Samples] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    tried = []
    count = SAMPLES
    choices = list(_choices(project, name))
    for preprocess, words in choices:
        changes = [Override("project", ("inputs", name, "preprocess"), preprocess)] if preprocess else []
        variant = override.apply(project, "project", changes)
        model = load(variant)
        steps = repr(variant.inputs[name].steps)
        if not samples:
            few = load_samples(variant, "evaluation", LEAST_SAMPLES)
            _accuracy(variant, model, few)  # the first answers of a process take longer
            began = time.perf_counter()
            _accuracy(variant, model, few)
            each_s = (time.perf_counter() - began) / len(few)
            count = int(max(LEAST_SAMPLES, min(SAMPLES, BUDGET_S / len(choices) / each_s)))
        if steps not in samples:
            samples[steps] = load_samples(variant, "evaluation", count)
        accuracy = _accuracy(variant, model, samples[steps])
        tried.append(PreprocessScore(preprocess, words, accuracy, len(samples[steps])))
        shapes = {key: tuple(value.shape) for key, value in model.module.model.state_dict().items()}
    least = max(each.accuracy or 0.0 for each in tried) - max(MARGIN, FEW / count)
    best = next(each for each in tried if (each.accuracy or 0.0) >= least)  # the first of those that are as good
    return PreprocessTrial((best, *(each for each in tried if each is not best)), shapes)


def _choices(project: Project, name: str) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """Preprocessings that may be meant; one alone where the samples are no pictures, or have no labels."""
    stated = project.inputs[name].preprocess
    if stated is None:
        yield None, "as they are"
        return
    plain = {"from": "uint8 NHWC", **_geometry(project, name, crop=False)}
    channels = project.inputs[name].shape[0]
    normal: list[dict[str, Any]] = [
        {"scale": 1 / 255},
        {"scale": 1 / 255, **(IMAGENET if channels == 3 else {"mean": [0.1307], "std": [0.3081]})},
        {"scale": 1 / 255, **HALF},
        {"scale": 1.0},
    ]
    names = NAMES if channels == 3 else (NAMES[0], "mean and std of MNIST", *NAMES[2:])
    if not project.data.evaluation.labelled or project.model.task != "classification":
        yield {**plain, **normal[0]}, names[0]
        return
    for each, words in zip(normal, names, strict=True):
        yield {**plain, **each}, words
    if stated.resize:
        cropped = {"from": "uint8 NHWC", **_geometry(project, name, crop=True)}
        for each, words in zip(normal, names, strict=True):
            yield {**cropped, **each}, f"{words}, the shorter side resized and the middle cut out"


def _geometry(project: Project, name: str, crop: bool) -> dict[str, Any]:
    stated = project.inputs[name].preprocess
    if stated is None or stated.resize is None:
        return {}
    height, width = project.inputs[name].shape[1:]
    if not crop:
        return {"resize": {"size": [height, width], "kernel": "bilinear"}}
    return {"resize": {"shorter": round(min(height, width) * 256 / 224), "kernel": "bilinear"}, "crop": [height, width]}


def _accuracy(project: Project, model: Model, samples: Samples) -> float | None:
    from edgekit.datasets.classes import class_names
    from edgekit.frontend.eager import Eager

    outputs = next(iter(Eager(lambda: model).measure(samples, None).outputs.values()))
    if project.model.task != "classification" or not project.data.evaluation.labelled:
        return None
    classes = class_names(project)
    if outputs.ndim != 2 or outputs.shape[1] != len(classes):
        raise ScaffoldError(
            f"the network answers {list(outputs.shape[1:])} numbers a sample, the data have {len(classes)} classes: "
            f"{', '.join(classes[:5])}{', …' if len(classes) > 5 else ''}",
            hint="give it the samples that it was trained for: edgekit init --data FOLDER, with one folder a class",
        )
    return float(np.mean(outputs.argmax(1) == samples.labels))


def completed(draft: Draft, trial: PreprocessTrial) -> Draft:
    """Complete a draft by the preprocessing that did best, and by the lines that load weights which need no change."""
    best = trial.answered[0].preprocess
    draft = replace(draft, preprocess=best) if best else draft
    weights = read_weight_shapes(draft.model.path) if draft.model and draft.model.is_weights else None
    return replace(draft, plain_weights=weights is not None and trial.takes(weights))


def sentences(tried: Sequence[PreprocessScore], classes: int) -> list[str]:
    """Say what the trial showed, the chosen preprocessing first."""
    best = tried[0]
    if best.accuracy is None:
        return [f"tried: the network answers {best.count} samples; without classes nothing says how often it is right"]
    words = [f"tried: right on {best.accuracy:.0%} of {best.count} samples with {best.name}"]
    others = sorted(tried[1:], key=lambda each: -(each.accuracy or 0))
    if others:
        most = others[0].accuracy or 0.0
        words[0] += f"; at most {most:.0%} with {len(others)} others"
        words[0] += ", which so few samples do not tell apart" if most > best.accuracy else ""
    if best.accuracy < 2 / max(classes, 2):
        words.append(
            "that is little: does the network take another size (--size), were the classes trained in another order, "
            "or pictures prepared otherwise? `[model] classes` and `preprocess` in edgekit.toml say how"
        )
    return words

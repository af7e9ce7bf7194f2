"""predict(): answers of a bundle, or of what a device serves, to single pictures, beside those of the float network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.bundle.manifest import Manifest
from edgekit.bundle.manifest_records import InputProcessing
from edgekit.datasets.pictures import read_picture
from edgekit.errors import DataError, SampleUnfit
from edgekit.ir.measurement import Array, Environment
from edgekit.ir.signature import TensorSpec
from edgekit.measure.device.installed_bundle import Installed
from edgekit.pipeline.probe import Subject, subject
from edgekit.runner.errors import RunnerError
from edgekit.runner.processing.steps import process
from edgekit.samples import Samples
from edgekit.specs.project import Project
from edgekit.tasks.class_scores import ClassScores, form_of, refusal, whole_samples
from edgekit.tasks.label_arrays import unlabelled

OTHERS = "edgekit probe BUNDLE --device NAME --inputs FILE.npz, with an array for each input"


@dataclass(frozen=True)
class ClassShare:
    """Class, and the probability that an endpoint gives it; None where its output holds no scores."""

    name: str
    probability: float | None


@dataclass(frozen=True)
class Prediction:
    """Answers to one picture, the likeliest class first."""

    file: str
    candidate: tuple[ClassShare, ...]
    reference: tuple[ClassShare, ...] = ()
    """Answers of the float network; empty where there is no project of that name."""
    values: tuple[tuple[str, Array], ...] = ()
    """Outputs by name, without the batch axis, of a model that gives no classes."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of one model, and where it ran."""

    model: str
    place: str
    """Machine and runtime."""
    pictures: tuple[Prediction, ...]
    reference: bool


def predict(
    device: str,
    bundle: Path | None,
    files: Sequence[Path],
    project: Project | None = None,
    runtime: str | None = None,
    top: int = 3,
) -> Predictions:
    """Answer pictures by a bundle on a device, or by what that serves, and by the project's float network, if given.

    Pictures are prepared as the bundle's manifest states. Raises DataError for a model that takes no picture, or for a
    project of another model, PictureError for a file that is none, SampleUnfit, and what `subject` raises.
    """
    manifests: list[Manifest] = []
    with subject(device, bundle, runtime, check=manifests.append) as on_device:
        manifest = manifests[0]
        spec = _picture_input(manifest)
        samples = Samples({spec.name: _pixels(files, manifest, spec)}, unlabelled(len(files)))
        measured = Installed(on_device.installation).measure(samples, None)
        outputs = {name: np.asarray(array) for name, array in measured.outputs.items()}
    references = _references(project, manifest, samples) if project else None
    classes = manifest.classes if manifest.task == "classification" else ()
    return Predictions(
        f"{manifest.name}, {manifest.precision}, {manifest.backend}",
        _place(on_device, measured.environment),
        tuple(_prediction(i, path, outputs, references, classes, top) for i, path in enumerate(files)),
        references is not None,
    )


def _picture_input(manifest: Manifest) -> TensorSpec:
    sampled = manifest.signature.sampled
    first = sampled[0]
    pictures = first.dtype == "uint8" and len(first.shape) == 4 and first.shape[-1] in (1, 3)
    if len(sampled) != 1 or not pictures or manifest.signature.state:
        takes = ", ".join(map(str, sampled))
        raise DataError(f"'{manifest.name}' takes {takes}, and no single picture", hint=OTHERS)
    return first


def _pixels(files: Sequence[Path], manifest: Manifest, spec: TensorSpec) -> Array:
    """Pixels of every picture as the model takes them, uint8 [N, height, width, channels]."""
    processing = manifest.processing.get(spec.name)
    if processing is not None and not isinstance(processing, InputProcessing):
        raise DataError(f"'{manifest.name}' prepares '{spec.name}' by a function of its own", hint=OTHERS)
    rows = []
    for path in files:
        shape = (0, 0, processing.channels) if processing else tuple(map(int, spec.shape[1:]))
        pixels = read_picture(path, shape, f"'{path.name}'").pixels
        try:
            rows.append(process(processing.steps, pixels) if processing else pixels)
        except RunnerError as error:
            raise SampleUnfit(
                f"'{path.name}': {error}", hint="docs/preprocessing.md says what each step takes"
            ) from error
    return np.stack(rows)


def _references(project: Project, manifest: Manifest, samples: Samples) -> Array:
    """First output of the float network for the same pixels, [N, …]. Raises DataError for another model's project."""
    from edgekit.frontend.eager import Eager
    from edgekit.frontend.load import load

    if project.name != manifest.name or len(project.inputs) != 1:
        raise DataError(
            f"the bundle is of '{manifest.name}', the project is '{project.name}'",
            hint="--project DIR, or leave it out",
        )
    pixels = next(iter(samples.inputs.values()))
    name, spec = next(iter(project.inputs.items()))
    if spec.raw_shape != pixels.shape[1:] or spec.raw_dtype != pixels.dtype:
        raise DataError(
            f"the bundle takes {pixels.dtype}{list(pixels.shape[1:])}, the project states {spec.raw_dtype}"
            f"{list(spec.raw_shape)}",
            hint="build it again: edgekit build --target host",
        )
    own = Samples({name: pixels}, samples.labels)
    return np.asarray(next(iter(Eager(lambda: load(project)).measure(own, None).outputs.values())))


def _prediction(
    i: int, path: Path, outputs: dict[str, Array], references: Array | None, classes: Sequence[str], top: int
) -> Prediction:
    first = next(iter(outputs.values()))
    if not classes or first.ndim != 2 or first.shape[1] != len(classes):
        return Prediction(str(path), (), values=tuple((name, array[i]) for name, array in outputs.items()))
    own = _shares(first, i, classes, top)
    beside = _shares(references, i, classes, top) if references is not None and references.shape == first.shape else ()
    return Prediction(str(path), own, beside)


def _shares(values: Array, i: int, classes: Sequence[str], top: int) -> tuple[ClassShare, ...]:
    """The likeliest classes of row `i` of [N, classes]. Whether the rows hold logits, all of them tell together."""
    order = np.argsort(-values[i], kind="stable")[:top]
    scores = ClassScores(values, None, whole_samples(values))
    if refusal(scores):
        return tuple(ClassShare(classes[each], None) for each in order)
    row = values[i].astype(np.float64)
    if form_of(scores) == "logits":
        row = np.exp(row - row.max())
        row /= row.sum()
    return tuple(ClassShare(classes[each], float(row[each])) for each in order)


def _place(on_device: Subject, where: Environment) -> str:
    machine = f" ({where.machine})" if where.machine else ""
    return f"{on_device.installation.transport.url}{machine}, {where.runtime}"

"""Artifact → signed Bundle, with a manifest of facts from all stages."""

from __future__ import annotations

from pathlib import Path

from edgekit import __version__
from edgekit.backends.onnx.engine_plan import engine_plan
from edgekit.bundle.archive import Bundle, Source, pack
from edgekit.bundle.manifest import ManifestContent, schema_of
from edgekit.bundle.manifest_records import (
    ArtifactFacts,
    Golden,
    InputAudio,
    InputFunction,
    InputProcessing,
    InputTokenizer,
    PassStep,
)
from edgekit.bundle.manifest_records import DataProvenance as DataRecord
from edgekit.bundle.signing import SigningKey
from edgekit.cache import tool_versions
from edgekit.datasets.tokenizer import read_tokenizers
from edgekit.parity.data import card as card_file
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.acceleration import acceleration_of
from edgekit.pipeline.stages.compile import GOLDEN, Compilation, Compiled
from edgekit.pipeline.stages.data_governance import data_card
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.runner.layout import CONTEXTS, MONITOR, NPU, PLAN
from edgekit.runner.processing.audio import audio_digest
from edgekit.runner.processing.golden import golden_digest
from edgekit.runner.runtimes.qnn_library import DISTRIBUTION as NPU_PACKAGE
from edgekit.samples import RAW_FOLDER
from edgekit.specs.array_functions import read_function
from edgekit.specs.project import DataSet, Project
from edgekit.specs.state import FOLDER
from edgekit.specs.target import Precision

TOLERANCE: dict[Precision, float] = {
    "float32": 1e-3,
    # Half weights, float arithmetic: as float32, but where a runtime computes in half (eleven bits).
    "float16": 0.01,
    "static-int8": 0.05,
    "static-int16": 0.05,
    # The activations are rounded on the device, as static ones are.
    "dynamic-int8": 0.05,
    "weight-int8": 0.05,
    "weight-int4": 0.05,
}
"""Largest allowed difference between a device's kernels and the host's, as a share of the output's range.

The largest difference measured between an x86 host and an emulated arm64 board, over the three runtimes, is 0.25 on a
range of 15.4, by onnxruntime.
"""


def pack_bundle(
    compilation: Compilation, compiled: Compiled, key: SigningKey, out: Path, bins: bytes | None = None
) -> Bundle:
    """Write the bundle into the folder `out`, under the request's name, and sign it. Raises StorageError.

    bins: content of `monitor.json`; None leaves it out.
    """
    files: dict[str, Source] = {path.name: path for path in compiled.artifact.files}
    golden = compiled.golden
    files |= {f"golden/{path.relative_to(golden).as_posix()}": path for path in sorted(golden.rglob("*.npy"))}
    files |= {f"{FOLDER}/{path.name}": path for path in sorted((golden.parent / FOLDER).glob("*.npy"))}
    request = compilation.request
    plan = engine_plan(compiled.artifact, request.profile.precision, request.target, request.runtime)
    if plan:
        files[PLAN] = plan
    contexts = golden.parent / CONTEXTS
    if contexts.is_file():
        files |= {
            CONTEXTS: contexts,
            **{f"{NPU}/{path.name}": path for path in sorted((golden.parent / NPU).iterdir())},
        }
    files |= {path: source for _, path, source in _raw(compilation)}
    card = data_card(compilation)
    files |= {card_file.JSON: card.to_json(), card_file.MARKDOWN: card.to_markdown()}
    files |= {} if bins is None else {MONITOR: bins}
    tokenizers = read_tokenizers(request.project)  # once more: they may have changed since the build began
    files |= {_tokenizer_path(name): tokenizer.content for name, tokenizer in tokenizers.items()}
    return pack(describe(compilation, compiled), files, key, out / f"{compilation.request.name}.edgekit")


def describe(compilation: Compilation, compiled: Compiled) -> ManifestContent:
    """Content of the manifest without its list of files. It does not depend on time, machine or user."""
    request, artifact = compilation.request, compiled.artifact
    project, target, runtime = request.project, request.target, request.runtime
    return ManifestContent(
        schema_version=schema_of(artifact.signature),
        edgekit=__version__,
        name=project.name,
        version=project.version,
        floor=project.floor,
        expires=project.expires,
        target=target.id,
        family=target.family,
        arch=target.cpu.arch,
        profile=request.profile.id,
        precision=request.profile.precision,
        backend=runtime.backend,
        format=artifact.format,
        delegates=runtime.delegates,
        options=artifact.options,
        task=project.model.task,
        classes=compilation.golden.classes,
        model=tuple(path.name for path in artifact.files),
        signature=artifact.signature,
        processing={**_processing(project), **_functions(compilation), **_audio(project)},
        tokenizers={
            name: InputTokenizer(path=_tokenizer_path(name), size=tokenizer.size, golden=tokenizer.golden)
            for name, tokenizer in read_tokenizers(project).items()
        },
        golden=Golden(count=GOLDEN, tolerance=TOLERANCE[request.profile.precision]),
        acceleration=acceleration_of(request, artifact.format),
        facts=ArtifactFacts.of(artifact, compiled.float_size.size_bytes),
        placement=artifact.placement.operators,
        history=tuple(map(PassStep.of, compiled.history)),
        data=_data(compilation),
        versions={
            name: version for name, version in tool_versions(_packages(request, compiled)).items() if name != "edgekit"
        },
    )


def _packages(request: BuildRequest, compiled: Compiled) -> tuple[str, ...]:
    """Packages that decided the bytes: the NPU's too, where it compiled a context binary."""
    compiled_ahead = (compiled.golden.parent / CONTEXTS).is_file()
    return (*request.backend.packages, *((NPU_PACKAGE,) if compiled_ahead else ()))


def _tokenizer_path(name: str) -> str:
    return f"tokenizer/{name}.json"


def _raw(compilation: Compilation) -> list[tuple[str, str, Path]]:
    """Raw golden samples of inputs that a function makes: name of the input, path in the bundle, file."""
    files = sorted((compilation.golden.folder / RAW_FOLDER).glob("*.npy"))
    return [(path.name.rsplit(".", 2)[0], f"golden/raw/{path.name}", path) for path in files]


def _functions(compilation: Compilation) -> dict[str, InputFunction]:
    """Function of each input that states one, checked once more: its file may have changed since the build began."""
    project = compilation.request.project
    return {
        name: InputFunction(
            function=read_function(spec.preprocess_function, project.root),
            raw=tuple(path for input, path, _ in _raw(compilation) if input == name),
        )
        for name, spec in project.inputs.items()
        if spec.preprocess_function
    }


def _processing(project: Project) -> dict[str, InputProcessing]:
    """Steps of each input that has any, with the digest that devices must reproduce."""
    return {
        name: InputProcessing(
            steps=spec.steps,
            channels=spec.picture_shape[-1],
            golden=golden_digest(spec.steps, spec.picture_shape[-1]),
        )
        for name, spec in project.inputs.items()
        if spec.steps
    }


def _audio(project: Project) -> dict[str, InputAudio]:
    """Settings of each input that is made of recordings, with the digest that devices must reproduce."""
    stated = {name: spec.audio_settings for name, spec in project.inputs.items()}
    return {
        name: InputAudio(audio=settings, golden=audio_digest(settings)) for name, settings in stated.items() if settings
    }


def _data(compilation: Compilation) -> tuple[DataRecord, ...]:
    """Data sets that the artifact depends on, with their licences."""
    stated = compilation.request.project.data
    records = {
        data.role: _record(getattr(stated, data.role), data) for data in (*compilation.shaping_data, compilation.golden)
    }
    return tuple(records.values())


def _record(stated: DataSet, data: CachedData) -> DataRecord:
    return DataRecord(
        role=data.role,
        licence=stated.licence,
        source=stated.source,
        samples=len(data.samples),
        sha256=data.samples.digest,
    )

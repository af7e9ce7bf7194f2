"""Free lengths through all three backends: kept free or in buckets, and equal to eager at every length."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.backends.free_axes import model_tensor, runner_lengths
from edgekit.backends.verify import verify
from edgekit.errors import FixedLength
from edgekit.frontend.capture import capture
from edgekit.frontend.eager import Eager
from edgekit.frontend.load import load
from edgekit.frontend.sequences import program_arguments
from edgekit.ir.artifact import Artifact
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.quantization.quantize import quantize
from edgekit.runner.model.manifest import RunnerManifest
from edgekit.runner.model.tensors import read_columns, row
from edgekit.runner.runtimes.model import LoadedModel
from edgekit.samples import Samples, load_samples
from edgekit.specs.compression import Quantize
from edgekit.specs.project import Project
from tests.backends.free_networks import NETWORKS, free_project
from tests.backends.loaded_backend import loaded_backend
from tests.backends.signature_networks import HOST

pytestmark = pytest.mark.lowers

BACKENDS = ("executorch", "onnx", "tflite")
RECIPES = {"float32": None, "static-int8": Quantize(), "dynamic-int8": Quantize(mode="dynamic")}
CELLS = [
    (("encoder", "convolutional")[(i + j) % 2], backend, precision)
    for i, backend in enumerate(BACKENDS)
    for j, precision in enumerate(RECIPES)
]
"""Every pair of network, backend and precision is in a cell; all three at once would be twice as many."""
LEAST_DB = {"float32": 100.0, "static-int8": 20.0, "dynamic-int8": 25.0}


def built(project: Project, backend_name: str, recipe: Quantize | None, folder: Path) -> tuple[Artifact, Samples]:
    """Capture, quantize, lower and verify a project as the pipeline does; the samples lie in `folder`."""
    backend, runtime = loaded_backend(backend_name), HOST.select_runtime(backend_name)
    samples = load_samples(project, "evaluation")
    folder.mkdir(exist_ok=True)
    samples.save(folder)
    program = capture(load(project))
    late = recipe if recipe and recipe.precision in backend.at_lowering else None
    if recipe and not late:
        arguments = program_arguments(program, samples)
        quantization = lambda recipe: backend.quantization(recipe, runtime)  # noqa: E731
        program = quantize(program, recipe, quantization, arguments, arguments[:4])
    artifact = backend.lower(program, HOST, runtime, folder, late)
    verify(artifact, program, folder, folder / "golden", late)
    return artifact, samples


@pytest.mark.parametrize(("network", "backend", "precision"), CELLS)
def test_an_artifact_answers_as_eager_does_at_every_length(
    tmp_path: Path, network: str, backend: str, precision: str
) -> None:
    project = free_project(tmp_path / "project", network)
    artifact, samples = built(project, backend, RECIPES[precision], tmp_path / "out")
    expected = Eager(lambda: load(project)).measure(samples, None).outputs
    signature = artifact.signature
    inputs, outputs = (tuple(map(model_tensor, edges)) for edges in (signature.inputs, signature.outputs))
    manifest = RunnerManifest(
        artifact.format, artifact.files[0], artifact.options, inputs, outputs, 0.0, lengths=runner_lengths(signature)
    )
    columns = read_columns(tmp_path / "out", inputs)
    stored = LoadedModel.load(manifest, 1, row(columns, 0)).outputs(columns)
    for k, tensor in enumerate(outputs):
        assert stored[k].shape == expected[tensor.name].shape
        for place, lengths in enumerate(NETWORKS[network].lengths):
            chosen = slice(place, None, len(NETWORKS[network].lengths))
            quality = sqnr_db(expected[tensor.name][chosen], stored[k][chosen])
            print(
                f"FIGURE {network} {backend} {precision} {tensor.name} {lengths} {quality:.1f} dB {artifact.size_bytes}"
            )
            assert quality > LEAST_DB[precision]


def test_a_network_that_is_unrolled_for_one_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FixedLength, match=r"leaves free: t:4\.\.32") as refused:
        capture(load(free_project(tmp_path / "project", "tagger")))
    assert "nn.GRU" in str(refused.value.hint)

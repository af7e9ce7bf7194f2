"""Backend × precision × target, cell by cell: what works runs here and keeps its promises, what does not says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgekit import plugins
from edgekit.backends.executorch import ExecuTorch
from edgekit.backends.onnx import Onnx
from edgekit.backends.tflite import TFLite
from edgekit.backends.verify import HALF, verify
from edgekit.errors import Disagreement, LoweringError, Misfit, UsageError
from edgekit.ir.artifact import Artifact
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.passes.quantization.quantize import QuantizePass
from edgekit.pipeline.request import resolve_requests
from edgekit.specs.catalog import Catalog
from edgekit.specs.compression import Quantize, Weights
from edgekit.specs.profile import Profile
from edgekit.specs.project import Project
from edgekit.specs.target import PRECISIONS, Precision, Target
from scripts.accelerator_table.cell import RECIPES
from tests.backends.loaded_backend import loaded_backend
from tests.conftest import Command
from tests.networks import write_project

pytestmark = pytest.mark.lowers

BACKENDS = ("executorch", "onnx", "tflite")
CATALOG = Catalog.default()
TARGETS = CATALOG.targets()
HOST = CATALOG.target("host")


@dataclass(frozen=True)
class Promise:
    """What a cell is to deliver."""

    sqnr_db: float
    """At least, against the program that was lowered."""
    size_ratio: float = 1.0
    """At most, of the same backend's float file."""
    integer: float = 0.0
    """Share of the weights that are integers."""
    macs: tuple[str, ...] = ()
    """Which of `MACS` integer kernels run."""


@dataclass(frozen=True)
class Refusal:
    words: str


Cell = Promise | Refusal
WIDTH, TOKENS = 64, 16
MACS = {
    "conv": TOKENS * WIDTH * 27,
    "linear": TOKENS * (4 * WIDTH * WIDTH + 2 * WIDTH * 2 * WIDTH) + 10 * WIDTH,
    "attention": 2 * TOKENS * TOKENS * WIDTH,
}
WEIGHTS = {"conv": WIDTH * 27, "linear": 4 * WIDTH * WIDTH + 2 * WIDTH * 2 * WIDTH + 10 * WIDTH}
NO_CONV = WEIGHTS["linear"] / sum(WEIGHTS.values())
BOTH, LINEAR = ("conv", "linear"), ("linear",)

CELLS: dict[tuple[str, Precision], Cell] = {
    ("executorch", "float32"): Promise(100),
    ("executorch", "float16"): Promise(60, 0.56),
    ("executorch", "static-int8"): Promise(20, 0.4, 1.0, BOTH),
    ("executorch", "static-int16"): Refusal("activations of 8 bits only"),
    ("executorch", "dynamic-int8"): Promise(30, 0.4, 1.0, BOTH),
    ("executorch", "weight-int8"): Promise(35, 0.4, NO_CONV),
    ("executorch", "weight-int4"): Promise(15, 0.35, NO_CONV, LINEAR),
    ("onnx", "float32"): Promise(100),
    ("onnx", "float16"): Promise(60, 0.54),
    ("onnx", "static-int8"): Promise(20, 0.4, 1.0, (*BOTH, "attention")),
    ("onnx", "static-int16"): Refusal("activations of 8 bits only"),
    ("onnx", "dynamic-int8"): Promise(30, 0.35, 1.0, LINEAR),
    ("onnx", "weight-int8"): Promise(35, 0.35, 1.0),
    ("onnx", "weight-int4"): Promise(15, 0.25, 1.0),
    ("tflite", "float32"): Promise(100),
    ("tflite", "float16"): Promise(60, 0.54),
    ("tflite", "static-int8"): Promise(20, 0.4, 1.0, BOTH),
    ("tflite", "static-int16"): Refusal("27 times slower than float"),
    ("tflite", "dynamic-int8"): Promise(30, 0.35, 1.0, BOTH),
    ("tflite", "weight-int8"): Promise(35, 0.35, 1.0),
    ("tflite", "weight-int4"): Promise(15, 0.25, 1.0, LINEAR),
}
UNTRIED = "built, not run"
SIXTEEN_BITS = ("snapdragon-8-gen-2", "snapdragon-8-gen-3", "snapdragon-8-elite")
"""Targets whose NPU runs .onnx with activations of 16 bits."""
TENSORRT: tuple[Precision, ...] = ("float32", "float16", "static-int8")
"""What a Jetson's onnx runtime is given."""


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        scores = self.query(x) @ self.key(x).transpose(1, 2)
        output: Tensor = self.out(torch.softmax(scores / WIDTH**0.5, -1) @ self.value(x))
        return output


class Net(nn.Module):
    """A convolution that makes tokens of an image, a transformer block, and a linear layer on the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, WIDTH, 3, 2, 1), nn.ReLU())
        self.norm, self.attention = nn.LayerNorm(WIDTH), Attention()
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        x = x + self.attention(self.norm(x))
        x = x + self.down(F.gelu(self.up(x)))
        output: Tensor = self.head(x.mean(1))
        return output


class Deployed(nn.Module):
    """As the frontend wraps it: modules are named below `model`."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Net()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.model(x)
        return output


@pytest.fixture(scope="module")
def samples() -> list[tuple[Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(1, 3, 8, 8, generator=generator),) for _ in range(8)]


@pytest.fixture(scope="module")
def program(samples: list[tuple[Tensor]]) -> Program:
    torch.manual_seed(0)
    edges = Signature((TensorSpec("x", "float32", (1, 3, 8, 8)),), (TensorSpec("y", "float32", (1, 10)),))
    with torch.no_grad():
        return Program(torch.export.export(Deployed().eval(), samples[0]), edges)


@dataclass(frozen=True)
class Made:
    artifact: Artifact
    sqnr_db: float


Make = Callable[[str, Precision], Made]


@pytest.fixture(scope="module")
def _one_conversion(program: Program) -> Iterator[None]:
    """The float program is converted once for all precisions that the converters make of its float file."""
    from edgekit.backends.onnx import export
    from edgekit.backends.tflite import convert

    graphs: dict[tuple[Any, ...], bytes] = {}
    files: list[bytes] = []
    to_onnx, to_tflite = export.to_onnx, convert._converted

    def onnx_once(given: Program, integer: bool = True, scratch: Any = None, *rest: Any) -> Any:
        import onnx

        if given.exported is not program.exported or scratch:
            return to_onnx(given, integer, scratch, *rest)
        form = integer, *rest
        if form not in graphs:
            graphs[form] = to_onnx(given, integer, None, *rest).SerializeToString()
        return onnx.load_from_string(graphs[form])

    def tflite_once(given: Program, *rest: Any) -> bytes:
        if given.exported is not program.exported:
            return to_tflite(given, *rest)
        if not files:
            files.append(to_tflite(given, *rest))
        return files[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "to_onnx", onnx_once)
        patch.setattr(convert, "_converted", tflite_once)
        yield


@pytest.fixture(scope="module")
def make(
    program: Program, samples: list[tuple[Tensor]], _one_conversion: None, tmp_path_factory: pytest.TempPathFactory
) -> Make:
    """Lower for the host as the pipeline would, run in the device's runtime, compare; each cell once."""
    checks = tmp_path_factory.mktemp("checks")
    np.save(checks / "x.npy", np.concatenate([x.numpy() for (x,) in samples]))
    done: dict[tuple[str, Precision], Made] = {}

    def made(name: str, precision: Precision) -> Made:
        backend, runtime, recipe = loaded_backend(name), HOST.select_runtime(name), RECIPES[precision]
        late = recipe if precision in backend.at_lowering else None
        subject = program
        if recipe and not late:
            given = samples if recipe.calibrated else samples[:1]
            subject = QuantizePass(recipe, lambda requested: backend.quantization(requested, runtime), given)(
                program, samples[:2]
            )
        out = tmp_path_factory.mktemp("out")
        artifact = backend.lower(subject, HOST, runtime, out, late)
        return Made(artifact, verify(artifact, subject, checks, out / "golden", late))

    def cached(name: str, precision: Precision) -> Made:
        if (name, precision) not in done:
            done[name, precision] = made(name, precision)
        return done[name, precision]

    return cached


def profile(target: Target, precision: Precision) -> Profile:
    return Profile(
        schema_version=1, id=precision, summary="Asks for it.", families=(target.family,), quantize=RECIPES[precision]
    )


def test_the_matrix_has_a_cell_for_everything() -> None:
    assert set(CELLS) == {(backend, precision) for backend in BACKENDS for precision in PRECISIONS}
    assert set(RECIPES) == set(get_args(Precision))
    assert all(recipe is None or recipe.precision == precision for precision, recipe in RECIPES.items())


@pytest.mark.parametrize(("backend", "precision"), [key for key, cell in CELLS.items() if isinstance(cell, Promise)])
def test_a_cell_that_works_keeps_its_promises(make: Make, backend: str, precision: Precision) -> None:
    promise, made = CELLS[backend, precision], make(backend, precision)
    assert isinstance(promise, Promise)
    whole = make(backend, "float32").artifact
    assert made.sqnr_db > promise.sqnr_db
    assert made.artifact.size_bytes / whole.size_bytes <= promise.size_ratio
    assert made.artifact.integer == pytest.approx(promise.integer)
    assert made.artifact.macs == sum(MACS.values())
    integer = sum(MACS[name] for name in promise.macs)
    assert made.artifact.integer_macs == pytest.approx(integer / sum(MACS.values()))
    assert made.artifact.placement.fallback < 0.1


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_target_is_given_what_its_runtime_and_its_backend_run(target: Target, precision: Precision) -> None:
    for runtime in target.runtime:
        cell = CELLS[runtime.backend, precision]
        narrowed = runtime.delegates[0] == "tensorrt" and precision not in TENSORRT
        wide = precision == "static-int16" and runtime.backend == "onnx" and target.id in SIXTEEN_BITS
        check = profile(target, precision).check
        refuses = plugins.load("backends", runtime.backend).refuses
        if wide or (isinstance(cell, Promise) and not narrowed):
            check(target, runtime, refuses)
            continue
        with pytest.raises(Misfit) as caught:
            check(target, runtime, refuses)
        words = cell.words if isinstance(cell, Refusal) else f"'onnx' on '{target.id}' cannot run {precision}"
        assert words in str(caught.value)
        assert caught.value.hint == f"edgekit profiles --family {target.family}"


@pytest.mark.parametrize(
    ("target", "backend", "named", "words", "hint"),
    [
        ("snapdragon-8-gen-2", "executorch", "hexagon-int16", "activations of 8 bits only", "--backend onnx"),
        ("jetson-orin-nano", None, "weight-only-int4", "written for raspberry-pi", "edgekit profiles --family jetson"),
    ],
)
def test_an_order_for_what_cannot_be_run_is_refused_before_anything_is_loaded(
    tmp_path: Path, target: str, backend: str | None, named: str, words: str, hint: str
) -> None:
    project = Project.read(write_project(tmp_path / "project"))
    with pytest.raises(UsageError, match=words) as caught:
        resolve_requests(project, target, backend, named)
    assert caught.value.hint == hint


def test_half_precision_for_tensorrt_is_built_but_not_run(program: Program, tmp_path: Path) -> None:
    jetson = CATALOG.target("jetson-orin-nano")
    artifact = Onnx().lower(program, jetson, jetson.runtime[0], tmp_path, RECIPES["float16"])
    assert UNTRIED in artifact.basis
    assert artifact.placement.fallback == 0


SKIPS = [(("attention.*",), 4 * WIDTH * WIDTH), (("stem.0", "up"), WEIGHTS["conv"] + 2 * WIDTH * WIDTH)]


@pytest.mark.parametrize("precision", ["dynamic-int8", "weight-int8", "weight-int4"])
@pytest.mark.parametrize(("skip", "left"), SKIPS)
def test_modules_that_are_skipped_stay_in_float(
    program: Program, files: Files, tmp_path: Path, precision: Precision, skip: tuple[str, ...], left: int
) -> None:
    recipe = RECIPES[precision]
    assert recipe
    share = 1 - left / sum(WEIGHTS.values())
    for found in files.shares(program, recipe.model_copy(update={"skip": skip}), tmp_path):
        assert found == pytest.approx(share)


@dataclass(frozen=True)
class Files:
    """The float program as two converters leave it, before any weight is made smaller."""

    onnx: bytes
    tflite: bytes

    def shares(self, program: Program, recipe: Quantize, folder: Path) -> tuple[float, float]:
        """The share of integer weights, after `recipe`, in the .onnx and in the .tflite."""
        import onnx

        from edgekit.backends.onnx import weight_compression as for_onnx
        from edgekit.backends.onnx.weights import integer_share
        from edgekit.backends.tflite import flatbuffer_names, interpreter, weight_compression
        from edgekit.backends.tflite.weight_matching import kept_weights

        graph = for_onnx.compress_weights(onnx.load_from_string(self.onnx), recipe).graph
        kept = tuple(kept_weights(program.exported, recipe.kept))
        path = folder / "model.tflite"
        path.write_bytes(
            flatbuffer_names.with_names(
                weight_compression.compress_weights(self.tflite, recipe, kept), program.signature
            )
        )
        return integer_share(graph), interpreter.artifact(path, HOST.select_runtime("tflite")).integer


@pytest.fixture(scope="module")
def files(program: Program, make: Make) -> Files:
    from edgekit.backends.tflite import convert

    return Files(make("onnx", "float32").artifact.files[0].read_bytes(), convert._converted(program))


def test_skipping_everything_leaves_nothing_to_do(program: Program, files: Files, tmp_path: Path) -> None:
    with pytest.raises(LoweringError, match="no weight is left"):
        files.shares(program, Quantize(mode="float16", skip=("*",)), tmp_path)


@pytest.mark.parametrize(
    ("backend", "group", "words"),
    [
        ("onnx", 48, "take groups of 16, 32, 64 …, not of 48"),
        ("executorch", 16, "groups of a multiple of 32, not of 16"),
        ("tflite", 512, "take groups of 32, 64, 128, 256, not of 512"),
    ],
)
def test_groups_that_a_kernel_lacks_are_told_before_anything_is_loaded(
    command: Command, backend: str, group: int, words: str
) -> None:
    argv = ("--example", "digits", "--target", "host", "--backend", backend, "--profile", "weight-only-int4")
    refused = command("plan", *argv, "--set", f"profile.quantize.weights.group={group}")
    assert refused.code == 2
    told = " ".join(refused.err.split())
    assert "EK103" in told
    assert words in told


@pytest.mark.parametrize("backend", [ExecuTorch, Onnx, TFLite])
@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Quantize(mode="float16", equalize=True), "cannot do quantize.equalize"),
        (Quantize(mode="weight-only", weights=Weights(rounding="gptq")), "cannot do quantize.weights.rounding"),
        (Quantize(mode="weight-only", weights=Weights(granularity="per-group")), "int4 weights only|for each channel"),
        (
            Quantize(mode="weight-only", weights=Weights(dtype="int4", granularity="per-group", group=48)),
            "not of 48",
        ),
    ],
)
def test_a_recipe_that_a_converter_cannot_carry_out_is_a_misfit(
    program: Program, tmp_path: Path, backend: type[ExecuTorch | Onnx | TFLite], recipe: Quantize, words: str
) -> None:
    runtime = HOST.select_runtime(backend.name)
    with pytest.raises(Misfit, match=words) as caught:
        backend().lower(program, HOST, runtime, tmp_path, recipe)
    assert caught.value.hint


def test_noise_beyond_what_a_precision_allows_is_a_disagreement(
    make: Make, program: Program, samples: list[tuple[Tensor]], tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", samples[0][0].numpy())
    # An int4 file in the place of a half-precision one.
    artifact = make("onnx", "weight-int4").artifact
    with pytest.raises(Disagreement, match="at least 40 dB") as caught:
        verify(artifact, program, tmp_path, tmp_path / "golden", RECIPES["float16"])
    assert caught.value.hint == HALF

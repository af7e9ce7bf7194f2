"""LiteRT on a GPU: faults of driver, library and device by a stand-in, and real answers by SwiftShader."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from edgekit.cache import Cache
from edgekit.devices import debian
from edgekit.devices.swiftshader import swiftshader
from edgekit.errors import ToolsMissing
from edgekit.measure.device.model_file import open_model_file
from edgekit.runner.runtimes.litert_gpu_log import parse
from tests.devices.debian_programs import unavailable
from tests.runner.conftest import Answer, Bare
from tests.runner.gpu_standin import ACCELERATOR, LIBRARY, StandIn, stand_in

CORPUS = Path(__file__).parents[2] / "corpus" / "model-in-tflite" / "honest.tflite"


@pytest.fixture(scope="module")
def liar(bare: Bare, tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return stand_in(bare.folder / "runner", tmp_path_factory.mktemp("standin"))


@pytest.fixture(scope="module")
def vulkan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("EDGEKIT_DOWNLOADS")
    try:
        return swiftshader(debian.host(), Cache(Path(kept) if kept else tmp_path_factory.mktemp("downloads")))
    except ToolsMissing as error:
        unavailable(f"no SwiftShader: {error}")


def test_an_honest_gpu_answers_and_its_facts_are_told(liar: StandIn) -> None:
    answer = liar.ask("")
    assert answer.code == 0, answer.stdout + answer.stderr
    facts = answer.document["accelerator"]
    assert (facts["device"], facts["driver"], facts["software"]) == ("Stand-in GPU", "stand-in 1.2", False)
    assert (facts["operators"], facts["taken"], facts["left"]) == (3, 3, [])
    assert facts["precision"] == "float16"
    assert np.load(liar.folder / "out/y.npy").tolist() == [[0, 1, 2], [4, 5, 6]]
    assert liar.ask("", "enforce_f32=true").document["accelerator"]["precision"] == "float32"


@pytest.mark.parametrize(
    ("mode", "kind", "words"),
    [
        ("driver", "driver", "vkCreateInstance gives -9"),
        ("none", "adapter", "offers no device"),
        ("adapter", "adapter", "not 'Stand-in GPU' either"),
        ("memory", "vram", "memory of Stand-in GPU does not hold the model"),
        ("small", "vram", "has 0 MiB, the model is larger"),
        ("refused", "operators", "alone: it refuses CUMSUM (Op is not supported; the file has 1)"),
        ("silent", "operators", "takes none of the 3 operators"),
        ("nan", "nan", "answers NaN or infinity in 'y' for 1 of 1 samples"),
        ("run", "run", "LiteRtRunCompiledModel failed: status 3"),
    ],
)
def test_each_fault_is_an_error_of_its_own(liar: StandIn, mode: str, kind: str, words: str) -> None:
    answer = liar.ask(mode)
    assert answer.code == 1
    assert (answer.document["kind"], words in answer.document["error"]) == (kind, True), answer.document
    assert list((liar.folder / "out").glob("*.npy.*")) == []


@pytest.mark.parametrize(
    ("mode", "block"), [("hang-load", "compiling the model for the GPU"), ("hang-run", "an inference on the GPU")]
)
def test_a_gpu_that_hangs_is_left_within_its_limit(liar: StandIn, mode: str, block: str) -> None:
    started = time.monotonic()
    answer = liar.ask(mode, "time_limit=1", verb="latency")
    assert answer.document["kind"] == "hung"
    assert f"{block} took longer than 1 s" in answer.document["error"]
    assert time.monotonic() - started < 30


def test_what_stays_on_the_cpu_is_named_though_litert_calls_it_accelerated(liar: StandIn) -> None:
    facts = liar.ask("partly").document["accelerator"]
    assert (facts["operators"], facts["taken"], facts["left"]) == (3, 2, [["CUMSUM", 1]])
    assert facts["note"] == "CUMSUM: Op is not supported."


def test_a_package_without_the_accelerator_is_told_before_a_driver_is_looked_for(liar: StandIn, tmp_path: Path) -> None:
    other = StandIn(tmp_path / "other")
    shutil.copytree(liar.folder, other.folder)
    (other.package / ACCELERATOR).unlink()
    answer = other.ask("driver")
    assert answer.document["kind"] == "library"
    assert ACCELERATOR in answer.document["error"]
    shutil.rmtree(other.vulkan)
    (other.package / LIBRARY).rename(other.package / ACCELERATOR)
    assert other.ask("").document["kind"] == "library"


def test_a_folder_without_a_loader_is_no_driver(liar: StandIn, tmp_path: Path) -> None:
    other = StandIn(tmp_path / "other")
    shutil.copytree(liar.folder, other.folder)
    (other.vulkan / "libvulkan.so.1").unlink()
    assert "there is no Vulkan loader" in other.ask("").document["error"]
    (other.vulkan / "standin_icd.json").unlink()
    assert "no manifest of a Vulkan driver" in other.ask("").document["error"]


def test_the_log_of_a_model_that_stays_on_the_cpu_is_read() -> None:
    log = parse(
        "I0000 1 environment.cc:532] Selected adapter: Mali-G78, arch=valhall\nERROR: Following operations are not "
        "supported by GPU delegate:\nGATHER: Only one axis.\nCAST: Op is not supported.\nNo operations will run on the "
        "GPU, and all 7 operations will run on the CPU.\nI0000 kernel.cc: done"
    )
    assert (log.adapter, log.taken, log.left) == ("Mali-G78", 0, 7)
    assert log.reasons == (("GATHER", "Only one axis."), ("CAST", "Op is not supported."))
    assert parse("") == (None, None, 0, (), False, False)


def asked(bare: Bare, folder: Path, vulkan: Path, *options: str) -> Answer:
    """Accuracy of the corpus's int8 model on SwiftShader, for samples in `folder`."""
    words = [f"vulkan={vulkan}", *options]
    argv = ["accuracy", folder / "probe/m", "--inputs", folder / "in", "--out", folder / "out"]
    argv += ["--accelerator", "litert-gpu", *(word for each in words for word in ("--accelerator-option", each))]
    return bare.ask(*argv)


@pytest.fixture
def placed(tmp_path: Path) -> Path:
    for name in ("in", "out", "probe"):
        (tmp_path / name).mkdir()
    with open_model_file(CORPUS) as model:
        shutil.copytree(model.folder, tmp_path / "probe/m")
        (image,) = model.signature.inputs
    samples = np.random.default_rng(0).integers(0, 256, (8, *image.shape[1:]), np.uint8)
    np.save(tmp_path / "in" / f"{image.name}.npy", samples)
    return tmp_path


def test_swiftshader_runs_what_the_cpu_runs_and_is_called_software(bare: Bare, placed: Path, vulkan: Path) -> None:
    first = asked(bare, placed, vulkan)
    assert first.code == 0, first.stdout + first.stderr
    facts = first.document["accelerator"]
    assert facts["software"]
    assert "SwiftShader" in facts["device"]
    assert (facts["precision"], facts["cached"]) == ("float32", False)
    assert facts["operators"] == 10
    (output,) = (placed / "out").glob("*.npy")
    gpu = np.load(output)
    assert asked(bare, placed, vulkan).document["accelerator"]["cached"]
    assert not asked(bare, placed, vulkan, "enforce_f32=true").document["accelerator"]["cached"]
    argv = ["accuracy", placed / "probe/m", "--inputs", placed / "in", "--out", placed / "out", "--accelerator", "cpu"]
    assert bare.ask(*argv).document["accelerator"] is None
    cpu = np.load(output)
    assert np.abs(cpu - gpu).max() <= 0.1 * np.ptp(cpu)


def test_damaged_kernels_are_compiled_again(bare: Bare, placed: Path, vulkan: Path) -> None:
    assert asked(bare, placed, vulkan).code == 0
    (output,) = (placed / "out").glob("*.npy")
    whole = np.load(output)
    kept = list((placed / "probe/m/kernels").rglob("*.bin"))
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + b"\xff" * 64)
    answer = asked(bare, placed, vulkan)
    assert answer.code == 0, f"LiteRT saw them, exit {answer.code}"
    assert answer.document["accelerator"]["cached"] is False
    assert np.array_equal(np.load(output), whole)
    assert asked(bare, placed, vulkan).document["accelerator"]["cached"]

"""`probe`: a bundle, a bare file, operators and throughput, on this machine; what it prints, and what it refuses."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgekit.measure import store
from tests.conftest import Built, Command

QUICK = ("--min-count", 3, "--min-duration", 0, "--processes", 1)
HERE = ("--device", "local://")


@pytest.fixture(scope="session")
def bare(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of the bundle, as its user may have it."""
    folder = tmp_path_factory.mktemp("bare")
    with zipfile.ZipFile(built.bundle) as bundle:
        bundle.extract("model.onnx", folder)
    return folder / "model.onnx"


def test_a_bundle_is_probed_without_being_flashed(command: Command, built: Built, small: Path, tmp_path: Path) -> None:
    file, device = tmp_path / "measured.json", tmp_path / "device"
    argv = ("probe", built.bundle, "--project", small, "--device", f"local://{device}", *QUICK, "--out", file, "--json")
    ended = command(*argv)
    assert (ended.code, ended.err) == (0, "")
    found = ended.document["measurement"]
    assert (found["samples"], found["host_stand_in"], found["processes"]) == (64, True, 1)
    assert found["latency_count"] >= 3
    assert found["latency_p90_ns"] is None
    measured, before = store.load(file), store.load(built.out / "candidate")
    assert (measured.outputs["output"] == before.outputs["output"]).all()
    assert not list((device / "probe").iterdir())
    assert not (device / "current").exists()


def test_a_probe_reads_as_a_table(command: Command, built: Built, small: Path) -> None:
    ended = command("probe", built.bundle, "--project", small, *HERE, *QUICK, "--samples", 4)
    assert "answers              4 of 64 samples, spread over the set (all: --samples 64)" in ended.out
    assert "timed                3 inferences in 1 process" in ended.out
    assert "runtime              onnxruntime " in ended.out


def test_a_bare_file_answers_as_its_bundle_does(
    command: Command, built: Built, bare: Path, small: Path, tmp_path: Path
) -> None:
    file = tmp_path / "measured.json"
    assert command("probe", bare, "--project", small, *HERE, *QUICK, "--out", file).code == 0
    outputs, before = store.load(file).outputs, store.load(built.out / "candidate").outputs
    np.testing.assert_array_equal(next(iter(outputs.values())), before["output"])


def test_samples_may_be_ones_own(command: Command, bare: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", image=np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8))
    ended = command("probe", bare, "--inputs", tmp_path / "mine.npz", *HERE, *QUICK, "--json")
    assert ended.document["measurement"]["samples"] == 5
    np.savez(tmp_path / "other.npz", image=np.zeros((5, 8, 8, 1), np.uint8))
    said = command("probe", bare, "--inputs", tmp_path / "other.npz", *HERE, *QUICK).refused("EK105", 2)
    assert "uint8[N, 8, 8, 3]" in said


def test_operators_say_who_ran_them_and_leave_a_trace(
    command: Command, bare: Path, small: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.json"
    ended = command("probe", bare, "--project", small, *HERE, "--operators", "--trace", trace, "--json")
    found = ended.document["operators"]
    assert {row["kind"] for row in found["rows"]} & {"QLinearConv", "Conv", "QGemm", "Gemm"}
    assert sum(row["ns"] for row in found["rows"]) <= found["whole_ns"]
    assert {"ph", "ts", "dur"} <= set(json.loads(trace.read_text())["traceEvents"][-1])


def test_throughput_is_told_for_one_combination(command: Command, bare: Path, small: Path) -> None:
    ended = command(
        "probe", bare, "--project", small, *HERE, "--throughput", "--instances", 2, "--min-duration", 1, "--json"
    )
    (found,) = ended.document["throughput"]
    assert (found["instances"], found["threads"], found["batch"]) == (2, 1, 1)
    assert found["samples_per_s"] > 0
    assert found["duration_s"] >= 1


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--operators", "--throughput"), "are two runs"),
        (("--trace", "x.json"), "--trace goes with --operators"),
        (("--cpus", "one"), "is no list of cores"),
        (("--inputs", "x.npz", "--example", "digits"), "leave out --project"),
        (("--plan", "endless"), "endless"),
        (("--min-duration", "inf"), "min_duration_s"),
        (("--operators", "--out", "x.json"), "--out goes with neither"),
        (("--throughput", "--cpus", "0"), "--cpus goes with neither"),
        (("--operators", "--min-duration", "3"), "leave out --min-duration"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    command: Command, bare: Path, argv: tuple[str, ...], words: str
) -> None:
    ended = command("probe", bare, *HERE, *argv)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(
    command: Command, bare: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    # Without samples a probe would be refused for those, had it begun.
    said = command("probe", bare, *HERE, *QUICK, "--out", tmp_path / "taken" / "x.json").refused("EK503", 3)
    assert "cannot be written" in said


def test_a_core_that_is_not_there_is_named(command: Command, bare: Path, small: Path) -> None:
    said = command("probe", bare, "--project", small, *HERE, *QUICK, "--cpus", "4095").refused("EK404", 3)
    assert "no core 4095" in said


def test_a_file_that_is_no_model_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"what is this")
    said = command("probe", tmp_path / "model.tflite", "--example", "digits", *HERE).refused("EK107", 2)
    assert "does not begin as a .tflite does" in said


def test_data_that_the_bundle_does_not_take_is_refused(command: Command, built: Built) -> None:
    said = command("probe", built.bundle, "--example", "digits", *HERE, *QUICK).refused("EK105", 2)
    assert "uint8[N, 8, 8, 3]" in said


def test_an_unknown_meter_is_refused(command: Command, bare: Path, small: Path) -> None:
    command("probe", bare, "--project", small, *HERE, *QUICK, "--meter", "wal").refused("EK102", 2)

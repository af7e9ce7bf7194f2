"""The runner as a bare folder, in the three runtimes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.runner.processing.audio import audio_digest
from edgekit.runner.processing.golden import golden_digest
from tests.runner import slot
from tests.runner.conftest import Bare


def _inputs(folder: Path, count: int) -> dict[str, Any]:
    given = slot.inputs(count)
    folder.mkdir()
    for name, array in given.items():
        np.save(folder / f"{name}.npy", array)
    return given


def _check_accuracy(bare: Bare, tmp_path: Path, format: str) -> dict[str, Any]:
    model = slot.write_slot(tmp_path / "slot", format)
    given = _inputs(tmp_path / "in", 9)
    answer = bare.ask("accuracy", model, "--inputs", tmp_path / "in", "--out", tmp_path / "out")
    assert answer.code == 0, answer.stderr
    wanted = slot.expected(given)
    np.testing.assert_allclose(np.load(tmp_path / "out" / "scores.npy"), wanted["scores"], rtol=1e-5, atol=1e-5)
    steps = np.load(tmp_path / "out" / "steps.npy")
    assert steps.dtype == np.float32
    np.testing.assert_array_equal(steps, (wanted["steps"].astype(np.float32) - slot.ZERO_POINT) * slot.SCALE)
    return answer.document


@pytest.mark.parametrize("format", slot.FORMATS)
def test_accuracy_gives_real_values_for_every_sample(bare: Bare, tmp_path: Path, format: str) -> None:
    document = _check_accuracy(bare, tmp_path, format)
    assert document["count"] == 9
    assert set(document["outputs"]) == {"scores", "steps"}
    assert document["threads"] == 1
    assert document["runtime"] == document["info"]["runtimes"][format]
    assert min(document["load_ns"], document["first_ns"], document["peak_rss_bytes"]) > 0


def test_tflite_runs_on_tflite_runtime_and_numpy_1(bare_tflite_runtime: Bare, tmp_path: Path) -> None:
    document = _check_accuracy(bare_tflite_runtime, tmp_path, "tflite")
    assert document["runtime"] == "tflite-runtime 2.14.0"
    assert document["info"]["runtimes"] == {"pte": None, "onnx": None, "tflite": "tflite-runtime 2.14.0"}
    answer = bare_tflite_runtime.ask("selftest", tmp_path / "slot")
    assert answer.document["passed"]


@pytest.mark.parametrize("format", slot.FORMATS)
def test_latency_is_one_number_an_inference(bare: Bare, tmp_path: Path, format: str) -> None:
    model = slot.write_slot(tmp_path / "slot", format)
    _inputs(tmp_path / "in", 3)
    folders = ("--inputs", tmp_path / "in", "--out", tmp_path / "out")
    answer = bare.ask("latency", model, *folders, "--min-count", 40, "--min-duration", 0, "--threads", 2)
    assert answer.code == 0, answer.stderr
    times = np.load(tmp_path / "out" / "latency_ns.npy")
    assert times.dtype == np.int64
    assert len(times) == answer.document["count"] == 40
    assert times.min() > 0
    assert answer.document["threads"] == 2


@pytest.mark.parametrize("format", slot.FORMATS)
def test_a_whole_model_passes_its_self_test(bare: Bare, tmp_path: Path, format: str) -> None:
    answer = bare.ask("selftest", slot.write_slot(tmp_path / "slot", format))
    assert answer.code == 0, answer.stderr
    assert answer.document["passed"]
    assert set(answer.document["outputs"]) == {"scores", "steps"}
    scores = slot.expected(slot.inputs(4, seed=7))["scores"]
    assert answer.document["outputs"]["scores"]["allowed"] == pytest.approx(0.05 * np.ptp(scores), rel=1e-5)


def test_another_output_than_the_golden_one_fails_the_self_test(bare: Bare, tmp_path: Path) -> None:
    model = slot.write_slot(tmp_path / "slot")
    _add(model / "golden" / "outputs" / "scores.npy", 40)
    document = bare.ask("selftest", model).document
    assert not document["passed"]
    assert document["outputs"]["scores"]["worst"] == pytest.approx(40, abs=1e-4)
    assert document["outputs"]["steps"]["worst"] == 0


def test_an_output_that_is_not_finite_fails_the_self_test(bare: Bare, tmp_path: Path) -> None:
    model = slot.write_slot(tmp_path / "slot")
    _add(model / "golden" / "inputs" / "bias.npy", np.nan)
    document = bare.ask("selftest", model).document
    assert not document["passed"]
    assert document["outputs"]["scores"]["worst"] is None


def test_processing_that_gives_other_pixels_here_fails_the_self_test(bare: Bare, tmp_path: Path) -> None:
    steps = [{"resize": {"height": 4, "width": 4, "kernel": "bicubic", "antialias": True}}]
    stated = {"steps": steps, "channels": 3, "golden": golden_digest(steps, 3)}
    honest = slot.write_slot(tmp_path / "honest", processing={"image": stated})
    assert bare.ask("selftest", honest).document["passed"]
    other = slot.write_slot(tmp_path / "other", processing={"image": {**stated, "golden": "0" * 64}})
    answer = bare.ask("selftest", other).document
    assert answer == {
        "error": "the processing of 'image' gives other pixels here than where it was built",
        "kind": "run",
    }
    unknown = slot.write_slot(tmp_path / "unknown", processing={"image": {**stated, "steps": [{"whiten": {}}]}})
    answer = bare.ask("selftest", unknown).document
    assert answer["kind"] == "data"
    assert "knows no processing step {'whiten': {}}" in answer["error"]


def test_a_function_that_gives_another_input_here_fails_the_self_test(bare: Bare, tmp_path: Path) -> None:
    given = slot.inputs(4, seed=7)["bias"]
    raw = tmp_path / "raw.npy"
    np.save(raw, (given[2] * 2).astype(np.float64))

    def answer(name: str, source: str, row: int = 2) -> Any:
        folder = tmp_path / name
        (folder / "golden" / "raw").mkdir(parents=True)
        path = f"golden/raw/bias.{row}.npy"
        (folder / path).write_bytes(raw.read_bytes())
        stated = {"bias": {"function": source, "raw": [path]}}
        return bare.ask("selftest", slot.write_slot(folder, processing=stated)).document

    assert answer("honest", "def halve(x):\n    return (x / 2).astype(np.float32)")["passed"]
    for name, source in (("other", "x * 2"), ("longer", "x[:4]"), ("wider", "x / 2"), ("nothing", "x * np.inf")):
        cast = "" if name == "wider" else ".astype(np.float32)"
        assert answer(name, f"def f(x):\n    return ({source}){cast}") == {
            "error": "the function of 'bias' gives another input here than where it was built",
            "kind": "run",
        }
    unknown = answer("code", "def f(x):\n    return np.load(x)")
    assert unknown == {"error": "line 2: the call of 'np.load' is not known", "kind": "data"}
    assert "belongs to no golden input" in answer("row", "def f(x):\n    return x", 9)["error"]


def test_resampling_that_gives_other_samples_here_fails_the_self_test(bare: Bare, tmp_path: Path) -> None:
    settings = {"rate": 16000, "from": 44100, "channel": None, "samples": 48, "fit": "exact", "dtype": "float32"}
    stated = {"audio": settings, "golden": audio_digest(settings)}
    honest = slot.write_slot(tmp_path / "honest", processing={"bias": stated})
    assert bare.ask("selftest", honest).document["passed"]
    other = slot.write_slot(tmp_path / "other", processing={"bias": {**stated, "golden": "0" * 64}})
    assert "gives other samples here" in bare.ask("selftest", other).document["error"]
    unknown = slot.write_slot(tmp_path / "unknown", processing={"bias": {**stated, "audio": {"rate": 1}}})
    assert "use a newer edgekit" in bare.ask("selftest", unknown).document["error"]


def test_a_tokenizer_that_gives_other_ids_here_fails_the_self_test(bare: Bare, tmp_path: Path) -> None:
    def answer(name: str, file: Any, golden: Any) -> Any:
        (tmp_path / name / "tokenizer").mkdir(parents=True)
        (tmp_path / name / "tokenizer" / "bias.json").write_text(json.dumps(file))
        stated = {"bias": {"path": "tokenizer/bias.json", "size": 3, "golden": golden}}
        return bare.ask("selftest", slot.write_slot(tmp_path / name, tokenizers=stated)).document

    unigram = {"model": {"type": "Unigram", "unk_id": 0, "vocab": [["?", 0.0], ["a", -1.0], ["ab", -1.5]]}}
    assert answer("honest", unigram, {"aab": [1, 2]})["passed"]
    assert answer("other", unigram, {"a": [1], "aab": [1, 1]}) == {
        "error": "the tokenizer of 'bias' makes other token ids of 'aab' here than where it was built",
        "kind": "run",
    }
    assert answer("kind", {"model": {"type": "WordLevel", "vocab": {"a": 1}}}, {"a": [1]})["passed"]


def _add(path: Path, change: float) -> None:
    array = np.load(path)
    array[2, 3] += change
    np.save(path, array)


def test_session_options_reach_the_runtime(bare: Bare, tmp_path: Path) -> None:
    model = slot.write_slot(tmp_path / "slot", options=[["session.load_model_format", "ORT"]])
    answer = bare.ask("selftest", model)
    assert answer.document["kind"] == "load"


@pytest.mark.lowers
def test_options_that_a_runtime_does_not_have_are_refused(bare: Bare, tmp_path: Path) -> None:
    model = slot.write_slot(tmp_path / "slot", "tflite", options=[["session.x", "1"]])
    answer = bare.ask("selftest", model)
    assert answer.document == {"error": ".tflite takes no options, its manifest has {'session.x': '1'}", "kind": "load"}


def test_info_needs_the_standard_library_alone(bare: Bare) -> None:
    answer = Bare(bare.folder, (*bare.python, "-S")).ask("info")
    assert answer.code == 0, answer.stderr
    assert answer.document["runtimes"] == {"pte": None, "onnx": None, "tflite": None}
    assert answer.document["cores"] >= 1


def _without_manifest(folder: Path) -> None:
    slot.write_slot(folder)
    (folder / "manifest.json").unlink()


def _broken_manifest(folder: Path) -> None:
    slot.write_slot(folder)
    (folder / "manifest.json").write_text('{"format": "onnx"}')


def _leaving_name(folder: Path) -> None:
    slot.write_slot(folder, model=["../model.onnx"])


def _broken_model(folder: Path) -> None:
    slot.write_slot(folder, weights=b"no model at all")


def _unknown_format(folder: Path) -> None:
    slot.write_slot(folder, format="onnx", weights=b"")
    slot.list_files(folder, {**_manifest(folder), "format": "engine"})


def _fewer_outputs(folder: Path) -> None:
    signature = {**slot.SIGNATURE, "outputs": slot.SIGNATURE["outputs"][:1]}
    slot.write_slot(folder, "tflite", signature=signature)


def _no_golden(folder: Path) -> None:
    slot.write_slot(folder)
    (folder / "golden" / "inputs" / "bias.npy").unlink()


def _wrong_golden_shape(folder: Path) -> None:
    slot.write_slot(folder)
    np.save(folder / "golden" / "inputs" / "image.npy", np.zeros((4, 3, 4, 4), np.uint8))


def _unequal_golden(folder: Path) -> None:
    slot.write_slot(folder)
    np.save(folder / "golden" / "inputs" / "bias.npy", np.zeros((3, 5), np.float32))


def _infinite_golden(folder: Path) -> None:
    _add(slot.write_slot(folder) / "golden" / "outputs" / "scores.npy", np.inf)


def _pickled_golden(folder: Path) -> None:
    slot.write_slot(folder)
    np.save(folder / "golden" / "inputs" / "bias.npy", np.array([{}], object), allow_pickle=True)


def _manifest(folder: Path) -> dict[str, Any]:
    import json

    written: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return written


@pytest.mark.parametrize(
    ("damage", "kind", "said"),
    [
        (_without_manifest, "data", "manifest.json' cannot be read"),
        (_broken_manifest, "data", "is not a manifest: KeyError: 'model'"),
        (_leaving_name, "data", "'../model.onnx' is no plain name"),
        (_broken_model, "load", "'model.onnx' cannot be loaded"),
        (_unknown_format, "runtime", "nothing here runs .engine"),
        pytest.param(_fewer_outputs, "run", "its manifest says float32[1, 5]", marks=pytest.mark.lowers),
        (_no_golden, "data", "bias.npy' cannot be read"),
        (_wrong_golden_shape, "data", "is uint8[4, 3, 4, 4], the model takes uint8[N, 4, 4, 3]"),
        (_unequal_golden, "data", "have different lengths"),
        (_infinite_golden, "data", "the golden output 'scores' is not finite"),
        (_pickled_golden, "data", "bias.npy' cannot be read"),
    ],
)
def test_every_error_is_a_document(bare: Bare, tmp_path: Path, damage: Any, kind: str, said: str) -> None:
    damage(tmp_path / "slot")
    answer = bare.ask("selftest", tmp_path / "slot")
    assert answer.code == 1
    assert answer.document["kind"] == kind
    assert said in answer.document["error"]
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("argv", [(), ("fly",), ("selftest",), ("selftest", "x", "--threads", "many"), ("slots",)])
def test_wrong_usage_is_a_document_too(bare: Bare, argv: tuple[str, ...]) -> None:
    answer = bare.ask(*argv)
    assert (answer.code, answer.document["kind"]) == (1, "usage")


@pytest.mark.lowers
def test_runtimes_that_write_to_stdout_do_not_disturb_the_answer(bare: Bare, tmp_path: Path) -> None:
    # ExecuTorch reports the reset of its thread pool from C++.
    answer = bare.ask("selftest", slot.write_slot(tmp_path / "slot", "pte"))
    assert answer.document["passed"]
    assert "thread" in answer.stderr

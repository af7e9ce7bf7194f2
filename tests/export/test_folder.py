"""A folder of an exported model: whole, told in a README whose programs run, and answering as the bundle does."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import ExportError, StorageError
from edgekit.export.contract import KEY
from edgekit.export.folder import export
from edgekit.ir.measurement import Array
from edgekit.ir.signature import Affine, FreeAxis, FreeLength, Signature, StatePair, TensorSpec
from edgekit.runner.files.flatbuffer import Table
from tests.export.conftest import LABELS, Packed, blocks, named_model, run_python
from tests.runner import slot

FORMATS = pytest.mark.parametrize("format", slot.FORMATS)


@FORMATS
def test_the_programs_of_the_readme_run_and_answer_as_the_bundle_does(
    format: str, packed: Packed, tmp_path: Path
) -> None:
    contract = export(packed(format), tmp_path / "out")
    scope = run_python(tmp_path / "out")
    for name in ("scores", "steps"):
        golden = np.load(tmp_path / "out" / "golden" / "outputs" / f"{name}.npy")[:1]
        assert np.array_equal(scope["answers"][name], golden) or np.allclose(scope["answers"][name], golden, 1e-6, 1e-6)
    assert scope["contract"] == contract.to_json()
    assert scope["contract"] == (tmp_path / "out" / "edgekit.contract.json").read_text().strip()
    best = int(scope["answers"]["scores"].argmax())
    assert scope["printed"].strip() == " ".join(LABELS[best].split("\n"))
    (kotlin,), (cpp,) = blocks(tmp_path / "out", "kotlin"), blocks(tmp_path / "out", "cpp")
    for program in (kotlin, cpp):
        assert f'"model.{format}"' in program
        assert all(name in program for name in ("image", "bias", "scores", "steps"))
    assert "std::vector<uint8_t> image(48);" in cpp
    assert "const int8_t* steps_answer" in cpp


@FORMATS
def test_the_model_of_the_bundle_lies_in_the_exported_file_byte_for_byte(
    format: str, packed: Packed, tmp_path: Path
) -> None:
    export(packed(format), tmp_path / "out")
    whole, original = (tmp_path / "out" / f"model.{format}").read_bytes(), named_model(format)
    assert original in whole
    assert (whole.index(original) == 0) is (format == "onnx")


@FORMATS
def test_the_same_bundle_gives_the_same_bytes(format: str, packed: Packed, tmp_path: Path) -> None:
    bundle = packed(format)
    for name in ("one", "two"):
        export(bundle, tmp_path / name, hub=True)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert {"model." + format, "README.md", "labels.txt", ".gitattributes"} <= {path.as_posix() for path in files}
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes() for path in files)


def test_the_contract_has_labels_lineage_and_the_digest_of_the_bundle(packed: Packed, tmp_path: Path) -> None:
    bundle = packed()
    export(bundle, tmp_path / "out")
    contract = json.loads((tmp_path / "out" / "edgekit.contract.json").read_text())
    assert contract["labels"] == list(LABELS)
    assert contract["lineage"]["bundle_digest"] == bundle.digest
    assert contract["lineage"]["signers"] == [bundle.signer]
    assert contract["lineage"]["model_sha256"] == {"model.onnx": bundle.manifest.files[-1].sha256}
    assert [each["values"] for each in contract["outputs"]] == ["logits", "logits"]
    assert contract["outputs"][1]["quantization"] == {"scale": slot.SCALE, "zero_point": slot.ZERO_POINT}
    assert (tmp_path / "out" / "labels.txt").read_text().split("\n") == [
        *(" ".join(label.split("\n")) for label in LABELS),
        "",
    ]


def test_onnx_and_its_checker_take_the_file(packed: Packed, tmp_path: Path) -> None:
    import onnx

    export(packed(), tmp_path / "out")
    model = onnx.load(tmp_path / "out" / "model.onnx")
    onnx.checker.check_model(model)
    assert [entry.key for entry in model.metadata_props] == [KEY]


def test_android_reads_what_each_tensor_is_and_the_labels(packed: Packed, tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    export(packed("tflite"), tmp_path / "out")
    path = tmp_path / "out" / "model.tflite"
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    (entry,) = [each for each in model.metadata if each.name == b"TFLITE_METADATA"]
    described = Table.root(bytes(model.buffers[entry.buffer].data), b"M001")
    (subgraph,) = described.tables(3)
    inputs, outputs = list(subgraph.tables(2)), list(subgraph.tables(3))
    assert [each.text(0) for each in (*inputs, *outputs)] == ["image", "bias", "scores", "steps"]
    content = inputs[0].table(3)
    assert content is not None
    properties = content.table(1)
    assert content.number(0, "B") == 2  # ImageProperties
    assert properties is not None
    assert properties.number(0, "b") == 1  # RGB
    (labels,) = outputs[0].tables(6)
    assert (labels.text(0), labels.number(2, "b")) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS
    assert list(outputs[1].tables(6)) == []
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read(labels.text(0)) == (tmp_path / "out" / "labels.txt").read_bytes()


def test_buffers_behind_a_tflite_model_are_moved_with_it(tmp_path: Path, packed: Packed) -> None:
    from ai_edge_litert import schema_py_generated as schema

    from edgekit.backends.tflite.appended_buffers import inline, write_appended

    content = named_model("tflite")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:  # one beyond the limit from which buffers lie behind the model
        if buffer.data is not None and len(buffer.data) == slot.WEIGHTS.nbytes:
            buffer.data = np.concatenate([buffer.data, np.zeros(4096, np.uint8)])
    model.buffers[-1].data = np.arange(5000, dtype=np.uint16).view(np.uint8) if model.buffers[-1].data is None else None
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.arange(3000, dtype=np.uint16).view(np.uint8)
    write_appended(model, tmp_path / "appended.tflite")
    export(packed("tflite", (tmp_path / "appended.tflite").read_bytes()), tmp_path / "out")
    whole = (tmp_path / "out" / "model.tflite").read_bytes()
    moved = schema.ModelT.InitFromPackedBuf(whole, 0)
    inline(moved, whole)
    last = moved.buffers[len(model.buffers) - 1].data
    assert np.array_equal(np.asarray(last), model.buffers[-1].data)


def test_executorch_reads_the_contract_as_named_data(packed: Packed, tmp_path: Path) -> None:
    from executorch.exir._serialize._program import deserialize_pte_binary

    contract = export(packed("pte"), tmp_path / "out")
    program = deserialize_pte_binary((tmp_path / "out" / "model.pte").read_bytes())
    assert program.named_data is not None
    place = program.named_data.pte_data[KEY].buffer_index
    assert bytes(program.named_data.buffers[place]) == contract.to_json().encode()


def test_a_compiler_takes_the_program_in_cpp(packed: Packed, tmp_path: Path) -> None:
    executorch = importlib.util.find_spec("executorch")
    places = list(executorch.submodule_search_locations or ()) if executorch else []
    include = next((Path(place) / "include" for place in places if (Path(place) / "include").is_dir()), None)
    compiler = shutil.which("g++")
    if include is None or compiler is None:
        pytest.skip("ExecuTorch alone brings its headers in a wheel, and they or g++ are missing")
    export(packed("pte"), tmp_path / "out")
    (program,) = blocks(tmp_path / "out", "cpp")
    includes, body = program.split("\n\n", 1)
    source = tmp_path / "program.cpp"
    source.write_text(f"{includes}\nint main() {{\n{body}\nreturn scores_answer && steps_answer ? 0 : 1;\n}}\n")
    c10 = include / "executorch" / "runtime" / "core" / "portable_type" / "c10"
    options = ["-w", "-std=c++17", "-fsyntax-only", "-DC10_USING_CUSTOM_GENERATED_MACROS", f"-I{include}", f"-I{c10}"]
    done = subprocess.run([compiler, *options, str(source)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("format", ["pte", "tflite"])
def test_a_file_without_a_place_for_the_contract_is_refused_and_nothing_is_left(
    format: str, packed: Packed, tmp_path: Path
) -> None:
    content = named_model(format)
    for bad in (b"", content[:40], b"\xff" * 64, content[:4] + b"XXXX" + content[8:]):
        bundle = packed(format, bad)
        with pytest.raises(ExportError) as refused:
            export(bundle, tmp_path / "out")
        assert refused.value.hint
        assert [path.name for path in tmp_path.iterdir()] == [f"{format}.edgekit"]


def test_a_folder_that_is_there_stays_as_it_is(packed: Packed, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(StorageError) as refused:
        export(packed(), tmp_path / "out")
    assert "--out" in (refused.value.hint or "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_state_is_carried_by_the_program_in_the_readme(packed: Packed, tmp_path: Path) -> None:
    signature = Signature(
        inputs=(TensorSpec("x", "float32", (1, 2)), TensorSpec("h", "float32", (1, 2))),
        outputs=(TensorSpec("sum", "float32", (1, 2)), TensorSpec("h_out", "float32", (1, 2))),
        state=(StatePair("h", "h_out"),),
    )
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    golden = {"inputs/x": x, "outputs/sum": x.cumsum(axis=1)}
    content = onnx_model([("Add", ["x", "h"], ["sum"]), ("Identity", ["sum"], ["h_out"])], signature)
    export(packed("onnx", content, signature, golden, task="regression", classes=()), tmp_path / "out")
    scope = run_python(tmp_path / "out")
    assert np.array_equal(scope["answers"]["sum"], golden["outputs/sum"][:1, -1])
    assert "zeros before the first step" in (tmp_path / "out" / "README.md").read_text()
    assert not (tmp_path / "out" / "labels.txt").exists()


def test_a_sample_of_a_free_length_is_cut_to_its_own(packed: Packed, tmp_path: Path) -> None:
    axis = (FreeAxis(1, "n"),)
    signature = Signature(
        inputs=(TensorSpec("x", "float32", (1, 8), free=axis),),
        outputs=(TensorSpec("twice", "float32", (1, 8), free=axis),),
        lengths=(FreeLength("n", 1, 8),),
    )
    x = np.zeros((2, 8), np.float32)
    x[0, :5], x[1] = 1, 2
    golden = {"inputs/x": x, "inputs/n.length": np.array([5, 8]), "outputs/twice": 2 * x}
    content = onnx_model([("Add", ["x", "x"], ["twice"])], signature)
    export(packed("onnx", content, signature, golden, task="regression", classes=()), tmp_path / "out")
    assert run_python(tmp_path / "out")["answers"]["twice"].tolist() == [[2.0] * 5]
    assert "axis 1: n" in (tmp_path / "out" / "README.md").read_text()


def test_names_of_a_bundle_are_no_markdown_in_the_readme(packed: Packed, tmp_path: Path) -> None:
    link, label = "![x](http://example.org)", "a|b `c` <i>"
    export(packed(name=link, classes=(link, label, *LABELS[2:])), tmp_path / "out")
    page = (tmp_path / "out" / "README.md").read_text()
    told = page.split("```")[0] + page.split("Classes, in order")[1].split("\n")[0]
    assert link not in told
    assert r"# !\[x\](http://example.org)" in told
    assert r"a\|b \`c\` &lt;i&gt;" in told


def test_a_model_with_several_entry_points_names_them(packed: Packed, tmp_path: Path) -> None:
    axis = (FreeAxis(1, "n"),)
    signature = Signature(
        inputs=(TensorSpec("x", "float32", (1, 8), free=axis),),
        outputs=(TensorSpec("twice", "float32", (1, 8), free=axis),),
        lengths=(FreeLength("n", 1, 8, buckets=(4, 8)),),
    )
    x = np.ones((2, 8), np.float32)
    golden = {"inputs/x": x, "inputs/n.length": np.array([8, 8]), "outputs/twice": 2 * x}
    contract = export(packed("tflite", None, signature, golden, task="regression", classes=()), tmp_path / "out")
    assert contract.entries == ("bucket0", "bucket1")
    assert "bucket0, bucket1" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("task", "values", "affine", "meaning"),
    [
        ("classification", [[0.25, 0.75], [0.5, 0.5]], None, "probabilities"),
        ("classification", [[0.25, 0.5], [0.5, 0.5]], None, "logits"),
        ("classification", [[-1.0, 2.0], [0.5, 0.5]], None, "logits"),
        ("multi-label", [[0.25, 0.5], [0.9, 0.5]], None, "probabilities"),
        ("regression", [[0.25, 0.75], [0.5, 0.5]], None, "answers"),
        ("classification", np.array([[-128, 127], [0, 0]], np.int8), Affine(1 / 256, -128), "probabilities"),
        ("classification", np.array([[0, 1], [1, 0]], np.int64), None, "answers"),
    ],
)
def test_what_an_output_holds_is_told_by_its_golden_values(
    task: str, values: Any, affine: Affine | None, meaning: str
) -> None:
    from edgekit.export.output_values import output_values

    array: Array = np.asarray(values) if isinstance(values, np.ndarray) else np.asarray(values, np.float32)
    assert output_values(task, TensorSpec("y", str(array.dtype), (1, 2), affine), array, 2) == meaning


def onnx_model(nodes: list[tuple[str, list[str], list[str]]], signature: Signature) -> bytes:
    """Model of a few operators on float32."""
    from onnx import TensorProto, helper

    def info(spec: TensorSpec) -> Any:
        sizes: list[int | str] = list(spec.shape)
        for axis in spec.free:
            sizes[axis.axis] = axis.length
        return helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, sizes)

    graph = helper.make_graph(
        [helper.make_node(kind, inputs, outputs) for kind, inputs, outputs in nodes],
        "model",
        list(map(info, signature.inputs)),
        list(map(info, signature.outputs)),
    )
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return content

"""What targets and the files of kinds say about accelerators, and what is refused in a target of one's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit.errors import SpecError, UnknownName
from edgekit.specs.accelerator_kind import KINDS, Kind
from edgekit.specs.catalog import Catalog, builtin_root
from edgekit.specs.target import Target

CATALOG = Catalog((builtin_root(),))
TARGETS = CATALOG.targets()
DOCUMENT = builtin_root() / "docs" / "accelerators.md"

BOARD = """
schema = 1
title = "Mine"
family = "android"
sources = ["[1] made up"]
cpu = { cores = ["1x cortex-a53"] }
gpu = { name = "a-gpu" }
memory = { ram_mb = 64 }
runtime = [{ backend = "onnx", delegates = ["tensorrt", "cpu"] }]
deploy = { transport = "ssh", root = "/opt/edgekit" }

[[accelerator]]
unit = "gpu"
kind = "tensorrt"
backend = "onnx"
activations = ["int8"]
weights = ["int8"]
"""


def rows() -> list[str]:
    """The rows of the table of docs/accelerators.md."""
    return [
        f"| `{target.id}` | {target.accelerator_text(each)} | {each.backend} | {', '.join(each.activations)} "
        f"| {', '.join(each.weights)} | {CATALOG.accelerator(each.kind).evidence} |"
        for target in TARGETS
        for each in target.accelerator
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_of_a_kind_names_a_source_of_its_file(kind: Kind) -> None:
    facts = CATALOG.accelerator(kind)
    numbers = {source.partition(" ")[0] for source in facts.sources}
    text = (builtin_root() / "accelerators" / f"{kind}.toml").read_text()
    for line in (line for line in text.partition("]\n")[2].splitlines() if " = " in line):
        cited = set(re.findall(r"\[\d+\]", line.partition("#")[2]))
        assert cited, f"no source: {line}"
        assert cited <= numbers, f"no such source: {line}"
    assert all(text.count(number) >= 2 for number in numbers)


def test_kinds_that_are_delegates_of_a_runtime_are_stated_as_accelerators() -> None:
    for target in TARGETS:
        stated = {(each.backend, each.kind) for each in target.accelerator}
        for runtime in target.runtime:
            assert {(runtime.backend, name) for name in runtime.delegates if name in KINDS} <= stated


def test_hexagon_takes_float16_from_v73_on() -> None:
    for target in TARGETS:
        for each in target.accelerators("onnx", None):
            if each.kind == "qnn-htp":
                assert target.npu
                assert target.npu.htp
                assert ("float16" in each.activations) is (target.npu.htp >= "v73")
                assert "int8" not in each.activations


def test_the_accelerators_of_a_backend_on_one_unit() -> None:
    phone = CATALOG.target("snapdragon-8-gen-3")
    assert [each.kind for each in phone.accelerators("onnx")] == ["qnn-htp"]
    assert [each.kind for each in phone.accelerators("tflite", "gpu")] == ["litert-gpu"]
    assert phone.accelerators("executorch") == ()
    with pytest.raises(UnknownName, match="'snapdragon-8-gen-3' has no npu that runs files of 'tflite'") as error:
        phone.accelerators("tflite", "npu")
    assert error.value.hint == "--accelerator gpu --backend tflite or --accelerator npu --backend onnx"
    with pytest.raises(UnknownName) as nothing:
        CATALOG.target("host").accelerators("onnx", "npu")
    assert nothing.value.hint == "--accelerator cpu: the target states no accelerator"


def test_the_table_of_the_documentation_is_that_of_the_targets() -> None:
    table = DOCUMENT.read_text().partition("| target |")[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == rows()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('gpu = { name = "a-gpu" }\n', ""), r"accelerator 'tensorrt' runs on the gpu: state its name under \[gpu\]"),
        (('backend = "onnx"\nact', 'backend = "tflite"\nact'), r"files of 'tflite', and no \[\[runtime\]\] has"),
        (('["int8"]\nweights', '["uint8"]\nweights'), r"'tensorrt' does not take the int8 activations of its"),
        (('kind = "tensorrt"', 'kind = "tensor-rt"'), r"'accelerator\.0\.kind': no file states 'tensor-rt'"),
        (('unit = "gpu"', 'unit = "tpu"'), r"'accelerator\.0\.unit': input should be 'gpu' or 'npu'"),
        (('["int8"]\nweights', "[]\nweights"), r"'accelerator\.0\.activations': should not be empty"),
        (('weights = ["int8"]', 'weights = ["int8"]\nrank = 4'), r"'accelerator\.0\.rank': no such key"),
    ],
)
def test_an_accelerator_that_is_wrong_is_refused_with_its_key(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    assert own(tmp_path, BOARD).accelerator[0].kind == "tensorrt"
    assert change[0] in BOARD
    with pytest.raises(SpecError, match=message):
        own(tmp_path, BOARD.replace(*change))


def test_an_accelerator_that_is_stated_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="accelerator 'tensorrt' is stated twice for 'onnx'"):
        own(tmp_path, BOARD + BOARD[BOARD.index("[[accelerator]]") :])


def own(folder: Path, text: str) -> Target:
    (folder / "targets").mkdir(exist_ok=True)
    (folder / "targets" / "mine.toml").write_text(text)
    return Catalog((folder,)).target("mine")

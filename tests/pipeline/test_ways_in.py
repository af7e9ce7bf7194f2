"""A whole build for each way in which a project can state its model, and refusals before anything heavy is imported."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.command_line import LENIENT, environment
from tests.conftest import Command
from tests.networks import MODEL, TOML, substitute, write_project

ONE_WAY = '"model.py:net"\n'


def network() -> torch.nn.Module:
    """The network of the tests' projects: four colours, told apart."""
    space: dict[str, Any] = {"__name__": "colours"}
    exec(MODEL, space)
    made: torch.nn.Module = space["net"]()
    return made


EXAMPLE = (torch.rand(1, 3, 8, 8),)


def program(folder: Path) -> str:
    torch.export.save(torch.export.export(network(), EXAMPLE), folder / "net.pt2")
    return 'file = "net.pt2"\n'


def script(folder: Path) -> str:
    torch.jit.save(torch.jit.trace(network(), EXAMPLE), str(folder / "net.pt"))  # type: ignore[no-untyped-call]
    return 'file = "net.pt"\n'


def onnx(folder: Path) -> str:
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(network(), EXAMPLE, str(folder / "net.onnx"), dynamo=False, input_names=["image"])
    return 'file = "net.onnx"\n'


def weights(folder: Path) -> str:
    torch.save({"model": {f"module.{name}": value for name, value in network().state_dict().items()}}, folder / "w.pt")
    model = substitute("        found.head.weight.copy_((torch.linalg.pinv(features) @ (4 * torch.eye(4))).T)\n", "")
    (folder / "model.py").write_text(model)
    return f'factory = {ONE_WAY}weights = "w.pt"\n'


WAYS: dict[str, Callable[[Path], str]] = {"program": program, "script": script, "onnx": onnx, "weights": weights}


def stated(folder: Path, way: Callable[[Path], str], toml: str = TOML) -> Path:
    write_project(folder, samples=64)
    with warnings.catch_warnings(action="ignore"):
        lines = way(folder)
    (folder / "edgekit.toml").write_text(substitute(f"factory = {ONE_WAY}", lines, toml))
    if "weights" not in lines:
        (folder / "model.py").unlink()
    return folder


@pytest.fixture(scope="module")
def project_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Project of each way in: its program, its samples and its reference serve all backends."""
    return cache(lambda way: stated(tmp_path_factory.mktemp(way) / "project", WAYS[way]))


def build(command: Command, folder: Path, backend: str, profile: str = "int8-plain") -> dict[str, Any]:
    argv = ("build", "--project", folder, "--target", "host", "--backend", backend, "--profile", profile)
    ended = command(*argv, *LENIENT, "--json", "--out", folder / f"out-{backend}")
    assert ended.code == 0, ended.err
    report: dict[str, Any] = ended.document["reports"][0]
    return report


@pytest.mark.builds
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("way", "backend"),
    [
        *((way, "onnx") for way in WAYS),
        ("onnx", "executorch"),
        ("onnx", "tflite"),
    ],
)
def test_a_model_is_built_in_eight_bits(
    command: Command, project_of: Callable[[str], Path], way: str, backend: str
) -> None:
    """Other backends have one way that converts: all come to them as a program, as a factory's network does."""
    report = build(command, project_of(way), backend)
    assert report["verdict"] == "passed"
    assert report["candidate"]["metric"]["value"] == 1.0
    assert report["artifact"]["integer_share"] > 0.9


@pytest.mark.builds
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("way", [program, onnx])
def test_a_model_file_is_pruned_and_recovered_on_the_line(
    command: Command, tmp_path: Path, way: Callable[[Path], str]
) -> None:
    folder = stated(
        tmp_path / "project", way, TOML + TOML.rpartition("\n")[0].splitlines()[-1].replace("evaluation", "training")
    )
    (folder / "profiles").mkdir()
    (folder / "profiles" / "small.toml").write_text(
        'schema = 1\nsummary = "Channels cut by a quarter"\n'
        'families = ["host"]\n[prune]\npattern = "structured"\nratio = 0.25\nround_to = 2\n'
        "[recover]\nepochs = 1\nbatch = 8\n[gates]\nagreement = { min = 0.5 }\n"
    )
    report = build(command, folder, "onnx", "small")
    assert report["verdict"] == "passed"


@pytest.mark.builds
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_sentence_classifier_of_transformers_is_built(command: Command, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=16, num_labels=2,
    )  # fmt: skip
    classifier = transformers.BertForSequenceClassification(config).eval()
    classifier.save_pretrained(tmp_path / "net")
    tokens = np.random.default_rng(0).integers(1, 40, (64, 12))
    with torch.no_grad():
        labels = classifier(input_ids=torch.from_numpy(tokens)).logits.argmax(1).numpy()
    mask = np.ones_like(tokens)
    np.savez(tmp_path / "data.npz", input_ids=tokens, attention_mask=mask, labels=labels)
    tables = "".join(f'[inputs.{name}]\nshape = [12]\ndtype = "int64"\n' for name in ("input_ids", "attention_mask"))
    head = '[model]\nfolder = "net"\nclasses = ["a", "b"]\n'
    (tmp_path / "edgekit.toml").write_text(head + tables + "[data]" + TOML.partition("[data]")[2])
    report = build(command, tmp_path, "onnx", "float32")
    assert report["candidate"]["metric"]["value"] == report["reference"]["metric"]["value"]


NOWHERE = {
    'file = "net.onnx"\n': ("EK101", "there is no file 'net.onnx'"),
    'file = "bad.onnx"\n': ("EK107", "cannot be read"),
    'file = "bad.pt2"\n': ("EK107", "written neither by torch"),
    'folder = "gone"\n': ("EK101", "there is no folder 'gone'"),
    f'factory = {ONE_WAY}weights = "gone.pt"\n': ("EK101", "there is no file 'gone.pt'"),
    f'factory = {ONE_WAY}file = "bad.pt2"\n': ("EK101", "exactly one of"),
}
"""Ways that lead nowhere: code and words of each one's error."""
REFUSED = """
import contextlib, io, json, sys
from edgekit.cli import execute

for verb, folder in json.loads(sys.argv.pop()):
    sys.argv = ["edgekit", verb, "--project", folder, "--target", "host"]
    err, code = io.StringIO(), 0
    with contextlib.redirect_stderr(err):
        try:
            execute()
        except SystemExit as exit:
            code = exit.code
    print(json.dumps([code, err.getvalue(), [name for name in ("torch", "onnx") if name in sys.modules]]))
"""


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, list[str]]]:
    """Exit code and standard error by way, and what heavy is imported by then; all in one fresh process."""
    commands = []
    for lines in NOWHERE:
        folder = write_project(tmp_path_factory.mktemp("nowhere") / "project", samples=4)
        (folder / "edgekit.toml").write_text(substitute(f"factory = {ONE_WAY}", lines, TOML))
        for name in ("bad.onnx", "bad.pt2"):
            (folder / name).write_bytes(b"\xff" * 64)
        commands.append(("plan" if "gone" in lines else "build", str(folder)))
    argv = [sys.executable, "-c", REFUSED, json.dumps(commands)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment())
    return dict(zip(NOWHERE, map(json.loads, ended.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("lines", NOWHERE)
def test_a_way_that_leads_nowhere_is_refused_before_torch_is_imported(
    refused: dict[str, tuple[int, str, list[str]]], lines: str
) -> None:
    code, words = NOWHERE[lines]
    exit_code, said, imported = refused[lines]
    assert (exit_code, imported) == (2, [])
    assert f"error {code}: " in said
    assert words in said.replace("\n", " ")
    assert "\n  hint: " in said or words.startswith("exactly one of")

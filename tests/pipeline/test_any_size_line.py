"""Pictures of mixed sizes through the whole line: the steps are in the bundle, and the device proves its own."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.ir.measurement import Array
from edgekit.runner.processing.golden import golden_digest
from tests.command_line import LENIENT, PLAIN, QUICK, edgekit_here
from tests.networks import COLOURS, TOML, substitute, write_project

pytestmark = pytest.mark.builds

FLAT = 'preprocess = { from = "uint8 NHWC",'
STEPS = f'{FLAT} resize = {{ shorter = 10, kernel = "bilinear" }}, crop = [8, 8],'
SIZES = ((30, 41), (24, 16), (8, 100), (57, 57))


ON_DEVICE = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
from runner.model.manifest import read_manifest
from runner.processing.steps import process
from runner.runtimes.model import LoadedModel
manifest = read_manifest(Path(sys.argv[2]))
inputs = [process(manifest.processing["image"].steps, np.load(path))[None] for path in sys.argv[4:]]
model = LoadedModel.load(manifest, 1, [inputs[0]])
np.save(sys.argv[3], np.concatenate([model.call([each])[0] for each in inputs]))
assert not {"PIL", "edgekit", "torch"} & set(sys.modules)
"""
"""An application on a device: its runner, numpy, and pictures as a camera gives them."""


def project(folder: Path) -> Path:
    toml = substitute(FLAT, STEPS, TOML).replace('path = "data.npz"', 'path = "pictures"')
    root = write_project(folder, toml=toml)
    random = np.random.default_rng(0)
    for name, colour in zip("abcd", COLOURS, strict=True):
        (root / "pictures" / name).mkdir(parents=True)
        for i, size in enumerate(SIZES):
            pixels = np.array(colour) + random.integers(-16, 17, (*size, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(root / "pictures" / name / f"{i}.png")
    (root / "pictures" / "d" / "9.png").write_bytes(b"")
    return root


def test_pictures_of_mixed_sizes_go_through_the_whole_line(tmp_path: Path, places: dict[str, str]) -> None:
    root, device = project(tmp_path / "project"), tmp_path / "device"
    options = ("--project", root, "--target", "host", "--backend", "onnx", *LENIENT, *PLAIN)
    out = tmp_path / "out"
    ended = edgekit_here("run", *options, *QUICK, "--device", f"local://{device}", "--out", out, "--json", env=places)
    assert ended.code == 0, ended.err + ended.out
    with zipfile.ZipFile(next(out.glob("*.edgekit"))) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
    stated = manifest["processing"]["image"]
    assert [next(iter(step)) for step in stated["steps"]] == ["shorter", "crop"]
    assert (stated["channels"], stated["golden"]) == (3, golden_digest(stated["steps"], 3))
    assert [spec["shape"] for spec in manifest["signature"]["inputs"]] == [[1, 8, 8, 3]]
    report = json.loads((out / "report.json").read_text())
    assert "shorter side 10 by bilinear with antialias, crop 8 x 8" in report["artifact"]["preprocessing"]["image"]
    assert any("'d/9.png' cannot be read as a picture: it is empty" in remark for remark in report["warnings"])
    answers = answers_on(device, sorted((root / "pictures").glob("?/[0-3].png")), tmp_path)
    with np.load(out / "candidate.npz") as measured:
        np.testing.assert_array_equal(answers, measured["output/output"])


def answers_on(device: Path, pictures: list[Path], folder: Path) -> Array:
    """Answers of the device's own runner to raw pictures, float32 [N, 4]."""
    raw = [folder / f"{i}.npy" for i in range(len(pictures))]
    for path, picture in zip(raw, pictures, strict=True):
        np.save(path, np.asarray(Image.open(picture)))
    archive, result = next((device / "runner").glob("*.pyz")), folder / "answers.npy"
    command = (sys.executable, "-I", "-c", ON_DEVICE, archive, device / "current", result, *raw)
    subprocess.run(list(map(str, command)), check=True, timeout=120)
    answers: Array = np.load(result)
    return answers

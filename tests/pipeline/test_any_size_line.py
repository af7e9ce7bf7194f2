"""Pictures of mixed sizes through the whole line: the steps are in the bundle, and the device proves its own."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.runner.processing.golden import golden_digest
from tests.command_line import LENIENT, PLAIN, QUICK, edgekit_here
from tests.networks import COLOURS, TOML, substitute, write_project

pytestmark = pytest.mark.builds

FLAT = 'preprocess = { from = "uint8 NHWC",'
STEPS = f'{FLAT} resize = {{ shorter = 10, kernel = "bilinear" }}, crop = [8, 8],'
SIZES = ((30, 41), (24, 16), (8, 100), (57, 57))


def project(folder: Path) -> Path:
    toml = substitute(FLAT, STEPS, TOML).replace('path = "data.npz"', 'path = "pictures"')
    root = write_project(folder, toml=toml)
    random = np.random.default_rng(0)
    for name, colour in zip("abcd", COLOURS, strict=True):
        (root / "pictures" / name).mkdir(parents=True)
        for i, size in enumerate(SIZES):
            pixels = np.array(colour) + random.integers(-16, 17, (*size, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(root / "pictures" / name / f"{i}.png")
    return root


def test_pictures_of_mixed_sizes_go_through_the_whole_line(tmp_path: Path, places: dict[str, str]) -> None:
    options = ("--project", project(tmp_path / "project"), "--target", "host", "--backend", "onnx", *LENIENT, *PLAIN)
    device = f"local://{tmp_path / 'device'}"
    ended = edgekit_here("run", *options, *QUICK, "--device", device, "--out", tmp_path / "out", "--json", env=places)
    assert ended.code == 0, ended.err + ended.out
    with zipfile.ZipFile(next((tmp_path / "out").glob("*.edgekit"))) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
    stated = manifest["processing"]["image"]
    assert [next(iter(step)) for step in stated["steps"]] == ["shorter", "crop"]
    assert (stated["channels"], stated["golden"]) == (3, golden_digest(stated["steps"], 3))
    assert [spec["shape"] for spec in manifest["signature"]["inputs"]] == [[1, 8, 8, 3]]

"""A trained language model through the whole line: prefill and decode on one cache, against eager torch."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from edgekit.backends.verify_prefill import decode_agreement_db
from edgekit.runner.errors import RunnerError
from edgekit.runner.model.manifest import read_manifest
from edgekit.runner.runtimes.token_decoder import TokenDecoder, greedy
from tests.command_line import LENIENT, edgekit_here
from tests.stories_project import WEIGHTS, needed, torch_text, write_stories

pytestmark = [pytest.mark.builds, pytest.mark.lowers, needed]


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stories(tmp_path_factory.mktemp("stories") / "stories", count=4, steps=20)


@pytest.fixture(scope="module")
def excerpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of its layers, whose text varies: converters take as long as there are layers."""
    return write_stories(tmp_path_factory.mktemp("stories") / "excerpt", count=4, steps=20, layers=(2, 3))


@pytest.mark.parametrize(
    ("project", "backend"), [("stories", "onnx"), ("excerpt", "tflite"), ("excerpt", "executorch")]
)
def test_a_story_is_the_one_that_torch_writes(
    request: pytest.FixtureRequest, places: dict[str, str], tmp_path: Path, project: str, backend: str
) -> None:
    stories: Path = request.getfixturevalue(project)
    argv = ("--project", stories, "--target", "host", "--backend", backend, "--profile", "float32")
    edgekit_here("build", *argv, "--out", tmp_path / "out", *LENIENT, env=places)
    zipfile.ZipFile(next((tmp_path / "out").glob("*.edgekit"))).extractall(tmp_path / "slot")
    manifest = read_manifest(tmp_path / "slot")
    assert manifest.prefill == (16,)
    stored = sum(path.stat().st_size for path in (tmp_path / "slot").iterdir() if path.stem not in ("manifest",))
    assert stored < 1.45 * (stories / WEIGHTS.name).stat().st_size, "the weights are stored once"
    decoder = TokenDecoder(manifest, 1)
    story = torch_text(stories, [1], 200)
    assert len(set(story)) > 20
    assert list(greedy(decoder, [1], 200)) == story
    decoder.reset()
    # Two chunks and seven single tokens, then the rest of the story.
    assert list(greedy(decoder, [1, *story[:38]], 100)) == story[38:138]
    assert decode_agreement_db(manifest, [story[:16], story[20:36]]) > 80
    with pytest.raises(RunnerError, match="longer than the cache, which holds 512"):
        decoder.prefill(story * 2)


def test_int4_rounded_by_data_is_stored_once_for_all_entry_points(
    stories: Path, places: dict[str, str], tmp_path: Path
) -> None:
    settings = ("gates.agreement.min=0", "gates.accuracy_drop.max=9", "quantize.weights.rounding=gptq")
    chosen = ("--project", stories, "--target", "host", "--backend", "onnx", "--profile", "weight-only-int4")
    argv = (*chosen, *LENIENT, *(word for setting in settings for word in ("--set", f"profile.{setting}")))
    plan = edgekit_here("plan", *argv, "--json", env=places)
    assert json.loads(plan.out)["plans"][0]["stages"]["round"] == "to do"
    edgekit_here("build", *argv, "--out", tmp_path / "out", env=places)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "round" in {stage["name"] for stage in report["stages"]}
    assert report["tokens"]["kl_mean"]["value"] < 0.1, "nearest rounding has 0.11"
    zipfile.ZipFile(next((tmp_path / "out").glob("*.edgekit"))).extractall(tmp_path / "slot")
    assert (tmp_path / "slot" / "weights.bin").stat().st_size < 0.25e6, "the weights are there twice"
    texts = [torch_text(stories, [1], 16), torch_text(stories, [1, 403], 16)]
    assert decode_agreement_db(read_manifest(tmp_path / "slot"), texts) > 60

"""The embedded language model: its text, tokenizer and weights are what its card says, and its steps are its texts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from edgekit.datasets.tokenizer import read_tokenizer
from edgekit.examples import folder
from edgekit.samples import load_samples
from edgekit.specs.factory import resolve
from edgekit.specs.project import Project
from edgekit.tasks.language_model import LanguageModel

FOLDER = folder("stories")
WEIGHTS = FOLDER / "weights.safetensors"


@pytest.fixture(scope="module")
def project() -> Project:
    return Project.read(FOLDER)


def logits(project: Project, tokens: np.ndarray) -> np.ndarray:
    """Logits of whole texts [N, T], by the form that is trained."""
    with torch.no_grad():
        whole: np.ndarray = resolve("model.py:stories", project.root)().whole(torch.from_numpy(tokens)).numpy()
    return whole


def test_a_step_with_the_cache_scores_what_the_whole_text_does(project: Project) -> None:
    tokens = load_samples(project, "evaluation").inputs["token"][:1]
    network = resolve("model.py:stories", project.root)()
    state = [torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in project.state.values()]
    *caches, place = state
    steps = []
    with torch.no_grad():
        for i, token in enumerate(tokens[0]):
            scores, *rows, place = network(torch.tensor([token]), *caches, place)
            for cache, row, spec in zip(caches, rows, project.state.values(), strict=False):
                assert spec.append is not None
                cache.narrow(spec.append, i, 1).copy_(row)
            steps.append(scores.numpy())
    np.testing.assert_allclose(np.concatenate(steps), logits(project, tokens)[0], atol=2e-4)
    assert place.tolist() == [128]


def test_the_perplexity_is_the_recorded_one_and_far_better_than_chance(project: Project) -> None:
    samples, task = load_samples(project, "evaluation"), LanguageModel()
    perplexity = task.score(logits(project, samples.inputs["token"]), samples.labels).value
    with safe_open(WEIGHTS, "pt") as file:
        assert file.metadata() == {"perplexity": f"{perplexity:.2f}"}
    chance = task.chance(samples.labels)
    assert chance is not None
    assert perplexity < chance / 3
    card = (FOLDER / "CARD.md").read_text("utf-8")
    assert f"| {perplexity:.2f} on what is held out (the distribution of the tokens alone: {chance:.0f}) |" in card


def test_what_is_held_out_is_not_in_the_chapters_that_are_trained_on(project: Project) -> None:
    roles = ("training", "calibration", "evaluation")
    training, calibration, evaluation = (load_samples(project, role) for role in roles)
    seen = {passage.tobytes() for passage in training.inputs["token"]}
    assert {passage.tobytes() for passage in calibration.inputs["token"]} < seen
    assert not seen & {passage.tobytes() for passage in evaluation.inputs["token"]}
    assert (len(training), len(calibration), len(evaluation)) == (361, 13, 23)
    assert (evaluation.labels[:, :-1] == evaluation.inputs["token"][:, 1:]).all()


def test_the_tokenizer_fits_the_vocabulary_and_its_golden_ids(project: Project) -> None:
    spec = project.inputs["token"].tokenizer
    assert spec is not None
    assert read_tokenizer(project.root, "token", spec).size == resolve("model.py:VOCABULARY", project.root)


def test_the_example_is_small_and_the_card_states_its_size_and_licence(project: Project) -> None:
    card = (FOLDER / "CARD.md").read_text("utf-8")
    size = WEIGHTS.stat().st_size
    assert size < 400_000
    network = resolve("model.py:stories", project.root)()
    count = sum(value.numel() for value in network.parameters())
    assert f"| {count:,} parameters; {size:,} bytes of float16 weights" in card
    assert {getattr(project.data, role).licence for role in ("training", "calibration", "evaluation")} == {
        "public domain"
    }
    text = (FOLDER / "alice.txt").read_text("utf-8")
    assert f"{len(text):,} characters" in card
    assert len(re.findall(r"^CHAPTER [IVX]+ ", text, re.MULTILINE)) == 12


def test_the_package_holds_the_whole_example() -> None:
    files = {path.name for path in Path(FOLDER).iterdir() if path.is_file()}
    assert files == {
        "CARD.md", "alice.txt", "data.py", "edgekit.toml", "model.py", "tokenizer.json", "weights.safetensors",
    }  # fmt: skip

"""Perturbations of texts: what is typed, and the token ids that become of it."""

from __future__ import annotations

import json
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.perturb.condition import Condition
from edgekit.perturb.draws import Draws, sample_keys
from edgekit.perturb.input_domain import InputDomain, input_domains
from edgekit.perturb.registry import perturbation_plan
from edgekit.perturb.texts import orthography, typing_errors
from edgekit.perturb.texts.keyboard import neighbours
from edgekit.perturb.texts.perturbations import TEXTS, TextPerturbation
from edgekit.samples import Samples, load_samples
from edgekit.specs.project import Project

TEXT = "Was it a car or a cat that I saw? The quick brown fox, they say, jumps over the lazy dog: so be it, Élise."
PLAIN = "no marks here"
LETTERS = ["<s>", "</s>", "<pad>", *string.ascii_letters, "Ġ", *",.:;?!'", "Ã", "ī", "©", "é"]
TOKENIZER = {
    "added_tokens": [{"id": 2, "content": "<pad>"}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
    "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]},
    "model": {"type": "BPE", "vocab": {letter: i for i, letter in enumerate(LETTERS)}, "merges": []},
}
TOML = """
[model]
factory = "model.py:make"
classes = ["a", "b"]

[inputs.tokens]
shape = {shape}
dtype = "int64"
tokenizer = {{ file = "tokenizer.json" }}
{more}

[data]
evaluation = {{ path = "data.npz", licence = "none", source = "made up" }}
"""
FREE = {"shape": '["t:4..120"]', "more": 'mask = "mask"\n[inputs.mask]\nshape = ["t:4..120"]'}


def project_of(folder: Path, *lines: str, shape: str = "[120]", more: str = "pad = 2") -> Project:
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    (folder / "edgekit.toml").write_text(TOML.format(shape=shape, more=more))
    np.savez(folder / "data.npz", tokens=np.array(lines), labels=np.zeros(len(lines), np.int64))
    return Project.read(folder)


def read(project: Project) -> tuple[Samples, InputDomain]:
    return load_samples(project, "evaluation"), input_domains(project)[0]


def typed(samples: Samples, domain: InputDomain, name: str, severity: int) -> Samples:
    chosen = next(each for each in TEXTS if each.name == name)
    return Condition(chosen, severity, domain).apply(samples, sample_keys(samples, domain.name))


def decoded(ids: Any) -> str:
    tokens = [LETTERS[i] for i in ids if i > 2]
    return "".join(tokens).replace("Ġ", " ")


def draws(seed: int = 0) -> Draws:
    return Draws("test", (bytes([seed]),))


def test_the_keys_beside_a_letter() -> None:
    assert {key: set(neighbours(key)) for key in "qgm"} == {"q": set("wa"), "g": set("fhtyvb"), "m": set("njk")}
    assert neighbours("A") == "SQWZ"
    assert [neighbours(key) for key in "1é?ß"] == [""] * 4
    pairs = [(a, b) for a in string.ascii_lowercase for b in neighbours(a)]
    assert all(a in neighbours(b) for a, b in pairs)


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_typing_errors_are_as_many_as_stated(severity: int) -> None:
    count = max(1, round(len(TEXT) * typing_errors.RATES[severity - 1]))
    wrong = typing_errors.neighbouring_keys(TEXT, severity, draws())
    changed = [(a, b) for a, b in zip(TEXT, wrong, strict=True) if a != b]
    assert len(changed) == count
    assert all(b in neighbours(a) for a, b in changed)
    assert len(typing_errors.deletions(TEXT, severity, draws())) == len(TEXT) - count
    swapped = typing_errors.swaps(TEXT, severity, draws())
    assert sorted(swapped) == sorted(TEXT)
    assert sum(a != b for a, b in zip(TEXT, swapped, strict=True)) == 2 * count


def test_ways_of_writing() -> None:
    assert orthography.capitals(TEXT, 5, draws()) == TEXT.upper()
    assert orthography.no_capitals(TEXT, 5, draws()) == TEXT.lower()
    assert orthography.no_accents("Élise für señor", 5, draws()) == "Elise fur senor"
    assert orthography.no_punctuation(TEXT, 5, draws()) == TEXT.translate(str.maketrans("", "", "?,:."))
    spaced = orthography.spaces(TEXT, 5, draws())
    assert spaced.replace(" ", "") == TEXT.replace(" ", "")
    assert (spaced.count("  "), spaced.count(" ")) == (9, TEXT.count(" ") - 10 + 9)
    half = orthography.capitals(TEXT, 3, draws())
    words = [a != b for a, b in zip(TEXT.split(), half.split(), strict=True)]
    assert sum(words) == round(sum(word != word.upper() for word in TEXT.split()) / 2)


@pytest.mark.parametrize("text", ["", "a", " ", "?", "é", "日本", "\u0301", "a" * 5000])
def test_no_text_breaks_a_change(text: str) -> None:
    for each in TEXTS:
        assert isinstance(each, TextPerturbation)
        assert isinstance(each.change(text, 5, draws()), str)


def test_changed_texts_become_token_ids_of_the_same_length(tmp_path: Path) -> None:
    samples, domain = read(project_of(tmp_path, TEXT, PLAIN, "Ende, gut."))
    assert samples.texts == {"tokens": (TEXT, PLAIN, "Ende, gut.")}
    for each in TEXTS:
        changed = typed(samples, domain, each.name, 4)
        assert changed.inputs["tokens"].shape == samples.inputs["tokens"].shape
        assert changed.inputs["tokens"].dtype == np.int64
        ascii_text = changed.texts["tokens"][2]
        assert decoded(changed.inputs["tokens"][2]) == ascii_text
    unmarked = typed(samples, domain, "no punctuation", 5)
    np.testing.assert_array_equal(unmarked.inputs["tokens"][1], samples.inputs["tokens"][1])
    assert not np.array_equal(unmarked.inputs["tokens"][2], samples.inputs["tokens"][2])


def test_a_text_longer_than_the_window_ends_there(tmp_path: Path) -> None:
    samples, domain = read(project_of(tmp_path, "one two three four", shape="[20]"))
    (ids,) = typed(samples, domain, "spaces", 5).inputs["tokens"]
    assert (len(ids), ids[-1], list(ids).count(1)) == (20, 1, 1)


def test_free_lengths_and_the_mask_follow_the_text(tmp_path: Path) -> None:
    samples, domain = read(project_of(tmp_path, TEXT[:90], PLAIN, **FREE))
    assert [each.name for each in input_domains(project_of(tmp_path, PLAIN, **FREE))] == ["tokens"]
    shorter = typed(samples, domain, "letters left out", 5)
    lengths = shorter.inputs["t.length"]
    assert lengths.tolist() == [90 + 2 - 18, len(PLAIN) + 2 - 3]
    for ids, mask, length in zip(shorter.inputs["tokens"], shorter.inputs["mask"], lengths, strict=True):
        assert mask.tolist() == [1] * length + [0] * (len(mask) - length)
        assert (ids[length - 1], ids[length:].tolist()) == (1, [0] * (len(ids) - length))
    assert shorter.inputs["mask"].dtype == samples.inputs["mask"].dtype


def test_a_text_too_short_for_the_network_keeps_its_ids(tmp_path: Path) -> None:
    samples, domain = read(project_of(tmp_path, "ab", TEXT[:50], **FREE))
    shorter = typed(samples, domain, "letters left out", 5)
    assert shorter.inputs["t.length"][0] == 4
    np.testing.assert_array_equal(shorter.inputs["tokens"][0, :4], samples.inputs["tokens"][0, :4])


def test_texts_are_kept_with_the_samples(tmp_path: Path) -> None:
    samples, _ = read(project_of(tmp_path, "eins", "zwei", "drei"))
    (tmp_path / "kept").mkdir()
    samples.save(tmp_path / "kept")
    again = Samples.read(tmp_path / "kept")
    assert again.texts == samples.texts
    assert again.take([2, 0]).texts == {"tokens": ("drei", "eins")}
    assert again.digest == replace(samples, texts={}).digest


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    samples, domain = read(project_of(tmp_path, "eins", "zwei"))
    reasons = {each.name: each.unfit(samples, domain) for each in TEXTS}
    assert reasons["no accents"] == "no text of the set has such places"
    assert reasons["neighbouring keys"] is None
    ids = replace(samples, texts={})
    assert TEXTS[0].unfit(ids, domain) == "the data set gives token ids: there are no texts to change"
    empty, domain = read(project_of(tmp_path, "", ""))
    assert TEXTS[0].unfit(empty, domain) == "all texts are empty"
    tags = replace(domain, task="tagging")
    assert "labels are of single tokens" in str(TEXTS[0].unfit(samples, tags))
    beside = replace(samples, inputs={**samples.inputs, "types": np.zeros((2, 120), np.int64)})
    assert "'types' goes with the token ids" in str(TEXTS[0].unfit(beside, domain))


def test_an_empty_text_among_others_stays_empty(tmp_path: Path) -> None:
    samples, domain = read(project_of(tmp_path, "", TEXT))
    changed = typed(samples, domain, "capitals", 5)
    assert changed.texts["tokens"] == ("", TEXT.upper())
    np.testing.assert_array_equal(changed.inputs["tokens"][0], samples.inputs["tokens"][0])


def test_texts_of_the_same_token_ids_are_sets_of_their_own(tmp_path: Path) -> None:
    samples, domain = read(project_of(tmp_path, "Hello", "World"))
    other = replace(samples, texts={"tokens": ("hello", "world")})
    plans = [perturbation_plan(each, [domain], ["natural"]) for each in (samples, other)]
    identities = [plans[0].sets(each)[0].identity for each in (samples, other)]
    assert plans[0].digest == plans[1].digest
    assert identities[0] != identities[1]

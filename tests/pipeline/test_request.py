"""What a project names beside its network is read before anything is planned or built."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command
from tests.datasets.test_tokenizer import write as write_tokenizer
from tests.networks import write_project

TOML = """
[model]
factory = "model.py:net"
classes = ["a", "b"]

[inputs.tokens]
shape = [4]
dtype = "int64"
vocabulary = 5
tokenizer = { file = "tokenizer.json" }

[data]
evaluation = { path = "data.npz", licence = "none", source = "made up" }
"""


@pytest.mark.parametrize("verb", ["plan", "build"])
def test_a_tokenizer_that_is_missing_or_has_more_tokens_than_stated_is_refused_at_once(
    command: Command, tmp_path: Path, verb: str
) -> None:
    project = write_project(tmp_path, toml=TOML)
    options = (verb, "--project", project, "--target", "host", "--profile", "float32", "--backend", "onnx")
    told = command(*options).refused("EK105", 2)
    assert "the tokenizer 'tokenizer.json' of input 'tokens' cannot be read" in told
    write_tokenizer(project)
    told = " ".join(command(*options).refused("EK119", 2).split())
    assert "has 6 tokens, the project states a vocabulary of 5 hint: bring back the tokenizer of the training" in told

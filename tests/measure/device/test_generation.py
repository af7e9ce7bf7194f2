"""What generation refuses before anything is sent to a device, and which numbers of threads it tries."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgekit.datasets.tokenizer import Tokenizer
from edgekit.errors import OptionError, ProbeError, TokenizerMismatch
from edgekit.examples import folder
from edgekit.ir.measurement import Array
from edgekit.ir.signature import Signature, StatePair, TensorSpec
from edgekit.measure.device.generation import Prompt, check_decoder
from edgekit.pipeline.generation import check_project
from edgekit.pipeline.stages.labels import _check_vocabulary
from edgekit.specs.project import Project
from edgekit.tasks.classification import Classification
from edgekit.tasks.language_model import LanguageModel

TOKEN, CACHE = TensorSpec("token", "int64", (1,)), TensorSpec("keys", "float32", (1, 4, 16))
LOGITS = TensorSpec("logits", "float32", (1, 512))
DECODER = Signature((TOKEN, CACHE), (LOGITS, replace(CACHE, name="keys_out")), state=(StatePair("keys", "keys_out"),))
TEXT, IDS = Prompt(8, text="Once"), Prompt(8, tokens=(1, 42))


def test_a_decoder_continues_a_text_or_tokens() -> None:
    check_decoder(DECODER, 512, TEXT)
    check_decoder(DECODER, 500, TEXT)  # a vocabulary that is padded
    check_decoder(DECODER, None, IDS)


@pytest.mark.parametrize(
    ("signature", "tokenizer", "prompt", "message"),
    [
        (Signature((TOKEN,), (LOGITS,)), 512, TEXT, "it has no state"),
        (replace(DECODER, inputs=(replace(TOKEN, dtype="float32"), CACHE)), 512, TEXT, "takes .*, not one token"),
        (replace(DECODER, inputs=(replace(TOKEN, shape=(1, 8)), CACHE)), 512, TEXT, "takes .*, not one token"),
        (replace(DECODER, inputs=(TOKEN, replace(TOKEN, name="mask"), CACHE)), 512, TEXT, "not one token"),
        (DECODER, None, TEXT, "the bundle has no tokenizer of 'token'"),
        (DECODER, 512, Prompt(8, tokens=(512,)), "512 is no token: the model knows 0 to 511"),
    ],
)
def test_a_model_that_cannot_continue_the_prompt_is_named(
    signature: Signature, tokenizer: int | None, prompt: Prompt, message: str
) -> None:
    with pytest.raises(ProbeError, match=message) as error:
        check_decoder(signature, tokenizer, prompt)
    assert error.value.hint


def test_a_tokenizer_with_more_tokens_than_the_model_scores_is_refused() -> None:
    with pytest.raises(TokenizerMismatch, match="has 513 tokens, the model scores 512"):
        check_decoder(DECODER, 513, TEXT)
    answers: dict[str, Array] = {"logits": np.zeros((2, 3, 512))}
    tokenizers = {"token": Tokenizer(b"", "", 513, {})}
    with pytest.raises(TokenizerMismatch, match="has 513 tokens, the model scores 512"):
        _check_vocabulary(LanguageModel(), answers, tokenizers)
    _check_vocabulary(LanguageModel(), answers, {"token": Tokenizer(b"", "", 512, {})})
    _check_vocabulary(Classification(), answers, tokenizers)


def test_a_run_refuses_a_project_without_a_decoder_before_it_builds(tmp_path: Path) -> None:
    check_project(Project.read(folder("stories")), TEXT)
    with pytest.raises(ProbeError, match="it has no state"):
        check_project(Project.read(folder("digits")), TEXT)
    stories = Project.read(folder("stories"))
    token = stories.inputs["token"].model_copy(update={"tokenizer": None})
    untokenized = stories.model_copy(update={"inputs": {"token": token}})
    with pytest.raises(ProbeError, match="the project states no tokenizer of 'token'"):
        check_project(untokenized, TEXT)
    check_project(untokenized, IDS)


def test_a_text_that_the_cache_cannot_hold_is_refused_with_what_it_can() -> None:
    stories = Project.read(folder("stories"))  # its cache holds 128
    check_project(stories, Prompt(128, text="Alice"))
    cache = replace(CACHE, shape=(1, 4, 128))
    decoder = replace(DECODER, inputs=(TOKEN, cache), state=(StatePair("keys", "keys_out", append=2),))
    check_decoder(decoder, None, Prompt(127, tokens=(1, 42)))
    for count, tokens, hint in (
        (129, (1,), "--generate 128"), (65, (1,) * 65, "--generate 64"), (2, (1,) * 128, "give 127 tokens at most"),
    ):  # fmt: skip
        prompt = Prompt(count, tokens=tokens)
        for check in (partial(check_project, stories), partial(check_decoder, decoder, 512)):
            with pytest.raises(ProbeError, match="a cache of 128") as error:
                check(prompt)
            assert error.value.hint == hint
    with pytest.raises(ProbeError, match="does not fit a cache of 128"):
        check_project(stories, Prompt(129, text="Once"))


def test_the_tokens_of_a_text_are_counted_before_the_model_is_built() -> None:
    stories = Project.read(folder("stories"))
    with pytest.raises(ProbeError, match="--generate 127: with the prompt it does not fit a cache of 128") as error:
        check_project(stories, Prompt(127, text="Alice was beginning to get very tired"))  # eleven tokens
    assert error.value.hint == "--generate 118"
    with pytest.raises(ProbeError, match="--prompt: 201 tokens are too many for a cache of 128"):
        check_project(stories, Prompt(2, text="Alice was " * 100))


def test_a_prompt_needs_a_beginning() -> None:
    with pytest.raises(OptionError, match="a text needs a beginning"):
        Prompt(8)

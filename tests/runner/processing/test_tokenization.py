"""BPE and Unigram give the token ids of the package that trained the tokenizer; what is not known is refused."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.runner.errors import RunnerError
from edgekit.runner.processing.tokenization import Tokenization, read_tokenization

tokenizers = pytest.importorskip("tokenizers")

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and doesn't stop at 42 hedges or 7 fences!",
    "Ein Fuchs überquert die Straße; él café señor – naïve façade, 東京 и Москва.",
    "def quick(x):\n    return {'a': x, \"b\": [1, 2, 3]}\n\n\n\tEND   of  file",
    "it's they're we've I'm you'll he'd 'twas ''s ' s",
] * 4
TEXTS = (
    *CORPUS[:4],
    "",
    " ",
    "   leading and trailing   ",
    "tabs\tand\u00a0no-break\u2003spaces\x1c\n\n",
    "unseen: ζ 漢字 🙂🙂 e\u0301 ﬁ ① \u200b½",
    "AAAA aaaaaaaa !!!!!!????",
    "▁already▁marked ▁ x",
    "a" * 300,
)
ALPHABET = st.text(alphabet=st.sampled_from("abehx THE'stlm 12,.!\n\té▁漢🙂\u00a0"), max_size=40)


def _trained(model: Any, trainer: Any, **parts: Any) -> Any:
    tokenizer = tokenizers.Tokenizer(model)
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


@cache
def theirs(kind: str) -> Any:
    """A tokenizer of the package, trained on the corpus."""
    models, normalizers, pre = tokenizers.models, tokenizers.normalizers, tokenizers.pre_tokenizers
    processors, trainers = tokenizers.processors, tokenizers.trainers
    letters = pre.ByteLevel.alphabet()
    if kind == "gpt2":
        trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=letters, show_progress=False)
        return _trained(models.BPE(), trainer, pre_tokenizer=pre.ByteLevel(add_prefix_space=False))
    if kind == "roberta":
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        trainer = trainers.BpeTrainer(
            vocab_size=400, initial_alphabet=letters, special_tokens=special, show_progress=False
        )
        tokenizer = _trained(models.BPE(), trainer, pre_tokenizer=pre.ByteLevel(add_prefix_space=True))
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
        return tokenizer
    if kind == "letters":  # of SentencePiece's kind, with unknown letters
        trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>"], show_progress=False)
        parts = {"normalizer": normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])}
        return _trained(models.BPE(unk_token="<unk>", fuse_unk=True), trainer, **parts)
    if kind == "plain":
        trainer = trainers.BpeTrainer(vocab_size=150, limit_alphabet=30, special_tokens=["[UNK]"], show_progress=False)
        parts = {"normalizer": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])}
        return _trained(models.BPE(unk_token="[UNK]"), trainer, pre_tokenizer=pre.WhitespaceSplit(), **parts)
    trainer = trainers.UnigramTrainer(vocab_size=180, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False)
    scheme = "first" if kind == "unigram-first" else "always"
    steps = [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip(), normalizers.Replace("  ", " ")]
    tokenizer = _trained(
        models.Unigram(),
        trainer,
        normalizer=normalizers.Sequence(steps if kind == "unigram" else [normalizers.NFC()]),
        pre_tokenizer=pre.Metaspace(prepend_scheme=scheme, split=kind == "unigram"),
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <unk>", special_tokens=[("<unk>", 0)])
    return tokenizer


@cache
def ours(kind: str) -> Tokenization:
    read = read_tokenization(json.loads(theirs(kind).to_str()))
    assert isinstance(read, Tokenization)
    return read


KINDS = ("gpt2", "roberta", "letters", "plain", "unigram", "unigram-first")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_those_of_the_package(kind: str, text: str) -> None:
    assert ours(kind).encode(text) == theirs(kind).encode(text).ids


@pytest.mark.parametrize("kind", KINDS)
@given(text=ALPHABET)
def test_ids_of_any_text_are_those_of_the_package(kind: str, text: str) -> None:
    assert ours(kind).encode(text) == theirs(kind).encode(text).ids


@given(text=ALPHABET)
def test_letters_that_are_unknown_become_their_bytes(text: str) -> None:
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = [("<unk>", 0.0), *((name, -9.0) for name in names), ("a", -2.0), ("ab", -3.0), ("b", -2.5), ("▁", -1.0)]
    unigram = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, unk_id=0, byte_fallback=True))
    vocabulary = {name: i for i, name in enumerate(["<unk>", *names, "a", "b", "ab", "x"])}
    bpe = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocabulary, [("a", "b")], unk_token="<unk>", byte_fallback=True, ignore_merges=True)
    )
    for tokenizer in (unigram, bpe):
        assert read_tokenization(json.loads(tokenizer.to_str())).encode(text) == tokenizer.encode(text).ids


def test_a_text_that_holds_an_added_token_is_refused() -> None:
    with pytest.raises(RunnerError, match="holds the added token '<mask>'"):
        ours("roberta").encode("a <mask> b")


def _file(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(theirs("gpt2").to_str())
    return {**content, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": ""}},
        {"normalizer": {"type": "Replace", "pattern": {"Regex": "a+"}, "content": ""}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "x"}, "behavior": "Isolated", "invert": False}},
        {"pre_tokenizer": {"type": "ByteLevel"}},
        {"post_processor": {"type": "Other"}},
        {"model": {"type": "WordLevel", "vocab": {}}},
        {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}},
        {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "end_of_word_suffix": "</w>"}},
        {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1}},
        {"model": {"type": "Unigram", "vocab": []}},
        {"model": {"type": "Unigram", "vocab": [["a"]]}},
        {"model": None},
        {"added_tokens": [{}]},
    ],
)
def test_what_is_not_known_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RunnerError, match="kind of tokenizer is not known here") as caught:
        read_tokenization(_file(**changes))
    assert caught.value.kind == "data"

"""Words for what is done to a sample, for each step that a device knows."""

from __future__ import annotations

from edgekit.export.contract import ContractInput
from edgekit.export.preprocessing_words import preprocessing_words, step_words
from edgekit.runner.processing.geometry import SETTINGS, check_steps

STEPS = (
    {"colour": "bgr"},
    {"shorter": {"length": 256, "kernel": "bilinear", "antialias": True}},
    {"resize": {"height": 24, "width": 32, "kernel": "area", "antialias": False}},
    {"letterbox": {"height": 64, "width": 64, "kernel": "nearest", "antialias": True, "fill": 114, "corner": False}},
    {"crop": {"height": 20, "width": 30}},
    {"pad": {"top": 1, "bottom": 2, "left": 3, "right": 4, "fill": 5}},
)


def test_every_step_that_a_device_knows_has_words_with_its_numbers() -> None:
    assert {name for step in check_steps(list(STEPS)) for name in step} == {"colour", *SETTINGS}
    words = [step_words(step) for step in STEPS]
    assert words == [
        "Reverse red, green and blue: BGR.",
        "Resize, the shorter side to 256 and the longer in proportion (bilinear, with antialiasing).",
        "Resize to 24 high, 32 wide (area, without antialiasing).",
        "Resize in proportion to fit 64 high, 64 wide (nearest, with antialiasing), in the middle, the rest 114.",
        "Crop the middle, 20 high, 30 wide.",
        "Pad with 5: top 1, bottom 2, left 3, right 4.",
    ]


def test_a_step_of_a_newer_edgekit_is_shown_as_it_is() -> None:
    assert step_words({"warp": {"angle": 3}}) == '`{"warp": {"angle": 3}}` (docs/preprocessing.md).'


def test_steps_are_numbered_and_a_picture_is_said_to_go_in_as_it_is() -> None:
    each = ContractInput(name="image", dtype="uint8", shape=(1, 20, 30, 3), steps=STEPS)
    words = preprocessing_words(each)
    assert words[0].startswith("From a picture, uint8")
    assert words[1].startswith("1. Reverse")
    assert words[6].startswith("6. Pad")
    assert words[7].startswith("Pixels go in as they are")


def test_audio_functions_and_tokenizers_are_told() -> None:
    audio = ContractInput(name="a", dtype="int16", shape=(1, 16000), audio={"rate": 16000, "channels": None})
    assert preprocessing_words(audio) == ("From a recording, with these settings (docs/preprocessing.md): rate 16000.",)
    function = ContractInput(name="x", dtype="float32", shape=(1, 2), function="def f(x):\n    return x")
    assert "by the function below" in preprocessing_words(function)[0]
    tokenizer = {"file": "tokenizer/t.json", "sha256": "0" * 64, "size": 30522, "golden": {}}
    tokens = ContractInput.model_validate({"name": "t", "dtype": "int64", "shape": (1, 8), "tokenizer": tokenizer})
    assert preprocessing_words(tokens) == ("Token ids of the tokenizer `tokenizer/t.json`, 30,522 ids.",)

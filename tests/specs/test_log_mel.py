"""`log_mel` of an input: the raw audio that it takes, and what is refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import SpecError
from edgekit.specs.inputs import Input
from edgekit.specs.project import Project

TOML = """
[model]
factory = "model.py:net"
[inputs.audio]
shape = {shape}
log_mel = {{ from = "int16 PCM", rate = 16000, frame = 400, hop = 160, mels = 40 {more} }}
[data]
evaluation = {{ path = "data.npz", licence = "CC0", source = "here" }}
"""


def stated(folder: Path, more: str = "", shape: str = "[1, 40, 98]") -> Input:
    (folder / "edgekit.toml").write_text(TOML.format(shape=shape, more=more))
    return Project.read(folder).inputs["audio"]


def test_a_second_of_speech_is_98_frames(tmp_path: Path) -> None:
    audio = stated(tmp_path)
    assert (audio.raw_shape, audio.raw_dtype) == ((15920,), "int16")
    assert audio.log_mel
    assert audio.log_mel.samples(1) == 400


def test_an_input_without_it_has_the_cache_key_that_it_had() -> None:
    assert set(Input(shape=(2,)).model_dump(mode="json")) == {"shape", "dtype", "preprocess"}


@pytest.mark.parametrize(
    ("more", "shape", "message"),
    [
        ("", "[64, 98]", r"'log_mel' gives \[40, frames\] or \[1, 40, frames\], 'shape' states \[64, 98\]"),
        ("", "[2, 40, 98]", "'log_mel' gives"),
        ("", '[1, 40, "t:2..98"]', "'log_mel' takes audio of one length, 'shape' states 't:2..98' frames"),
        (", high = 8001.0", "[40, 98]", r"reach from 0 to 8001 Hz; at a rate of 16000 there is 0 to 8000"),
        (", low = 4000.0, high = 300.0", "[40, 98]", "reach from 4000 to 300 Hz"),
        (", fft = 256", "[40, 98]", "'fft' 256 is shorter than 'frame' 400"),
        (", fft = 65536", "[40, 98]", "longer than 4096: 'frame' and 'fft' are in samples"),
        (', window = "kaiser"', "[40, 98]", r"log_mel\.window': input should be 'hann', 'hamming' or 'rectangular'"),
        (", hopp = 3", "[40, 98]", r"log_mel\.hopp': no such key"),
        ('}\npreprocess = { from = "uint8 NHWC"', "[1, 40, 98]", "'preprocess' or 'log_mel', not both"),
        ('}\ndtype = "int32"\n#{', "[40, 98]", "'log_mel' gives float32"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(tmp_path: Path, more: str, shape: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        stated(tmp_path, more, shape)

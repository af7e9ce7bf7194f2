"""Folders of WAV, arrays of another rate and cells of Parquet become the samples that a network takes."""

from __future__ import annotations

import re
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from edgekit.datasets.recordings import read_recording
from edgekit.errors import DataError, EmptyClass, SampleUnfit, SpecError
from edgekit.ir.measurement import Array
from edgekit.runner.processing.audio import process_audio
from edgekit.samples import load_samples
from edgekit.specs.project import Project

TOML = """
[model]
factory = "model.py:make"
classes = ["no", "yes"]

[inputs.sound]
shape = {shape}
{audio}

[data]
evaluation = {{ path = "{path}", licence = "none", source = "made up"{more} }}
"""
PCM = np.random.default_rng(0).integers(-3000, 3000, (4800, 2)).astype(np.int16)
LOG_MEL = 'log_mel = { from = "int16 PCM", rate = 8000, frame = 64, hop = 32, mels = 12 }'


def write_wav(path: Path, pcm: Array, rate: int, width: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(pcm.shape[1])
        out.setsampwidth(width)
        out.setframerate(rate)
        raw = pcm.astype("<i4").tobytes() if width == 4 else pcm.astype("<i2").tobytes()
        if width == 3:
            raw = (pcm.astype("<i4") << 8).reshape(-1, 1).view(np.uint8)[:, :3].tobytes()
        if width == 1:
            raw = ((pcm >> 8) + 128).astype(np.uint8).tobytes()
        out.writeframes(raw)


def project(folder: Path, audio: str, shape: str = "[800]", path: str = "set", more: str = "") -> Project:
    (folder / "edgekit.toml").write_text(TOML.format(shape=shape, audio=audio, path=path, more=more))
    return Project.read(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_wav(tmp_path / "set" / "no" / "1.wav", PCM, 48000)
    write_wav(tmp_path / "set" / "yes" / "2.WAV", PCM[:2400, :1], 24000)
    (tmp_path / "set" / "yes" / "notes.txt").write_text("")
    return tmp_path


def test_a_folder_of_recordings_is_resampled_from_the_rate_of_each(folder: Path) -> None:
    stated = project(folder, "audio = { rate = 8000 }")
    samples = load_samples(stated, "evaluation")
    settings = stated.inputs["sound"].audio_settings
    assert settings
    first, second = samples.inputs["sound"]
    np.testing.assert_array_equal(first, process_audio(settings, PCM, 48000))
    np.testing.assert_array_equal(second, process_audio(settings, PCM[:2400, 0], 24000))
    assert (str(first.dtype), first.shape, samples.labels.tolist()) == ("float32", (800,), [0, 1])
    assert samples.sampling
    assert "1 file of the evaluation data" in samples.sampling.left_out[0]
    unlabelled = project(folder, "audio = { rate = 8000 }", "[1, 800]", more=", labelled = false")
    assert load_samples(unlabelled, "evaluation").inputs["sound"].shape == (2, 1, 800)


def test_recordings_of_any_length_feed_a_free_length(folder: Path) -> None:
    samples = load_samples(project(folder, "audio = { rate = 16000 }", '["t:100..4000"]'), "evaluation")
    assert samples.inputs["t.length"].tolist() == [1600, 1600]


def test_log_mel_takes_recordings_and_gives_the_rate(folder: Path) -> None:
    with pytest.raises(SampleUnfit, match="has 48000 samples a second, the network takes 8000") as caught:
        load_samples(project(folder, LOG_MEL, "[1, 12, 20]"), "evaluation")
    assert caught.value.hint == "to resample it: audio = { from = 48000 } beside log_mel"
    stated = project(folder, f"{LOG_MEL}\naudio = {{ fit = 'start' }}", "[1, 12, 20]")
    sound = load_samples(stated, "evaluation").inputs["sound"]
    assert (str(sound.dtype), sound.shape) == ("int16", (2, 64 + 32 * 19))
    with pytest.raises(SampleUnfit, match="has 800 samples at the rate of the model, it takes 672") as caught:
        load_samples(project(folder, f"{LOG_MEL}\naudio = {{}}", "[1, 12, 20]"), "evaluation")
    assert "fit = 'start'" in str(caught.value.hint)


def test_arrays_are_of_the_stated_rate(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", sound=np.stack([PCM, PCM[::-1]]), labels=np.array([0, 1]))
    stated = project(tmp_path, "audio = { rate = 8000, from = 48000, channel = 1 }", path="data.npz")
    settings = stated.inputs["sound"].audio_settings
    assert settings
    assert settings["from"] == 48000
    sound = load_samples(stated, "evaluation").inputs["sound"]
    np.testing.assert_array_equal(sound[1], process_audio(settings, PCM[::-1]))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_samples_of_every_width_have_one_scale(tmp_path: Path, width: int) -> None:
    pcm = PCM.astype(np.int32) << 16 if width == 4 else PCM
    write_wav(tmp_path / "a.wav", pcm, 8000, width)
    recording = read_recording(tmp_path / "a.wav", "'a.wav'")
    settings = {"rate": 8000, "from": 8000, "channel": 0, "samples": None, "fit": "exact", "dtype": "int16"}
    wanted = (PCM[:, 0] >> 8) << 8 if width == 1 else PCM[:, 0]
    np.testing.assert_array_equal(process_audio(settings, recording.pcm), wanted)
    assert recording.rate == 8000


def test_an_extensible_header_is_read_and_floats_are_refused(tmp_path: Path) -> None:
    def chunk(code: int, guid: int) -> bytes:
        plain = struct.pack("<HHIIHH", code, 1, 8000, 16000, 2, 16)
        fmt = plain + struct.pack("<HHIH", 22, 16, 4, guid) + bytes(14)
        data = PCM[:100, 0].astype("<i2").tobytes()
        body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(data)) + data
        return b"RIFF" + struct.pack("<I", len(body)) + body

    (tmp_path / "a.wav").write_bytes(chunk(0xFFFE, 1))
    np.testing.assert_array_equal(read_recording(tmp_path / "a.wav", "'a.wav'").pcm[:, 0], PCM[:100, 0])
    (tmp_path / "a.wav").write_bytes(chunk(0xFFFE, 3))
    with pytest.raises(DataError, match=r"'a\.wav' cannot be read as WAV: unknown format: 3"):
        read_recording(tmp_path / "a.wav", "'a.wav'")


def test_damaged_files_are_refused_and_never_end_in_a_traceback(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", PCM[:40], 8000)
    content = (tmp_path / "a.wav").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(400):
        damaged = bytearray(content[: random.integers(0, len(content) + 1)])
        for at in random.integers(0, 60, random.integers(0, 4)):
            if at < len(damaged):
                damaged[at] = random.integers(0, 256)
        (tmp_path / "b.wav").write_bytes(damaged)
        try:
            assert read_recording(tmp_path / "b.wav", "'b.wav'").pcm.size <= len(content)
        except DataError:
            continue


def test_recordings_without_a_sample_are_told_by_name_with_their_count(folder: Path) -> None:
    silent = PCM[:0]
    write_wav(folder / "set" / "no" / "3.wav", silent, 8000)
    stated = project(folder, "audio = { rate = 8000 }")
    sampling = load_samples(stated, "evaluation").sampling
    assert sampling
    left_out = "1 file of the evaluation data of '.*' cannot be read and was left out: "
    assert re.fullmatch(left_out + r"'no/3\.wav' holds no sound: 0 samples at 8000 Hz\.", sampling.left_out[1])
    write_wav(folder / "set" / "no" / "1.wav", silent, 8000)
    with pytest.raises(
        EmptyClass, match=r"none of 2 files can be read: 'no/1\.wav', 'no/3\.wav' hold no sound"
    ) as all_lost:
        load_samples(stated, "evaluation")
    np.savez(folder / "data.npz", sound=np.zeros((2, 0), np.int16), labels=np.array([0, 1]))
    stated = project(folder, "audio = { rate = 8000, fit = 'start' }", path="data.npz")
    with pytest.raises(
        SampleUnfit, match=r"sample 0: 'sound': audio is empty: it holds no sound, int16\[0\]"
    ) as caught:
        load_samples(stated, "evaluation")
    assert caught.value.hint == all_lost.value.hint == "record it anew, or leave it out"


def test_a_class_without_recordings_is_refused(folder: Path) -> None:
    (folder / "set" / "yes" / "2.WAV").rename(folder / "set" / "yes" / "2.mp3")
    with pytest.raises(EmptyClass, match="holds no recording that edgekit reads") as caught:
        load_samples(project(folder, "audio = { rate = 8000 }"), "evaluation")
    assert "convert to WAV" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("audio", "shape", "message"),
    [
        ("audio = {}", "[800]", "'audio' needs the 'rate' that the network takes"),
        ("audio = { rate = 8000 }", "[3, 800]", r"'audio' gives float32 \[samples\] or \[1, samples\]"),
        ('audio = { rate = 8000 }\ndtype = "int32"', "[800]", "'audio' gives float32"),
        (f"{LOG_MEL}\naudio = {{ rate = 16000 }}", "[1, 12, 20]", "'audio' states the rate 16000, 'log_mel' 8000"),
        ("audio = { rate = 65539, from = 65537 }", "[800]", "65537 Hz cannot be resampled to 65539 Hz"),
        ('audio = { rate = 8000, fit = "start" }', '["t:1..9"]', "recordings of any length need no 'fit'"),
        ('audio = { rate = 8000, fit = "end" }', "[800]", r"audio\.fit"),
        ('audio = { rate = 8000 }\npreprocess = "a.py:f"', "[800]", "'preprocess' or 'audio', not both"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(tmp_path: Path, audio: str, shape: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        project(tmp_path, audio, shape)

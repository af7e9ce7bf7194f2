"""`predict`: single pictures, answered by a bundle on this machine, beside the float network."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Built, Command
from tests.devices.debian_programs import fetched
from tests.devices.sshd import PACKAGES, Sshd
from tests.networks import COLOURS


def picture(path: Path, colour: list[int], size: int = 8) -> Path:
    Image.fromarray(np.full((size, size, 3), colour, np.uint8)).save(path)
    return path


def test_pictures_are_answered_beside_the_float_model(
    command: Command, built: Built, small: Path, tmp_path: Path
) -> None:
    files = [picture(tmp_path / f"{i} ü.png", colour) for i, colour in enumerate(COLOURS)]
    ended = command("predict", built.bundle, *files, "--project", small, "--top", "2")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].split() == ["picture", "answer", "sure", "to", "float", "model", "sure", "to"]
    assert [line.split("  ")[0].endswith(f"{i} ü.png") for i, line in enumerate(lines[1::2])] == [True] * 4
    answers = [line.split(".png")[1].split() for line in lines[1::2]]
    assert [(row[0], row[2]) for row in answers] == [(name, name) for name in "abcd"]
    assert "small, static-int8, onnx, on local:" in ended.err
    document = command("predict", built.bundle, files[2], "--json").document
    (only,) = document["pictures"]
    assert only["candidate"][0]["class"] == "c"
    assert 0.5 < only["candidate"][0]["probability"] <= 1
    assert only["reference"] is None


def test_a_device_behind_ssh_answers_by_what_it_serves(
    command: Command, built: Built, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = fetched(PACKAGES, Path(places["EDGEKIT_CACHE"]) / "downloads")
    sshd = Sshd(tmp_path / "sshd", packages)
    with (sshd.folder / "config").open("a") as config:
        config.write(f"SetEnv PATH={Path(sys.executable).parent}:/usr/bin:/bin\n")  # its python3 has the runtime
    (sshd.known_as_lab(tmp_path, monkeypatch) / "known_hosts").write_text(sshd.host_key.line)
    device = f"ssh://Lab{sshd.folder}/root"
    picked = picture(tmp_path / "Grün 🌿.png", COLOURS[1])
    try:
        sshd.start()
        assert command("flash", built.bundle, "--device", device, "--runtime", "system").code == 0
        answer = command("predict", picked, "--device", device, "--runtime", "system", "--json")
        assert answer.document["pictures"][0]["candidate"][0]["class"] == "b", answer.stderr
        assert answer.document["place"].startswith(device)
    finally:
        sshd.stop()


def test_what_cannot_be_answered_is_refused(command: Command, built: Built, tmp_path: Path) -> None:
    heic = tmp_path / "photo.heic"
    heic.write_bytes(b"ftypheic")
    assert "cannot be read as a picture" in command("predict", built.bundle, heic).refused("EK112", 2)
    large = picture(tmp_path / "large.png", COLOURS[0], 16)
    assert "16 x 16" in command("predict", built.bundle, large).refused("EK105", 2)
    assert "no picture is named" in command("predict", built.bundle).refused("EK104", 2)
    assert "no device is named" in command("predict", large).refused("EK104", 2)
    fine = picture(tmp_path / "fine.png", COLOURS[0])
    assert "the project is 'digits'" in command("predict", built.bundle, fine, "--example", "digits").refused(
        "EK105", 2
    )

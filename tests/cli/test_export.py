"""`export`: what it prints, whom it trusts, and which bundle of a folder it takes."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.conftest import Built, Command


def test_a_bundle_becomes_a_folder_and_the_next_step_is_told(command: Command, built: Built, tmp_path: Path) -> None:
    ended = command("export", built.bundle, "--out", tmp_path / "out")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0].startswith(f"{tmp_path / 'out' / 'model.onnx'} is the model of small, bundle ")
    assert f"read {tmp_path / 'out' / 'README.md'}" in ended.out
    assert (tmp_path / "out" / "labels.txt").read_text() == "a\nb\nc\nd\n"
    assert (tmp_path / "out" / "data-card.md").is_file()


def test_a_signed_folder_says_how_to_verify_it_and_where_the_public_half_is(
    command: Command, built: Built, tmp_path: Path
) -> None:
    ended = command("export", built.bundle, "--out", tmp_path / "a folder", "--oms", "--hf", "--json")
    assert ended.code == 0
    argv = shlex.split(ended.document["verify"])
    assert argv[:4] == ["model_signing", "verify", "key", str(tmp_path / "a folder")]
    assert Path(argv[5]).is_file()
    assert Path(argv[7]).read_text().startswith("-----BEGIN PUBLIC KEY-----")
    assert ended.document["contract"]["labels"] == ["a", "b", "c", "d"]
    assert (tmp_path / "a folder" / "README.md").read_text().startswith("---\nlicense: unknown\n")


def test_a_bundle_that_nobody_trusts_here_is_refused_with_what_to_type(
    command: Command, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "stranger"))
    refusal = command("export", built.bundle, "--out", tmp_path / "out").refused("EK303", 3)
    assert "edgekit keys trust" in refusal
    assert not (tmp_path / "out").exists()


def test_another_format_is_refused_with_the_build_that_makes_it(command: Command, built: Built, tmp_path: Path) -> None:
    refusal = command("export", built.bundle, "--format", "pte", "--out", tmp_path / "out").refused("EK104", 2)
    assert "edgekit build --backend executorch" in refusal
    assert "--format onnx" in command("export", built.out, "--format", "tflite").refused("EK104", 2)


def test_a_folder_of_builds_gives_the_one_and_of_several_asks_which(
    command: Command, built: Built, tmp_path: Path
) -> None:
    assert command("export", built.out, "--format", "onnx", "--out", tmp_path / "one").code == 0
    for name in ("first", "second"):
        (tmp_path / "builds" / name).mkdir(parents=True)
        shutil.copy(built.bundle, tmp_path / "builds" / name)
    refusal = command("export", tmp_path / "builds", "--out", tmp_path / "two").refused("EK104", 2)
    assert f"edgekit export {tmp_path / 'builds' / 'first'}" in refusal
    (tmp_path / "empty").mkdir()
    command("export", tmp_path / "empty").refused("EK301", 3)


def test_a_key_without_oms_is_refused(command: Command, built: Built, tmp_path: Path) -> None:
    assert "add --oms" in command("export", built.bundle, "--oms-key", tmp_path / "key").refused("EK104", 2)

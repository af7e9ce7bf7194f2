"""`runtime build`: packs, and what they are."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from edgekit.cache import file_digest
from tests.conftest import Command


def test_a_pack_is_built_once_and_left_where_it_is_wanted(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "pack.tar.gz"
    ended = command("runtime", "build", "onnx", "--out", out, "--json")
    assert ended.code == 0, ended.err
    (pack,) = json.loads(ended.out)["packs"]
    assert pack["distribution"] == "onnxruntime"
    assert pack["digest"] == file_digest(out)
    assert pack["archive_bytes"] == out.stat().st_size < pack["device_bytes"]
    with tarfile.open(out) as archive:
        assert "bin/python3.11" in archive.getnames()
    again = command("runtime", "build", "onnxruntime")
    assert f"onnxruntime {pack['versions']['onnxruntime']}" in again.out
    assert pack["digest"] in again.out


@pytest.mark.parametrize(
    ("argv", "said", "hint"),
    [
        (["tflit"], "EK102: there is no runtime pack for 'tflit'", "did you mean 'tflite'?"),
        (["all", "--out", "pack.tar.gz"], "EK104: --out takes one pack, not 4", "name one distribution or format"),
        (["pte", "--out", "no/such/pack.tar.gz"], "EK104: --out: there is no folder 'no/such'", "mkdir -p 'no/such'"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_what_can(
    command: Command, argv: list[str], said: str, hint: str
) -> None:
    ended = command("runtime", "build", *argv)
    assert ended.code == 2
    assert said in ended.err
    assert hint in ended.err
    assert ended.out == ""

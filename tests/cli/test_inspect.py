"""`inspect`: a bundle, verified and described."""

from __future__ import annotations

import hashlib

from tests.conftest import Built, Command


def test_a_bundle_is_verified_and_described(command: Command, built: Built) -> None:
    ended = command("inspect", built.bundle)
    assert (ended.code, ended.err) == (0, "")
    for words in (
        "small (classification), static-int8",
        "host (host, x86_64), profile host-int8",
        "4 classes           0 a, 1 b, 2 c, 3 d",
        "image: uint8[1, 8, 8, 3]",
        "output: float32[1, 4]",
        "50,720 multiply-accumulates",
        "quantize: mode static",
        "calibration: random numbers; licence: made here",
        "model.onnx",
        "verified",
        hashlib.sha256(built.bundle.read_bytes()).hexdigest(),
    ):
        assert words in ended.out


def test_the_placement_is_every_operator_and_who_runs_it(command: Command, built: Built) -> None:
    ended = command("inspect", built.bundle, "--placement")
    rows = [line.split() for line in ended.out.splitlines()]
    assert ["operator", "runs", "on", "arithmetic", "MACs", "bytes", "module"] in rows
    assert [row[1:4] for row in rows if row and row[0] == "QLinearConv"] == [
        ["cpu", "integer", "13,824"],
        ["cpu", "integer", "36,864"],
    ]
    assert all(int(row[4].replace(",", "")) > 0 for row in rows if row and row[0] == "QLinearConv")
    assert "operators fell back, with 0.0% of the bytes moved" in ended.out


def test_inspecting_as_json_gives_the_manifest(command: Command, built: Built) -> None:
    ended = command("inspect", built.bundle, "--json")
    assert (ended.code, ended.err) == (0, "")
    document = ended.document
    assert document["manifest"]["name"] == "small"
    assert document["manifest"]["classes"] == ["a", "b", "c", "d"]
    assert document["file_sha256"] == hashlib.sha256(built.bundle.read_bytes()).hexdigest()
    assert document["signer"].startswith("ed25519:")

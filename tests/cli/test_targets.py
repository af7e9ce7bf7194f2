"""`targets`: every board, those of a family, and one in full."""

from __future__ import annotations

import pytest

from tests.conftest import Command


def test_targets_are_listed_one_a_line_with_nothing_cut_short(command: Command) -> None:
    ended = command("targets")
    assert ended.code == 0
    assert ended.err == ""
    heading, *rows = ended.out.splitlines()
    assert heading.split() == ["target", "family", "title", "backends", "accelerators"]
    ids = [row.split()[0] for row in rows]
    assert ids == sorted(ids)
    assert {"host", "jetson-orin-nano", "raspberry-pi-zero-2w", "android-arm64"} <= set(ids)
    assert all("onnx" in row for row in rows)
    shown = {row.split()[0]: row for row in rows}
    assert shown["snapdragon-8-gen-3"].endswith("gpu: litert-gpu, npu: qnn-htp v75")
    assert shown["jetson-orin-nano"].endswith("gpu: tensorrt, gpu: cuda")
    assert shown["host"].endswith("none")


def test_targets_of_one_family(command: Command) -> None:
    document = command("targets", "--family", "jetson", "--json").document
    assert document["schema"] == 1
    assert [target["id"] for target in document["targets"]] == ["jetson-agx-orin", "jetson-orin-nano"]


def test_a_family_shows_its_default_board(command: Command) -> None:
    assert command("targets", "show", "jetson").document == command("targets", "show", "jetson-orin-nano").document


@pytest.mark.parametrize(("name", "nearest"), [("raspberry-pi-6", "raspberry-pi-5"), ("jetsn", "jetson")])
def test_an_unknown_name_is_told_the_nearest(command: Command, name: str, nearest: str) -> None:
    refusal = command("targets", "show", name).refused("EK102", 2)
    assert f"'{name}'" in refusal
    assert f"hint: did you mean '{nearest}'?" in refusal

"""`targets`, `profiles`, `keys`, `explain`."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from edgekit.errors import all_errors
from tests.conftest import Command


def test_targets_are_listed_one_a_line_with_nothing_cut_short(command: Command) -> None:
    ended = command("targets")
    assert ended.code == 0
    assert ended.err == ""
    heading, *rows = ended.out.splitlines()
    assert heading.split() == ["target", "family", "title", "backends"]
    ids = [row.split()[0] for row in rows]
    assert ids == sorted(ids)
    assert {"host", "jetson-orin-nano", "raspberry-pi-zero-2w", "android-arm64"} <= set(ids)
    assert all("onnx" in row for row in rows)


def test_targets_of_one_family(command: Command) -> None:
    found = command("targets", "--family", "jetson", "--json").document
    assert found["schema"] == 1
    assert [target["id"] for target in found["targets"]] == ["jetson-agx-orin", "jetson-orin-nano"]


def test_a_family_shows_its_default_board(command: Command) -> None:
    assert command("targets", "show", "jetson").document == command("targets", "show", "jetson-orin-nano").document


def test_profiles_are_listed(command: Command) -> None:
    rows = command("profiles").out.splitlines()
    assert [row.split()[0] for row in rows[1:]] == sorted(row.split()[0] for row in rows[1:])
    found = command("profiles", "--family", "host", "--json").document
    listed = {profile["id"] for profile in found["profiles"]}
    assert listed >= {"float32", "host-int8", "weight-only-int4"}
    assert "jetson-int8" not in listed


def test_a_profile_is_shown_with_the_keys_that_its_file_has(command: Command) -> None:
    shown = command("profiles", "show", "raspberry-pi-int8").document
    assert shown["schema"] == 1
    assert shown["quantize"]["weights"]["granularity"] == "per-channel"
    assert shown["gates"]["integer_share"] == {"min": 0.95}


@pytest.mark.parametrize(
    ("argv", "nearest"),
    [
        (("targets", "show", "raspberry-pi-6"), "raspberry-pi-5"),
        (("targets", "show", "jetsn"), "jetson"),
        (("profiles", "show", "jetson-int4"), "jetson-int8"),
        (("explain", "EK1O5"), "EK105"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(command: Command, argv: tuple[str, ...], nearest: str) -> None:
    said = command(*argv).refused("EK102", 2)
    assert f"'{argv[-1]}'" in said
    assert f"hint: did you mean '{nearest}'?" in said


def test_every_error_code_is_explained_in_full(command: Command) -> None:
    for kind in all_errors():
        ended = command("explain", kind.code.lower())
        assert ended.code == 0
        heading, *rest = ended.out.rstrip("\n").split("\n")
        assert heading == f"{kind.code} {kind.__name__} (exit {kind.exit_code})"
        assert "\n".join(rest) == inspect.cleandoc(kind.__doc__ or "")


def test_keys_are_made_listed_and_trusted(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "mine"))
    none = command("keys", "list")
    assert (none.code, none.out) == (0, "")
    assert "edgekit keys new" in none.err

    name, identity, public = command("keys", "new", "work").out.strip().split(maxsplit=2)
    assert name == "work"
    assert identity.startswith("ed25519:")
    assert [row.split() for row in command("keys", "list").out.splitlines()[1:]] == [["work", identity, "own", "file"]]

    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "theirs"))
    assert command("keys", "trust", public).out == f"trusted {identity}\n"
    assert [row.split() for row in command("keys", "list").out.splitlines()[1:]] == [[identity, "trusted"]]


def test_a_key_is_never_replaced(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path))
    command("keys", "new", "work")
    before = {path: path.read_bytes() for path in tmp_path.rglob("work.*")}
    assert "there is a key 'work' already" in command("keys", "new", "work").refused("EK100", 2)
    assert {path: path.read_bytes() for path in tmp_path.rglob("work.*")} == before


@pytest.mark.parametrize("name", ["../work", "", ".hidden", "a b"])
def test_a_key_s_name_is_a_plain_one(command: Command, name: str) -> None:
    assert "cannot be the name of a key" in command("keys", "new", "--", name).refused("EK100", 2)


def test_only_a_public_key_can_be_trusted(command: Command, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pub"
    assert f"there is no file '{nothing}'" in command("keys", "trust", nothing).refused("EK100", 2)
    nothing.write_text("-----BEGIN\n")
    assert "is no public key" in command("keys", "trust", nothing).refused("EK100", 2)

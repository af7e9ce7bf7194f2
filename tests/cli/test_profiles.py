"""`profiles`: every profile, and one in full."""

from __future__ import annotations

from tests.conftest import Command


def test_profiles_are_listed(command: Command) -> None:
    rows = command("profiles").out.splitlines()
    assert [row.split()[0] for row in rows[1:]] == sorted(row.split()[0] for row in rows[1:])
    document = command("profiles", "--family", "host", "--json").document
    listed = {profile["id"] for profile in document["profiles"]}
    assert listed >= {"float32", "host-int8", "weight-only-int4"}
    assert "jetson-int8" not in listed


def test_a_profile_is_shown_with_the_keys_that_its_file_has(command: Command) -> None:
    shown = command("profiles", "show", "raspberry-pi-int8").document
    assert shown["schema"] == 1
    assert shown["quantize"]["weights"]["granularity"] == "per-channel"
    assert shown["gates"]["integer_share"] == {"min": 0.95}


def test_an_unknown_profile_is_told_the_nearest(command: Command) -> None:
    refusal = command("profiles", "show", "jetson-int4").refused("EK102", 2)
    assert "'jetson-int4'" in refusal
    assert "hint: did you mean 'jetson-int8'?" in refusal

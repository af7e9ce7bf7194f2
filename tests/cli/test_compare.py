"""`compare`: two measurements, read again and compared."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Built, Command


def test_two_measurements_are_compared(command: Command, built: Built) -> None:
    argv = ("compare", built.out / "reference.json", built.out / "candidate")
    ended = command(*argv)
    assert (ended.code, ended.err) == (0, "")
    rows = dict(line.split() for line in ended.out.splitlines()[1:])
    document = command(*argv, "--json").document["comparison"]
    assert document["samples"] == int(rows["samples"]) == 64
    assert document["agreement"] == float(rows["agreement"])
    assert document["reference_p50_ns"] is None
    assert "reference_p50_ns" not in rows


def test_measurements_of_other_samples_cannot_be_compared(command: Command, built: Built, tmp_path: Path) -> None:
    other = tmp_path / "other"
    command("build", *built.options, "--samples", 8, "--out", other)
    refusal = command("compare", built.out / "reference", other / "candidate").refused("EK105", 2)
    assert "other samples" in refusal

"""`compare`: two measurements, read again and compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.measure import store
from tests.conftest import Built, Command
from tests.parity.examples import measurement


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


def test_measurements_of_another_task_are_told_how_to_name_it(command: Command, tmp_path: Path) -> None:
    labels = np.zeros(8, np.int64)
    masks = replace(measurement(labels, labels), outputs={"mask": np.zeros((8, 4, 5, 5), np.float32)})
    for name in ("reference", "candidate"):
        store.save(masks, tmp_path / name)
    argv = ("compare", tmp_path / "reference", tmp_path / "candidate")
    refusal = command(*argv).refused("EK105", 2)
    assert "read as classification; --project DIR says another task" in refusal
    refusal = command(*argv, "--task", "embedding").refused("EK105", 2)
    assert "--project" not in refusal

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import DataError, EdgekitError, SpecError, StorageError
from edgekit.ir.measurement import (
    Around,
    Conditions,
    Energy,
    Environment,
    Measurement,
    Process,
    ServerTime,
    Validity,
    Watched,
    no_latency,
)
from edgekit.measure.store import load, save
from tests.devices.test_local import largest_file

ENVIRONMENT = Environment(
    kind="device",
    machine="aarch64",
    system="Linux 6.6",
    cpu="cortex-a76",
    cores=4,
    ram_bytes=None,
    runtime="onnxruntime 1.31.1",
    python="3.11.2",
    threads=1,
    host_stand_in=False,
)


def _measurement() -> Measurement:
    return Measurement(
        outputs={"labels": np.eye(3, dtype=np.float32), "a/b": np.arange(3, dtype=np.int64)},
        labels=np.array([2, 0, 1]),
        samples_digest="f" * 64,
        latency_ns=np.array([5, 3, 4]),
        load_ns=7,
        first_ns=9,
        peak_rss_bytes=None,
        environment=ENVIRONMENT,
        validity=Validity(False, "the machine was busy"),
    )


def _assert_equal(loaded: Measurement, wanted: Measurement) -> None:
    assert loaded.outputs.keys() == wanted.outputs.keys()
    for name, array in wanted.outputs.items():
        np.testing.assert_array_equal(loaded.outputs[name], array, strict=True)
    np.testing.assert_array_equal(loaded.labels, wanted.labels, strict=True)
    np.testing.assert_array_equal(loaded.latency_ns, wanted.latency_ns, strict=True)
    for field in ("samples_digest", "load_ns", "first_ns", "peak_rss_bytes", "environment", "validity"):
        assert getattr(loaded, field) == getattr(wanted, field)


@pytest.mark.parametrize("ending", ["", ".json", ".npz"])
def test_what_is_saved_is_loaded(tmp_path: Path, ending: str) -> None:
    save(_measurement(), tmp_path / "new" / "reference-1.0")
    _assert_equal(load(tmp_path / "new" / f"reference-1.0{ending}"), _measurement())
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["reference-1.0.json", "reference-1.0.npz"]


def test_a_measurement_without_latency_is_kept_too(tmp_path: Path) -> None:
    from dataclasses import replace

    save(replace(_measurement(), latency_ns=no_latency()), tmp_path / "m")
    assert len(load(tmp_path / "m").latency_ns) == 0


def test_instructions_are_kept_and_a_record_from_before_there_were_any_is_read(tmp_path: Path) -> None:
    from dataclasses import replace

    save(replace(_measurement(), instructions=138_398), tmp_path / "m")
    assert load(tmp_path / "m").instructions == 138_398
    record = json.loads((tmp_path / "m.json").read_text())
    del record["instructions"]
    (tmp_path / "m.json").write_text(json.dumps(record))
    assert load(tmp_path / "m").instructions is None


def _watched() -> Measurement:
    """With all that a probe can bring home beside the numbers."""
    from dataclasses import replace

    before = Conditions(
        clock_mhz={"policy0": 1500.0},
        limit_mhz={"policy0": 2400.0},
        governor={"policy0": "ondemand"},
        temperature_c={"cpu-thermal": 48.5},
        throttled=("under-voltage",),
        throttle_events=2,
        load_1m=0.25,
        available_bytes=3_000_000_000,
        battery_percent=80.0,
        charging=False,
        screen_on=True,
        power_mode="15W",
    )
    watched = Watched(500_000_000, 2, 0.1, 0.02, {"policy0": 2400.0}, 51.0)
    processes = (
        Process(2, 7, 9, 16, 1_000_000, True, before, Conditions(), (watched,), True),
        Process(1, 8, 9, 16, 1_000_000, False, Conditions(), before),
    )
    return replace(
        _measurement(),
        processes=processes,
        model_rss_bytes=4_000_000,
        around=Around(1_000, 2_000),
        energy=Energy(0.01, None, 4.0, "INA3221 on VDD_IN", 0.05),
        server=ServerTime(100_000, None, 2_000_000, "triton 2.50"),
        samples_per_s=812.5,
    )


NEW = ("processes", "model_rss_bytes", "around", "energy", "server", "samples_per_s")


def test_conditions_energy_and_server_time_are_kept(tmp_path: Path) -> None:
    save(_watched(), tmp_path / "m")
    loaded = load(tmp_path / "m")
    _assert_equal(loaded, _watched())
    for field in NEW:
        assert getattr(loaded, field) == getattr(_watched(), field)


def test_a_record_from_before_there_were_conditions_is_read(tmp_path: Path) -> None:
    save(_watched(), tmp_path / "m")
    record = json.loads((tmp_path / "m.json").read_text())
    (tmp_path / "m.json").write_text(json.dumps({key: record[key] for key in record.keys() - set(NEW)}))
    loaded = load(tmp_path / "m")
    _assert_equal(loaded, _measurement())
    assert [getattr(loaded, field) for field in NEW] == [(), None, None, None, None, None]


def test_the_record_states_its_schema(tmp_path: Path) -> None:
    save(_measurement(), tmp_path / "m")
    record = json.loads((tmp_path / "m.json").read_text())
    assert record["schema"] == 1
    assert record["environment"]["ram_bytes"] is None


def test_a_full_disk_leaves_the_measurement_before(tmp_path: Path) -> None:
    from dataclasses import replace

    save(_measurement(), tmp_path / "m")
    larger = replace(_measurement(), outputs={"output": np.zeros((3, 100_000))})
    with largest_file(100_000), pytest.raises(StorageError, match="is full"):
        save(larger, tmp_path / "m")
    _assert_equal(load(tmp_path / "m"), _measurement())
    assert len(list(tmp_path.iterdir())) == 2


def _edit(**changes: object) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        record = json.loads(path.with_suffix(".json").read_text())
        path.with_suffix(".json").write_text(json.dumps({**record, **changes}))

    return edit


def _arrays(**arrays: object) -> Callable[[Path], None]:
    """Other arrays, under a record that names them."""

    def edit(path: Path) -> None:
        save: Callable[..., None] = np.savez
        save(path.with_suffix(".npz"), **arrays)
        _edit(arrays_sha256=sha256(path.with_suffix(".npz").read_bytes()).hexdigest())(path)

    return edit


LABELS, LATENCY = np.zeros(3, np.int64), np.zeros(2, np.int64)


@pytest.mark.parametrize(
    ("damage", "error", "said"),
    [
        (lambda path: path.with_suffix(".json").unlink(), SpecError, "there is no"),
        (lambda path: path.with_suffix(".json").write_text("{"), SpecError, "cannot be read as a measurement"),
        (lambda path: path.with_suffix(".json").write_text("[]"), SpecError, "holds no JSON object"),
        (_edit(schema=2), SpecError, "'schema'"),
        (_edit(lode_ns=2), SpecError, "'lode_ns': no such key"),
        (_edit(load_ns="soon"), SpecError, "'load_ns'"),
        (_edit(environment={"kind": "moon"}), SpecError, "'environment"),
        (lambda path: path.with_suffix(".npz").unlink(), DataError, "cannot be read"),
        (lambda path: path.with_suffix(".npz").write_bytes(b"PK"), DataError, "not those that its record names"),
        (_arrays(labels=LABELS), DataError, "has no 'latency_ns'"),
        (_arrays(labels=LABELS, latency_ns=LATENCY / 2), DataError, "is no row of int64"),
        (_arrays(labels=LABELS, latency_ns=LATENCY, **{"output/x": LABELS[:2]}), DataError, "one row a label"),
        (_arrays(labels=np.array([{}]), latency_ns=LATENCY), DataError, "holds no arrays"),
    ],
)
def test_a_damaged_measurement_is_a_clear_error(
    tmp_path: Path, damage: Callable[[Path], object], error: type[EdgekitError], said: str
) -> None:
    save(_measurement(), tmp_path / "m")
    damage(tmp_path / "m")
    with pytest.raises(error, match=said):
        load(tmp_path / "m")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_change_to_the_files_is_seen_or_means_the_same(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "m"
    save(_measurement(), path)
    chosen = path.with_suffix(data.draw(st.sampled_from([".json", ".npz"])))
    content = bytearray(chosen.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    chosen.write_bytes(bytes(content))
    try:
        loaded = load(path)
    except (SpecError, DataError):
        return
    assert chosen.suffix == ".json"
    assert len(loaded) == 3


def test_the_lengths_of_sequences_are_kept(tmp_path: Path) -> None:
    plain = _measurement()
    timed = replace(plain, length=np.arange(1, len(plain) + 1))
    save(timed, tmp_path / "timed")
    loaded = load(tmp_path / "timed")
    assert loaded.length is not None
    assert loaded.length.tolist() == list(range(1, len(plain) + 1))
    save(replace(plain, length=np.arange(len(plain) + 1)), tmp_path / "longer")
    with pytest.raises(DataError, match="'length' is no int64 a label"):
        load(tmp_path / "longer")

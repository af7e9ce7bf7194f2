"""Readers of measurements, reports, and what lies in the cache."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.cache import SEAL, Cache, file_digest
from edgekit.devices.packs.wheels import unpack
from edgekit.file_trace import FileTrace
from edgekit.ir.layers import Layer
from edgekit.ir.measurement import Environment, Measurement, no_latency
from edgekit.ir.validity import NOT_ASKED
from edgekit.measure import store
from edgekit.measure.shards import Shards, answer_in_shards
from edgekit.parity.compare import compare
from edgekit.report.forms import html, markdown, text
from edgekit.report.layer_table import LayerTable
from edgekit.report.report import read_reports
from edgekit.report.sections.layers import layers
from edgekit.samples import Samples
from edgekit.tasks.classification import Classification
from scripts.fuzzing.readers.reader import Reader, Readers

LAYERS = LayerTable(
    schema_version=1,
    bundle="0" * 64,
    sentence="Nothing is wrong.",
    nodes=("conv",),
    layers=(Layer("stem", "conv", "conv", (), quantized=True, output_sqnr_db=41.5, cumulative_sqnr_db=math.inf),),
)
SAMPLES = Samples({"image": np.zeros((3, 2), np.uint8)}, np.zeros(3, np.int64))


def readers(folder: Path) -> Readers:
    store.save(_measurement(), folder / "whole")
    measured = (folder / "whole.json").read_bytes()
    arrays = (folder / "whole.npz").read_bytes()
    (folder / "file.npz").write_bytes(arrays)
    entry = folder / "cache" / "entries" / "ab" / "abc"
    entry.mkdir(parents=True)
    (entry / "made").write_bytes(b"x")
    wheel = folder / "seed.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("runtime/module.py"), "x = 1\n" * 99)
    shard = store.packed({"scores": np.ones((3, 2), np.float32)})
    return {
        "measurement": Reader(_compared, (measured,), "file.json"),
        "arrays of a measurement": Reader(_loaded, (arrays,)),
        "report": Reader(_shown),
        "layers of a report": Reader(_layers, (LAYERS.to_json().encode(),)),
        "seal": Reader(lambda path: _sealed(folder, entry, path), (_seal(entry),)),
        "shard": Reader(_joined, (shard,)),
        "trace of sources": Reader(lambda path: FileTrace.read(path), (b'{"sources": [], "versions": []}',)),
        "wheel": Reader(lambda path: unpack(path, path.with_name("wheel")), (wheel.read_bytes(),)),
    }


def _measurement() -> Measurement:
    where = Environment("eager", "x86_64", "Linux", "cpu", 4, 1 << 30, "torch 2", "3.11", 1, host_stand_in=False)
    rows = np.eye(3, 2, dtype=np.float32)
    return Measurement({"scores": rows}, np.zeros(3, np.int64), "0" * 64, no_latency(), 1, 1, 1, where, NOT_ASKED)


def _compared(path: Path) -> object:
    return compare(store.load(path), store.load(path.with_name("whole.json")), Classification())


def _loaded(path: Path) -> object:
    """The arrays as a record names them that whoever changed them wrote, too."""
    whole: dict[str, Any] = json.loads(path.with_name("whole.json").read_text())
    path.replace(path.with_name("forged.npz"))
    forged = path.with_name("forged.json")
    forged.write_text(json.dumps({**whole, "arrays_sha256": file_digest(path.with_name("forged.npz"))}))
    return _compared(forged)


def _shown(path: Path) -> None:
    reports = read_reports(path)
    for form in (text, markdown, html):
        form.render(reports)


def _layers(path: Path) -> object:
    return layers(LayerTable.from_json(path.read_text("utf-8", "replace"), "layers.json"))


def _seal(entry: Path) -> bytes:
    return json.dumps({"made": file_digest(entry / "made")}).encode()


def _sealed(folder: Path, entry: Path, path: Path) -> None:
    (entry / SEAL).write_bytes(path.read_bytes())
    if Cache(folder / "cache").find("abc") and json.loads(path.read_bytes()) != json.loads(_seal(entry)):
        raise AssertionError("an entry counts as whole whose seal was changed")


def _joined(path: Path) -> object:
    """Answers of which an earlier probe kept some, and a device that gives the others."""
    kept = Shards(path.with_name("shards"))
    (kept.of("x").keep or path).mkdir(parents=True, exist_ok=True)
    (kept.of("x").keep or path).joinpath("0.npz").write_bytes(path.read_bytes())
    return answer_in_shards(SAMPLES, lambda part: {"scores": np.ones((len(part), 2), np.float32)}, kept.of("x"))

"""Files and texts that edgekit reads, whoever wrote them: changed, and given to the function that reads them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from edgekit import examples, plugins
from edgekit.bundle.archive import Bundle
from edgekit.bundle.manifest import Manifest
from edgekit.cache import SEAL, Cache, file_digest
from edgekit.devices.book import Book
from edgekit.devices.device import way_to
from edgekit.devices.emulation.registry import find
from edgekit.ir.measurement import Environment, Measurement, no_latency
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.ir.validity import NOT_ASKED
from edgekit.measure import given, store
from edgekit.parity.compare import compare
from edgekit.report import html, markdown, record, text
from edgekit.runner import etdump, onnx_files
from edgekit.runner.errors import RunnerError
from edgekit.specs import spec
from edgekit.specs.catalog import builtin_root
from edgekit.specs.override import Override
from edgekit.specs.profile import Profile
from edgekit.specs.project import Project
from edgekit.specs.reference import Reference
from edgekit.specs.target import Target
from edgekit.untrusted import npy
from scripts.fuzzing.device import MANIFEST
from scripts.fuzzing.mutation import TEXTS, bytes_changed, changed
from scripts.fuzzing.outcome import Folder, Tally

LIMIT_S = 5.0
SIGNATURE = Signature((TensorSpec("image", "uint8", (1, 2)),), ())
URLS = (
    "local://",
    "local:///%00",
    "local:///a%2f..",
    "ssh://user@host:22/opt/edgekit",
    "ssh://[::1]/x",
    "adb://emulator-5554",
    "adb://1.2.3.4:5555/data",
    "emulated://raspberry-pi-5/name",
    "http://h:80/v2/models/m",
    "grpc://h:8001/m",
)


@dataclass(frozen=True)
class Reader:
    """A function of a file, and what honest files hold."""

    read: Callable[[Path], object]
    seed: bytes
    name: str = "file"


def readers(count: int, seed: int, folder: Folder) -> Tally:
    """So many changed files for each reader."""
    tally = Tally(LIMIT_S)
    (folder.theirs / "files").mkdir(exist_ok=True)
    for name, reader in _all(folder.theirs / "files").items():
        path = folder.theirs / "files" / reader.name
        for i in range(count):
            random = Random(f"{name} {seed} {i}")
            path.write_bytes(_made(reader.seed, random))
            tally.note(f"{name} {i}", lambda path=path, reader=reader: reader.read(path), folder)  # type: ignore[misc]
    return tally


def _made(seed: bytes, random: Random) -> bytes:
    """Changed as a document where it is one, or as bytes."""
    if seed.startswith(b"{") and random.random() < 0.7:
        return changed(json.loads(seed), random)
    if random.random() < 0.1:
        return random.choice(TEXTS).encode("utf-8", "surrogatepass")
    return bytes_changed(seed, random)


def _all(folder: Path) -> Mapping[str, Reader]:
    array = folder / "array.npy"
    np.save(array, np.ones((3, 2), np.float32))
    arrays = folder / "arrays.npz"
    np.savez_compressed(arrays, image=np.ones((3, 2), np.uint8), labels=np.zeros(3, np.int64))
    store.save(_measurement(), folder / "whole")
    measured = (folder / "whole.json").read_bytes()
    packed = folder / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("manifest.json", json.dumps(MANIFEST))
    entry = folder / "cache" / "entries" / "ab" / "abc"
    entry.mkdir(parents=True)
    (entry / "made").write_bytes(b"x")
    (folder / "file.npz").write_bytes((folder / "whole.npz").read_bytes())
    toml = {kind: next((builtin_root() / kind).glob("*.toml")).read_bytes() for kind in ("targets", "profiles")}
    project = (examples.folder("digits") / "edgekit.toml").read_bytes()
    return {
        ".npy": Reader(_valued(npy.read_npy), array.read_bytes()),
        ".npz": Reader(lambda path: given.read_inputs(path, SIGNATURE), arrays.read_bytes()),
        "measurement": Reader(_compared, measured, "file.json"),
        "arrays of a measurement": Reader(_loaded, (folder / "whole.npz").read_bytes()),
        "report": Reader(_shown, _report(folder)),
        "bundle": Reader(lambda path: Bundle.open(path, ()), packed.read_bytes()),
        "manifest": Reader(lambda path: Manifest.parse(path.read_bytes()), json.dumps(MANIFEST).encode()),
        "seal": Reader(lambda path: _sealed(folder, entry, path), _seal(entry)),
        "target": Reader(lambda path: spec.parse(Target, spec.read_toml(path), "it"), toml["targets"]),
        "profile": Reader(lambda path: spec.parse(Profile, spec.read_toml(path), "it"), toml["profiles"]),
        "project": Reader(lambda path: Project.read(path.parent), project, "edgekit.toml"),
        "book": Reader(lambda path: Book(path).entries(), b'[pi]\nurl = "ssh://pi@host"\ngroups = ["a"]\n'),
        "override": Reader(lambda path: Override.parse(_text(path)), b"profile.gates.agreement=0.9"),
        "trace": Reader(
            _valued(lambda path: etdump.inferences(path.read_bytes(), path.read_bytes())), bytes(range(256))
        ),
        "model": Reader(_valued(lambda path: onnx_files.external_files(memoryview(path.read_bytes()))), ONNX),
        **{url: Reader(_reached, url.encode()) for url in URLS},
    }


ONNX = bytes((0x3A, 14, 0x2A, 12, 0x6A, 10, 10, 8)) + b"location"


def _valued(read: Callable[[Path], object]) -> Callable[[Path], object]:
    """A reader whose callers expect ValueError and RunnerError."""

    def expected(path: Path) -> object:
        try:
            return read(path)
        except (ValueError, RunnerError):
            return None

    return expected


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def _reached(path: Path) -> object:
    url = _text(path)
    if url.startswith(("http", "grpc")):
        return spec.parse(Reference, {"url": url}, "reference").address
    if url.startswith("emulated://"):
        return find(url.removeprefix("emulated://"))
    return way_to(url) if "://" in url else None


def _measurement() -> Measurement:
    where = Environment("eager", "x86_64", "Linux", "cpu", 4, 1 << 30, "torch 2", "3.11", 1, host_stand_in=False)
    rows = np.eye(3, 2, dtype=np.float32)
    return Measurement({"scores": rows}, np.zeros(3, np.int64), "0" * 64, no_latency(), 1, 1, 1, where, NOT_ASKED)


def _compared(path: Path) -> object:
    metric = plugins.load("metrics", "classification")()
    return compare(store.load(path), store.load(path.with_name("whole.json")), metric)


def _loaded(path: Path) -> object:
    """The arrays as a record names them that whoever changed them wrote, too."""
    whole: dict[str, Any] = json.loads(path.with_name("whole.json").read_text())
    path.rename(path.with_name("forged.npz"))
    forged = path.with_name("forged.json")
    forged.write_text(json.dumps({**whole, "arrays_sha256": file_digest(path.with_name("forged.npz"))}))
    return _compared(forged)


def _report(folder: Path) -> bytes:
    found = folder.parent / "report.json"
    return found.read_bytes() if found.is_file() else b'{"schema": 1, "reports": []}'


def _shown(path: Path) -> None:
    reports = record.read(path)
    for form in (text, markdown, html):
        form.render(reports)


def _seal(entry: Path) -> bytes:
    return json.dumps({"made": file_digest(entry / "made")}).encode()


def _sealed(folder: Path, entry: Path, path: Path) -> None:
    (entry / SEAL).write_bytes(path.read_bytes())
    if Cache(folder / "cache").find("abc") and json.loads(path.read_bytes()) != json.loads(_seal(entry)):
        raise AssertionError("an entry counts as whole whose seal was changed")

"""Readers of bundles and of what lies beside them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.manifest import Manifest, ManifestContent
from edgekit.bundle.manifest_records import ArtifactFacts, DataProvenance, Golden, PassStep
from edgekit.bundle.signing import write_signature
from edgekit.bundle.stored_zip import lay_out, tail
from edgekit.ir.artifact import Operator
from edgekit.ir.measurement import Array
from edgekit.ir.signature import Affine, Signature, TensorSpec
from edgekit.pipeline.build_output import PROFILE, BuildOutput
from edgekit.runner.layout import MANIFEST, SIGNATURE
from edgekit.specs.catalog import builtin_root
from edgekit.specs.profile import Profile
from edgekit.specs.spec import parse, read_toml
from scripts.fuzzing.readers.keys import KEY
from scripts.fuzzing.readers.reader import Reader, Readers

RECIPE = "raspberry-pi-int8"
DESCRIPTION = ManifestContent(
    edgekit="0.1.0",
    name="tiny",
    target="raspberry-pi-5",
    family="raspberry-pi",
    arch="aarch64",
    profile=RECIPE,
    precision="static-int8",
    backend="onnx",
    format="onnx",
    delegates=("cpu",),
    options=(("session.qdqisint8allowed", "1"),),
    task="classification",
    classes=("Käse", "Brot"),
    model=("model.onnx",),
    signature=Signature(
        inputs=(TensorSpec("image", "uint8", (1, 2, 2, 3)),),
        outputs=(TensorSpec("output", "int8", (1, 2), Affine(0.1, -3)),),
    ),
    golden=Golden(count=2, tolerance=0.05),
    facts=ArtifactFacts(
        size_bytes=300,
        float_size_bytes=1100,
        integer_share=0.99,
        integer_macs_share=1.0,
        delegated_share=1.0,
        fallback_share=0.0,
        macs=72,
        placement_basis="read off the graph as its runtime loaded it",
    ),
    placement=(Operator("conv2d", "cpu", 72, 8, True),),
    history=(PassStep(name="quantize", options=(("mode", "static"),), sqnr_db=31.25),),
    data=(DataProvenance(role="calibration", licence="CC0-1.0", source="drawn by hand", samples=4, sha256="ab" * 32),),
    versions={"torch": "2.13.0"},
)


def npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


FILES: Mapping[str, bytes] = {
    "model.onnx": bytes(range(256)),
    "engine.json": b"{}",
    "golden/inputs/image.npy": npy(np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)),
    "golden/outputs/output.npy": npy(np.array([[1, -1], [5, 7]], np.int8)),
}


def readers(folder: Path) -> Readers:
    bundle = pack(DESCRIPTION, FILES, KEY, folder / "left" / "tiny.edgekit")
    raw = bundle.read(MANIFEST)
    recipe = parse(Profile, read_toml(builtin_root() / "profiles" / f"{RECIPE}.toml"), "it", {"id": RECIPE})
    return {
        "bundle": Reader(lambda path: Bundle.open(path, [KEY.public]), (bundle.path.read_bytes(),)),
        "manifest": Reader(lambda path: Manifest.parse(path.read_bytes()), (raw,)),
        "signed manifest": Reader(_signed_anew, (raw,)),
        "signed array": Reader(_array, (FILES["golden/outputs/output.npy"],)),
        "recipe of a build": Reader(
            lambda path: _left(path, bundle.path.parent / PROFILE), (recipe.model_dump_json(by_alias=True).encode(),)
        ),
    }


def _zipped(contents: Mapping[str, bytes]) -> bytes:
    """Any contents in the layout of a bundle."""
    entries = lay_out((name, len(content), zlib.crc32(content)) for name, content in sorted(contents.items()))
    return b"".join(entry.header + contents[entry.name] for entry in entries) + tail(entries)


def _signed_anew(path: Path) -> Bundle:
    """The bundle whose manifest a trusted key signed, whatever it says."""
    raw = path.read_bytes()
    forged = path.with_name("forged.edgekit")
    forged.write_bytes(_zipped({**FILES, MANIFEST: raw, SIGNATURE: write_signature(KEY, raw)}))
    return Bundle.open(forged, [KEY.public])


def _array(path: Path) -> object:
    """A bundle that was packed and signed with whatever stands for its golden answers."""
    forged = path.with_name("array") / "forged.edgekit"
    pack(DESCRIPTION, {**FILES, "golden/outputs/output.npy": path.read_bytes()}, KEY, forged)
    return BuildOutput.open(forged, [KEY.public]).changed({"output": np.zeros((2, 2), np.float32)})


def _left(path: Path, beside: Path) -> object:
    """The bundle with the file beside it, as `edgekit diagnose` finds it."""
    beside.write_bytes(path.read_bytes())
    try:
        return BuildOutput.open(beside.parent, [KEY.public]).profile
    finally:
        beside.unlink()

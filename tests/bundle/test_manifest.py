"""The manifest: one writing, strict reading, paths that stay inside."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.bundle.manifest import Manifest, ManifestContent
from edgekit.bundle.manifest_records import ArtifactFacts, PassStep
from edgekit.errors import BundleError
from edgekit.ir.artifact import Artifact, Operator, Placement
from edgekit.ir.program import PassRecord
from edgekit.ir.signature import Affine, Signature, TensorSpec
from edgekit.untrusted.paths import is_inside

Values = dict[str, Any]


def canonical(values: Values) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def edited(values: Values, *path: str | int, to: object) -> bytes:
    """The manifest with one value in it replaced."""
    changed = copy.deepcopy(values)
    place: Any = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = to
    return canonical(changed)


def test_what_is_written_is_canonical_json_and_is_read_back_equal(manifest_values: Values) -> None:
    manifest = Manifest.parse(canonical(manifest_values))
    assert manifest.to_bytes() == canonical(manifest_values)
    assert "Käse".encode() in manifest.to_bytes()
    assert b'"schema":1' in manifest.to_bytes()
    assert (manifest.version, manifest.floor) == (0, 0)  # of whoever states neither
    assert manifest.signature.outputs[0].affine is not None
    assert manifest.signature.outputs[0].affine.zero_point == -3


def test_the_files_need_not_be_given_in_order(description: ManifestContent, manifest_values: Values) -> None:
    listed = [(file["path"], file["bytes"], file["sha256"]) for file in manifest_values["files"]]
    assert Manifest.of(description, reversed(listed)).to_bytes() == canonical(manifest_values)


def test_golden_paths_follow_the_signature(manifest_values: Values) -> None:
    manifest = Manifest.parse(canonical(manifest_values))
    assert manifest.golden_paths() == ("golden/inputs/image.npy", "golden/outputs/output.npy")


STATE = [{"input": "image", "output": "output", "initial": "state/image.npy"}]


def test_a_model_with_state_has_a_schema_of_its_own(manifest_values: Values) -> None:
    signature = {**manifest_values["signature"], "state": STATE}
    with pytest.raises(BundleError, match="'schema' is 2 for this signature, not 1"):
        Manifest.parse(edited(manifest_values, "signature", to=signature))
    stated = {**manifest_values, "schema": 2, "signature": signature}
    with pytest.raises(BundleError, match=r"there is no file 'state/image\.npy'"):
        Manifest.parse(canonical(stated))
    file = {"path": "state/image.npy", "bytes": 1, "sha256": "ab" * 32}
    stated["files"] = sorted([*manifest_values["files"], file], key=lambda one: str(one["path"]))
    # The image is state, and the output too: neither is in the golden vectors.
    manifest = Manifest.parse(canonical(stated))
    assert manifest.golden_paths() == ()
    assert manifest.to_bytes() == canonical(stated)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("colour",), "red", "'colour'"),
        (("signature", "inputs", 0, "colour"), "red", "'signature.inputs.0.colour'"),
        (("placement", 0, "colour"), "red", "'placement.0.colour'"),
        (("schema",), 2, "'schema'"),
        (("name",), "", "'name'"),
        (("facts", "integer_share"), 1.5, "'facts.integer_share'"),
        (("golden", "count"), 0, "'golden.count'"),
        (("model",), [], "'model'"),
        (("model",), ["other.pte"], "there is no file 'other.pte'"),
        (("signature", "inputs", 0, "name"), "picture", "there is no file 'golden/inputs/picture.npy'"),
        (("files", 0, "sha256"), "AB" * 32, "'files.0.sha256'"),
        (("files", 0, "bytes"), -1, "'files.0.bytes'"),
        (("files", 0, "path"), "../model.pte", "no plain relative path"),
        (("files", 0, "path"), "model.pte", "listed twice"),
        (("files", 0, "path"), "Manifest.JSON", "'manifest.json' is there twice"),
        (("files", 0, "path"), "MODEL.pte/x", "both a file and a folder"),
        (("files",), [], "there is no file"),
    ],
)
def test_a_manifest_that_says_something_wrong_is_refused(
    manifest_values: Values, path: tuple[str | int, ...], value: object, said: str
) -> None:
    with pytest.raises(BundleError) as caught:
        Manifest.parse(edited(manifest_values, *path, to=value))
    assert said in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 5000])
def test_a_number_that_is_none_is_refused(manifest_values: Values, number: str) -> None:
    raw = canonical(manifest_values).replace(b'"scale":0.1', b'"scale":' + number.encode())
    assert number.encode() in raw
    with pytest.raises(BundleError):
        Manifest.parse(raw)


def test_any_other_writing_of_the_same_values_is_refused(manifest_values: Values) -> None:
    raw = canonical(manifest_values)
    others = [
        raw[:-1],
        raw + b"\n",
        b"\xef\xbb\xbf" + raw,
        raw.replace(b'"count":2', b'"count": 2'),
        raw.replace(b'"count":2', b'"count":"2"'),
        raw.replace(b'"count":2', b'"count":2.0'),
        raw.replace(b'"count":2', b'"count":3,"count":2'),
        raw.replace(b'"scale":0.1', b'"scale":1e-1'),
        raw.replace("ä".encode(), b"\\u00e4"),
        json.dumps(manifest_values).encode(),
    ]
    for other in others:
        assert other != raw
        with pytest.raises(BundleError):
            Manifest.parse(other)


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"null", b"[]", b"{", b"\xff\xfe{}", b"[" * 100_000, b'{"name":"\\ud800"}', b'"' + b"a" * 1000]
)
def test_what_is_not_such_a_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(BundleError):
        Manifest.parse(raw)


@given(raw=st.binary(max_size=200))
def test_random_bytes_are_no_manifest(raw: bytes) -> None:
    with pytest.raises(BundleError):
        Manifest.parse(raw)


def test_text_that_is_not_unicode_cannot_be_described(description: ManifestContent, manifest_values: Values) -> None:
    listed = [(file["path"], file["bytes"], file["sha256"]) for file in manifest_values["files"]]
    broken = description.model_copy(update={"classes": ("\ud800", "b")})
    with pytest.raises(BundleError, match="not Unicode"):
        Manifest.of(broken, listed)


def test_numbers_of_a_backend_are_checked_and_written_plainly(
    description: ManifestContent, manifest_values: Values
) -> None:
    def manifest_with(scale: Any) -> Manifest:
        outputs = (TensorSpec("output", "int8", (1, 2), Affine(scale, np.int64(-3))),)  # type: ignore[arg-type]
        signature = Signature(description.signature.inputs, outputs)
        listed = [(file["path"], file["bytes"], file["sha256"]) for file in manifest_values["files"]]
        return Manifest.of(description.model_copy(update={"signature": signature}), listed)

    assert b'"affine":{"scale":0.5,"zero_point":-3}' in manifest_with(np.float32(0.5)).to_bytes()
    with pytest.raises(BundleError, match=r"'signature\.outputs\.0\.affine\.scale'"):
        manifest_with(np.float32("nan"))


@pytest.mark.parametrize("path", ["model.pte", "golden/inputs/image.npy", "a b/c~1", "..a", "a..", ".hidden", "-x"])
def test_plain_relative_paths_are_inside(path: str) -> None:
    assert is_inside(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a/..",
        ".",
        "./a",
        "a//b",
        "a/",
        "a\\b",
        "C:/x",
        "c:x",
        "a\0b",
        "a\n",
        "ä",
        "a\x7f",
        "x" * 241,
    ],
)
def test_other_paths_are_not(path: str) -> None:
    assert not is_inside(path)


@given(path=st.text(st.sampled_from("a./\\:~\n ä\0"), max_size=8))
def test_what_is_inside_stays_inside_its_folder(path: str) -> None:
    if is_inside(path):
        assert (Path("/base") / path).resolve().is_relative_to("/base")
        assert (Path("/base") / path).as_posix() == f"/base/{path}"


def test_facts_are_those_of_the_artifact(tmp_path: Path) -> None:
    model = tmp_path / "model.pte"
    model.write_bytes(bytes(30))
    placement = Placement((Operator("conv", "xnnpack", 75, 9, True), Operator("gelu", None, 25, 9, False)))
    artifact = Artifact((model,), "pte", Signature((), ()), placement, integer=0.9, basis="a claim")
    facts = ArtifactFacts.of(artifact, float_size_bytes=100)
    assert (facts.size_bytes, facts.float_size_bytes, facts.macs) == (30, 100, 100)
    assert (facts.integer_share, facts.integer_macs_share) == (0.9, 0.75)
    assert (facts.delegated_share, facts.fallback_share) == (0.75, 0.25)
    assert facts.placement_basis == "a claim"


def test_bytes_of_operators_are_left_out_of_a_manifest_that_never_had_them(manifest_values: Values) -> None:
    assert all("bytes" not in operator for operator in manifest_values["placement"])
    old = canonical(manifest_values)
    assert Manifest.parse(old).placement[0].bytes is None
    assert Manifest.parse(old).to_bytes() == old
    counted = edited(manifest_values, "placement", 0, "bytes", to=20)
    assert Manifest.parse(counted).placement[0].bytes == 20
    assert Manifest.parse(counted).to_bytes() == counted
    assert all("module" not in operator for operator in manifest_values["placement"])
    placed = edited(manifest_values, "placement", 0, "module", to="blocks.0")
    assert Manifest.parse(placed).placement[0].module == "blocks.0"
    assert Manifest.parse(placed).to_bytes() == placed


def test_a_step_has_no_seconds_and_equal_outputs_have_no_ratio() -> None:
    options = (("samples", "8"),)
    assert PassStep.of(PassRecord("quantize", options, 1.5, 30.0)) == PassStep(
        name="quantize", options=options, sqnr_db=30.0
    )
    assert PassStep.of(PassRecord("fold", (), 0.1, math.inf)).sqnr_db is None


def test_a_preference_for_energy_is_written_and_one_for_latency_keeps_the_bytes_of_earlier_bundles(
    manifest_values: Values,
) -> None:
    for prefer, unsaid in (("energy", set[str]()), ("latency", {"prefer"})):
        offered = {"kinds": ["litert-gpu"], "share": None, "slower": 1.0, "prefer": prefer}
        written = Manifest.model_validate({**manifest_values, "acceleration": offered}).to_bytes()
        assert set(offered) - set(json.loads(written)["acceleration"]) == unsaid
        assert Manifest.parse(written).to_bytes() == written

"""Archives that are the same wherever they are made, and hold no more than a device needs."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.cache import Cache
from edgekit.devices.packs.assemble import assemble
from edgekit.devices.packs.equip import PACKS_BYTECODE
from edgekit.devices.packs.pack import build, write_archive
from edgekit.devices.packs.recipe import RECIPES, recipe_of, versions_of

CONTENT = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.binary(max_size=600), min_size=1)
ALL = pytest.mark.parametrize("distribution", [recipe.distribution for recipe in RECIPES])
LARGEST_MB = {"ai-edge-litert": 86, "tflite-runtime": 70, "onnxruntime": 90, "executorch": 75}


def _archive(content: dict[str, bytes], names: list[str], time_s: int, mode: int) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pack"
        for name in names:
            path = folder / "lib" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content[name])
            path.chmod(mode)
            os.utime(path, (time_s, time_s))
        out = Path(scratch) / "out.tar.gz"
        write_archive(folder, out)
        with tarfile.open(out) as archive:
            contents = {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}  # type: ignore[union-attr]
        assert contents == {f"lib/{name}": content[name] for name in names}
        return out.read_bytes()


@settings(max_examples=25, deadline=None)
@given(CONTENT, st.randoms())
def test_an_archive_depends_on_nothing_but_its_content(content: dict[str, bytes], random: object) -> None:
    names = sorted(content)
    first = _archive(content, names, 1_000_000_000, 0o644)
    assert _archive(content, names[::-1], 1_700_000_000, 0o755) == first


@ALL
def test_a_pack_holds_plain_files_and_no_sources(distribution: str) -> None:
    pack = build(recipe_of(distribution), {}, Cache.of_downloads())
    with tarfile.open(pack.archive) as archive:
        entries = archive.getmembers()
        head = archive.extractfile("lib/python3.11/os.pyc")
        assert head
        assert head.read(4).hex() == PACKS_BYTECODE
    names = {entry.name for entry in entries}
    assert {"bin/python3.11", "lib/ld-linux-aarch64.so.1", "lib/python3.11/os.pyc"} <= names
    assert not [entry.name for entry in entries if not (entry.isfile() or entry.isdir())]
    assert not [name for name in names if name.endswith((".py", ".pyi", ".h")) or "/tests/" in name or ".." in name]
    assert pack.listing.device_bytes < LARGEST_MB[distribution] * 1e6
    assert pack.listing.archive_bytes == pack.archive.stat().st_size
    assert f"{distribution} " in " ".join(f"{name} {version}" for name, version in pack.listing.versions.items())


@pytest.mark.builds
def test_the_same_packages_give_the_same_bytes(tmp_path: Path) -> None:
    recipe, cache = recipe_of("executorch"), Cache.of_downloads()
    for name in ("once", "again"):
        assemble(recipe, versions_of(recipe, {}), tmp_path / name, cache)
        write_archive(tmp_path / name, tmp_path / f"{name}.tar.gz")
    once = (tmp_path / "once.tar.gz").read_bytes()
    assert (tmp_path / "again.tar.gz").read_bytes() == once
    assert build(recipe, {}, cache).archive.read_bytes() == once


def test_no_pack_knows_the_machine_that_made_it(tmp_path: Path) -> None:
    recipe = recipe_of("tflite-runtime")
    assemble(recipe, versions_of(recipe, {}), tmp_path, Cache.of_downloads())
    assert [path for path in tmp_path.rglob("*") if path.is_file() and bytes(tmp_path) in path.read_bytes()] == []

"""Runtime packs that were built before are on a fresh device; a device that lacks one is sent it, as a board is."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from edgekit.cache import Cache
from edgekit.devices.emulation import faults, registry
from edgekit.devices.packs.equip import equip
from edgekit.devices.packs.install import install_pack
from edgekit.devices.packs.pack import Pack, build, interpreter
from edgekit.devices.packs.recipe import recipe_of
from edgekit.devices.transport import Transport
from edgekit.errors import CommandFailed
from edgekit.specs.catalog import Catalog

LIMIT_S = 180.0
VERSION = "from onnxruntime.capi import _pybind_state; print(_pybind_state.get_version_string())"
pytestmark = pytest.mark.usefixtures("emulation")


@pytest.fixture
def pack() -> Pack:
    return build(recipe_of("onnxruntime"), {}, Cache.of_downloads())


def version(transport: Transport, folder: PurePosixPath) -> str:
    """Version of the runtime in a pack, by its own library."""
    ended = transport.run([*interpreter(folder), "-c", VERSION], timeout=LIMIT_S)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_a_pack_that_was_built_before_is_there_and_outlives_a_power_cut(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faults.fresh(Catalog.default().target("raspberry-pi-5")) as device:
        with device.connected() as transport:
            monkeypatch.delattr("edgekit.devices.shell.Shell._push")
            assert equip(transport, "onnx", {}) == interpreter(folder_of(pack, transport))
            assert version(transport, folder_of(pack, transport)) == pack.listing.versions["onnxruntime"]
            ended = transport.run(["touch", str(folder_of(pack, transport) / "lib/more")], timeout=LIMIT_S)
            assert "Read-only file system" in ended.stderr, "other devices have the same disk"
            transport.run(["sync"], timeout=LIMIT_S)
        device.cut_power()
        device.boot()
        with device.connected() as transport:
            assert version(transport, folder_of(pack, transport)) == pack.listing.versions["onnxruntime"]


def folder_of(pack: Pack, transport: Transport) -> PurePosixPath:
    return transport.root / "runtimes" / pack.listing.digest[:16]


@pytest.mark.parametrize("target", ["raspberry-pi-5", "android-arm64"])
def test_a_device_that_lacks_a_pack_is_sent_it(pack: Pack, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """Over sshd and over adbd, with the device's own tar and gzip."""
    monkeypatch.setattr(registry, "packs_disk", lambda tools, image, cache: image.packs)
    with faults.fresh(Catalog.default().target(target)) as device, device.connected() as transport:
        with pytest.raises(CommandFailed):
            transport.run([*interpreter(folder_of(pack, transport)), "-c", ""], timeout=LIMIT_S)
        assert install_pack(pack, transport) == folder_of(pack, transport)
        assert version(transport, folder_of(pack, transport)) == pack.listing.versions["onnxruntime"]

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from edgekit.devices.emulation.initramfs import initramfs
from edgekit.errors import ImageDamaged


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """A kernel with the modules that are asked for, each of which says what it needs."""
    needs = {"virtio": "", "virtio-ring": "virtio", "virtio_pci": "virtio,virtio_ring", "virtio_blk": "virtio-ring"}
    for name, depends in {**needs, "virtio_net": "", "virtio-rng": ""}.items():
        path = tmp_path / "lib/modules/6.1/kernel/drivers" / f"{name}.ko"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x7fELF\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0")
    return tmp_path


def test_every_module_comes_after_what_it_needs(kernel: Path, tmp_path: Path) -> None:
    (tmp_path / "busybox").write_bytes(b"busybox")
    content = gzip.decompress(initramfs(kernel, tmp_path / "busybox", b"#!/busybox sh\n"))
    order = content.split(b"modules/order\0")[1].split(b"070701")[0].strip(b"\0").decode().split()
    assert order.index("virtio") < order.index("virtio_ring") < order.index("virtio_pci")
    assert order.index("virtio_ring") < order.index("virtio_blk")
    assert len(order) == len(set(order)) == 6


def test_the_same_kernel_gives_the_same_bytes(kernel: Path, tmp_path: Path) -> None:
    (tmp_path / "busybox").write_bytes(b"busybox")
    first, second = (initramfs(kernel, tmp_path / "busybox", b"init") for _ in range(2))
    assert first == second


def test_a_kernel_without_a_module_is_said(kernel: Path, tmp_path: Path) -> None:
    (tmp_path / "busybox").write_bytes(b"busybox")
    next(kernel.rglob("virtio_net.ko")).unlink()
    with pytest.raises(ImageDamaged, match="no module 'virtio_net'"):
        initramfs(kernel, tmp_path / "busybox", b"init")

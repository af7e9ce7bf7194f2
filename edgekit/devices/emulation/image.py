"""Disk image of emulated devices: Debian's kernel and userland for arm64, with sshd and adbd."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from edgekit.cache import SEAL, Cache, digest_of, file_digest
from edgekit.devices import debian, process
from edgekit.devices.emulation.initramfs import initramfs
from edgekit.devices.emulation.tools import Tools
from edgekit.devices.packs.assemble import run_python
from edgekit.devices.packs.recipe import PYTHON
from edgekit.errors import ImageDamaged, ToolsMissing

USERLAND = (
    "base-files", "base-passwd", "busybox-static", "coreutils", "dash", "gzip", "libc-bin", "mount", "openssh-server",
    "openssh-sftp-server", "procps", "python3-minimal", "python3", "tar", "util-linux",
)  # fmt: skip
"""Debian packages of the userland. Python stands for the one that a board may have; packs bring their own."""
DISK, SMALL, PACKS = "2G", "64M", "1G"
"""Sizes of the disk, which grows when it is written, of the one that tests fill, and of that with runtime packs."""
MAKE_S = 120.0
# As Debian does when it installs Python. Without, the first start of a program there compiles what it imports: 6 s.
COMPILE = """
import compileall, sys
from py_compile import PycInvalidationMode
modules, root = sys.argv[1:]
options = dict(quiet=2, stripdir=root, prependdir="/", invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
compileall.compile_dir(modules, **options)
"""
UNUSED = ("usr/lib/systemd", "usr/share/perl", "usr/share/perl5", "usr/share/bash-completion", "var/lib/apt", "boot")
FOLDERS = (
    "data/local/tmp",
    "dev",
    "disk",
    "etc/ssh",
    "home",
    "mnt/packs",
    "mnt/small",
    "opt",
    "proc",
    "root/.ssh",
    "srv",
    "sys",
    "tmp",
)
ETC = {
    "hostname": "edgekit\n",
    "passwd": "root:x:0:0:root:/root:/bin/sh\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n"
    "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nshell:x:2000:\nnogroup:x:65534:\n",
    # No password opens it: the key that is made with the image does.
    "shadow": "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n",
    "ssh/sshd_config": "PermitRootLogin prohibit-password\nHostKey /etc/ssh/host\nUseDNS no\nUsePAM no\n"
    "StrictModes no\nLoginGraceTime 0\nMaxStartups 100\nMaxSessions 100\nSubsystem sftp /usr/lib/openssh/sftp-server\n",
    "ld.so.conf.d/android.conf": "/usr/lib/aarch64-linux-gnu/android\n",
}  # fmt: skip


@dataclass(frozen=True)
class Image:
    """A folder of the cache with kernel, disks and keys of a device. Nothing in it is ever written to again."""

    folder: Path

    @property
    def digest(self) -> str:
        """SHA-256 of its content, in hex: two images made of one recipe still have keys of their own."""
        return file_digest(self.folder / SEAL)

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initramfs(self) -> Path:
        return self.folder / "initramfs.gz"

    @property
    def disk(self) -> Path:
        return self.folder / "disk.qcow2"

    @property
    def small(self) -> Path:
        return self.folder / "small.qcow2"

    @property
    def packs(self) -> Path:
        """Disk without a runtime pack, which `packs_disk` replaces."""
        return self.folder / "packs.qcow2"

    @property
    def identity(self) -> Path:
        """File of the private key that opens every device of this image, and nothing else. It never leaves here."""
        return self.folder / "identity"

    @property
    def host_key(self) -> str:
        """Host key of its sshd: type and key, as in known_hosts."""
        return " ".join((self.folder / "host.pub").read_text().split()[:2])


def find_image(tools: Tools, cache: Cache) -> Image:
    """Find the image in the cache, or make it; a damaged one is made again. Raises ToolsMissing, ImageDamaged."""
    guest = {path.name: path.read_text() for path in files(__package__).joinpath("guest").iterdir()}
    recipe = {
        "schema": 1,
        "userland": USERLAND,
        "etc": ETC,
        "guest": guest,
        "compile": COMPILE,
        "sizes": [DISK, SMALL, PACKS],
        "unused": UNUSED,
    }
    return Image(cache.made().fetch(digest_of(recipe), lambda folder: _make(folder, guest, tools, cache))[0])


def _make(folder: Path, guest: dict[str, str], tools: Tools, cache: Cache) -> None:
    userland = debian.fetched(USERLAND, "arm64", cache)
    kernel = debian.fetched(["linux-image-cloud-arm64"], "arm64", cache)
    adbd = debian.fetched(["adbd"], "arm64", cache, debian.BACKPORTS)
    for name in ("identity", "host"):
        _run_checked(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "edgekit emulated device", "-f", str(folder / name)]
        )
    root = folder / "root"
    for layer in (adbd, userland):
        _run_checked(["cp", "--archive", "--remove-destination", "--no-target-directory", str(layer), str(root)])
    _furnish(root, guest["start"], folder, cache)
    shutil.copyfile(next(iter((kernel / "boot").glob("vmlinuz-*"))), folder / "vmlinuz")
    (folder / "initramfs.gz").write_bytes(initramfs(kernel, userland / "bin/busybox", guest["init"].encode()))
    (folder / "packages.txt").write_text(
        "".join((layer / debian.LISTED).read_text() for layer in (userland, kernel, adbd))
    )
    write_disk(root, DISK, folder / "disk.qcow2", tools, cache)
    shutil.rmtree(root)
    root.mkdir()
    write_disk(root, SMALL, folder / "small.qcow2", tools, cache)
    write_disk(root, PACKS, folder / "packs.qcow2", tools, cache)
    root.rmdir()


def _furnish(root: Path, start: str, keys: Path, cache: Cache) -> None:
    for name in UNUSED:
        shutil.rmtree(root / name, ignore_errors=True)
    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, content in ETC.items():
        path = root / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    run_python(cache, COMPILE, str(root / "usr/lib" / PYTHON), str(root))
    (root / "sbin/start").write_text(start)
    (root / "sbin/start").chmod(0o755)
    shutil.copyfile(keys / "identity.pub", root / "root/.ssh/authorized_keys")
    shutil.copy(keys / "host", root / "etc/ssh/host")


def write_disk(root: Path, size: str, disk: Path, tools: Tools, cache: Cache) -> None:
    """Write an ext4 file system with the folder's content as qcow2, without root and without mounting anything.

    size: of the file system, as mke2fs has it. Raises ToolsMissing, ImageDamaged, for content that does not fit, too.
    """
    raw = disk.with_suffix(".raw")
    mke2fs = debian.command(debian.fetched(["e2fsprogs"], debian.host(), cache), "sbin/mke2fs")
    _run_checked(
        [*mke2fs, "-q", "-F", "-t", "ext4", "-m", "0", "-E", "root_owner=0:0", "-d", str(root), str(raw), size]
    )
    _run_checked([*tools.qemu_img, "convert", "-O", "qcow2", str(raw), str(disk)])
    raw.unlink()


def _run_checked(argv: list[str]) -> None:
    if shutil.which(argv[0]) is None:
        raise ToolsMissing(f"there is no '{argv[0]}' here", hint="apt-get install openssh-client")
    ended = process.run(argv, timeout=MAKE_S)
    if ended.returncode:
        raise ImageDamaged(f"'{Path(argv[0]).name}' could not make the image: {ended.stderr.strip()[-300:]}")

"""A pack gets onto a device once, whole or not at all, whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

import pytest

from edgekit.devices.packs.install import install_pack, installed_packs
from edgekit.devices.packs.pack import Pack
from edgekit.devices.survey import survey
from edgekit.devices.transport import Completed
from edgekit.errors import CommandFailed, Incompatible, TooSmall
from tests.devices.interruption import Interrupted
from tests.devices.packs.conftest import StandIn


def _there(device: StandIn) -> list[str]:
    home = Path(device.root) / "runtimes"
    return sorted(path.name for path in home.iterdir()) if home.is_dir() else []


def test_a_pack_lies_under_its_digest_and_leaves_nothing_beside_it(stand_in: StandIn, small_pack: Pack) -> None:
    folder = install_pack(small_pack, stand_in)
    assert Path(folder, "lib", "module").read_bytes() == b"code"
    assert _there(stand_in) == [folder.name] == [small_pack.listing.digest[:16]]
    assert installed_packs(stand_in) == [folder]
    assert survey(stand_in).packs == {folder.name}


class Counting(StandIn):
    steps: ClassVar[list[str]] = []

    def push(self, local: Path, remote: PurePosixPath) -> None:
        self.steps.append("push")
        super().push(local, remote)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        self.steps.append(argv[0])
        return super().run(argv, timeout=timeout)


def test_a_pack_that_is_there_costs_one_quick_command(
    stand_in: StandIn, small_pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_pack(small_pack, stand_in)
    monkeypatch.setattr(Counting, "steps", [])
    install_pack(small_pack, Counting(stand_in.url))
    assert Counting.steps == ["test"]


class Cut(Interrupted, StandIn):
    """The power fails before the n-th thing that is done, and nothing is done after that."""


def test_a_pack_cut_short_at_any_step_does_not_count(stand_in: StandIn, small_pack: Pack) -> None:
    steps = 0
    done = False
    while not done:
        Cut.left = steps
        try:
            install_pack(small_pack, Cut(stand_in.url))
            done = True
        except KeyboardInterrupt:
            steps += 1
        for folder in installed_packs(stand_in):
            assert Path(folder, "lib", "module").read_bytes() == b"code"
    assert steps > 5


def test_of_two_hosts_at_once_both_find_it_whole(stand_in: StandIn, small_pack: Pack) -> None:
    paths: list[PurePosixPath] = []
    hosts = [threading.Thread(target=lambda: paths.append(install_pack(small_pack, stand_in))) for _ in range(4)]
    for host in hosts:
        host.start()
    for host in hosts:
        host.join()
    assert len(paths) == 4
    assert _there(stand_in) == [small_pack.listing.digest[:16]]


class WithoutGzip(StandIn):
    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if "gzip" in argv or "-xzf" in argv:
            raise CommandFailed("there is no 'gzip'")
        return super().run(argv, timeout=timeout)


def test_a_device_that_cannot_unzip_gets_it_unzipped(stand_in: StandIn, small_pack: Pack) -> None:
    folder = install_pack(small_pack, WithoutGzip(stand_in.url))
    assert Path(folder, "lib", "module").read_bytes() == b"code"


class Small(Counting):
    def free_bytes(self, folder: PurePosixPath) -> int | None:
        return 3_000_000


def test_a_device_without_room_is_sent_nothing(
    stand_in: StandIn, small_pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Small, "steps", [])
    install_pack(small_pack, Small(stand_in.url), beside_bytes=2_000_000)
    device = Small(f"{stand_in.url}-other")
    monkeypatch.setattr(Small, "steps", [])
    with pytest.raises(TooSmall, match=r"has 3 MB free at .*, the runtime pack and the bundle need 5 MB"):
        install_pack(small_pack, device, beside_bytes=5_000_000)
    assert "push" not in Small.steps


class Desktop(StandIn):
    machine: ClassVar[str] = "x86_64"


def test_a_device_of_another_kind_is_refused(stand_in: StandIn, small_pack: Pack) -> None:
    with pytest.raises(Incompatible, match=r"runtime packs are for aarch64, .* is x86_64"):
        install_pack(small_pack, Desktop(stand_in.url))
    assert _there(stand_in) == []


class Broken(StandIn):
    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        return super().run(["tar", "--no-such-option"] if argv[0] == "tar" else argv, timeout=timeout)


def test_a_device_that_cannot_unpack_is_an_error_that_leaves_nothing(stand_in: StandIn, small_pack: Pack) -> None:
    with pytest.raises(CommandFailed, match="could not be put in place: 'tar' said"):
        install_pack(small_pack, Broken(stand_in.url))
    assert _there(stand_in) == []

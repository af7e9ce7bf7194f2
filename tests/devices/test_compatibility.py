"""A device that cannot take a bundle is told so before anything is sent."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from edgekit.devices.compatibility import check_fit
from edgekit.devices.flash import flash
from edgekit.devices.local import Local
from edgekit.devices.survey import SCRIPT, Survey, survey
from edgekit.devices.transport import Completed
from edgekit.errors import TooSmall
from tests.devices.conftest import MakeBundle


class Small(Local):
    """This machine with less of everything."""

    said: ClassVar[str] = ""

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if SCRIPT in argv:
            return Completed(tuple(argv), self.said, "", 0)
        return super().run(argv, timeout=timeout)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("/dev/root 100 100 0 100% /\n", r"has 0\.0 MB free at '.*', the bundle needs"),
        ("memory 20000 kB\n", r"has 20\.5 MB of memory available, .* need 50\.\d MB"),
    ],
)
def test_a_device_without_disk_or_memory_is_sent_nothing(
    tmp_path: Path, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch, told: str, said: str
) -> None:
    monkeypatch.setattr(Small, "said", f"machine aarch64\n{told}")
    with pytest.raises(TooSmall, match=said):
        flash(make_bundle("one"), Small(f"local://{tmp_path / 'device'}"))
    assert not (tmp_path / "device").exists()


def test_a_device_that_says_nothing_of_itself_is_believed(tmp_path: Path, make_bundle: MakeBundle) -> None:
    device = Small(f"local://{tmp_path / 'device'}")
    check_fit(make_bundle("one").manifest, device, survey(device))


def test_the_room_is_that_of_the_disk_where_the_root_will_be(tmp_path: Path) -> None:
    device = Local(f"local://{tmp_path / 'not' / 'there' / 'yet'}")
    assert (device.free_bytes(device.root) or 0) > 1_000_000
    assert (survey(device).free_bytes or 0) > 1_000_000
    assert not (tmp_path / "not").exists()


def test_a_small_image_has_no_more_than_these_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sh", "uname", "df", "head", "tr"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = survey(Local(f"local://{tmp_path / 'device'}"))
    assert said.machine
    assert (said.free_bytes or 0) > 1_000_000
    assert (said.available_bytes or 0) > 1_000_000


def test_what_a_device_says_of_itself_is_read_with_care(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Small(f"local://{tmp_path / 'device'}")
    monkeypatch.setattr(
        Small, "said", "welcome!\nmachine arm64\nslot [[[\nslot " + "[" * 100_000 + "\nslot {}\nslot \n"
    )
    assert survey(device) == Survey("aarch64", manifests=frozenset(("[[[", "[" * 100_000, "{}")))
    listed = '{"files": [{"path": "model", "sha256": "00"}]}'
    monkeypatch.setattr(Small, "said", f"slot {listed}\nmemory 2 kB\n")
    assert survey(device) == Survey("", 2048, None, frozenset({("model", "00")}), frozenset({listed}))

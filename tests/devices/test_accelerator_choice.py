"""What the host asks a device's runner for when it lets it choose, and the files that it puts there before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edgekit.bundle.manifest_records import Acceleration
from edgekit.cache import file_digest
from edgekit.devices import accelerator_choice, swiftshader
from edgekit.devices.accelerator_choice import choose_accelerator
from edgekit.devices.flash import Installation
from edgekit.devices.litert_accelerator import LIBRARY, with_library
from edgekit.devices.packs import wheels
from edgekit.devices.protocol import AcceleratorChosen
from edgekit.devices.runner_client import Runner
from edgekit.devices.transport import Completed
from edgekit.errors import StorageError
from edgekit.runner.model.accelerator import LITERT_GPU, QNN_HTP, Accelerator
from edgekit.specs.accelerator import AUTO, AcceleratorChoice

PACK = ("/opt/edgekit/packs/p/lib/ld", "/opt/edgekit/packs/p/bin/python")
TYPED = AcceleratorChoice.typed("auto", None)
CHOSEN = {"kind": "cpu", "why": "", "told": False, "options": (), "surroundings": {}, "measured": ()}


FETCHED: list[str] = []
"""Versions of LiteRT that a test asks for."""


@dataclass
class Board:
    """A device that notes what is sent to it."""

    kind: str = "device"
    machine: str = "aarch64"
    room: int = 9
    """Files that it takes before it is full."""
    files: set[str] = field(default_factory=set)
    commands: list[list[str]] = field(default_factory=list)
    root = PurePosixPath("/opt/edgekit")
    python = "python3"
    url = "board://here"

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        words = list(argv)
        self.commands.append(words)
        inside = [file for file in self.files if file.startswith(f"{words[-1]}/")]
        if words[0] == "rm":
            self.files -= set(inside)
        told = {"uname": self.machine, "ls": "\n".join(PurePosixPath(file).name for file in inside)}
        return Completed(tuple(words), told.get(words[0], ""), "", 0)

    def push(self, local: Path, remote: PurePosixPath) -> None:
        if len(self.files) >= self.room:
            raise StorageError("the device is full")
        self.files.add(str(remote))


@dataclass(frozen=True)
class Asked(Runner):
    """A runner that notes what it is asked."""

    def ask(self, answer: Any, *argv: object, **limits: Any) -> Any:
        cast(Any, self.transport).asked = [str(word) for word in argv]
        return AcceleratorChosen.model_validate(CHOSEN)


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel of LiteRT as it is unpacked, and SwiftShader, which nothing fetches here."""
    path = tmp_path / "ai_edge_litert" / LIBRARY
    path.parent.mkdir()
    path.write_bytes(b"library")

    def fetched(name: str, version: str, cache: object) -> Path:
        FETCHED.append(version)
        return tmp_path

    monkeypatch.setattr(wheels, "fetched", fetched)

    def with_driver(accelerator: Accelerator | None, device: object) -> Accelerator | None:
        pairs = dict(accelerator.options) if accelerator else {}
        sent = {"vulkan": "/sent"} if "vulkan" in pairs else {}
        return accelerator and accelerator._replace(options=tuple((pairs | sent).items()))

    monkeypatch.setattr(accelerator_choice, "with_driver", with_driver)
    return path


def asked(board: Board, choice: AcceleratorChoice, kind: str = LITERT_GPU, **offer: Any) -> list[str] | None:
    """Arguments of the runner's verb, without its root and digest; None if it was not asked."""
    runner = Asked(cast(Any, board), PACK, PurePosixPath("/opt/edgekit/runner.pyz"))
    installation = Installation(runner, PurePosixPath("/opt/edgekit/a"), "0" * 64, committed=False)
    format = "tflite" if kind == LITERT_GPU else "onnx"
    acceleration, versions = Acceleration(kinds=(kind,), **offer), {"ai-edge-litert": "2.1.0"}
    manifest = cast(Any, SimpleNamespace(format=format, acceleration=acceleration, versions=versions))
    chosen = choose_accelerator(installation, manifest, choice)
    return cast(Any, board).asked[4:] if chosen else None


def test_a_device_that_runs_models_by_a_pack_has_the_gpu_library_before_it_chooses(library: Path) -> None:
    board = Board()
    place = f"/opt/edgekit/accelerators/{file_digest(library)[:16]}"
    words = asked(board, AUTO, prefer="energy", slower=None)
    assert words == ["--kind=litert-gpu", "--prefer=energy", f"--option=library={place}", "--threads=1", "--limit=120"]
    assert board.files == {f"{place}/{LIBRARY}"}
    assert FETCHED[-1] == "2.1.0"  # as the pack that runs the bundle
    board.commands.clear()
    told = asked(board, AcceleratorChoice("gpu", ("enforce_f32=true",)))
    assert told is not None
    assert told[3:6] == ["--told=litert-gpu", "--option=enforce_f32=true", f"--option=library={place}"]
    assert [words[0] for words in board.commands] == ["uname", "ls"]  # it is there


@pytest.mark.parametrize(
    ("board", "interpreter", "kind"),
    [(Board(), ("python3",), LITERT_GPU), (Board(machine="x86_64"), PACK, LITERT_GPU), (Board(), PACK, QNN_HTP)],
    ids=["a Python of its own", "no machine of packs", "no GPU"],
)
def test_nothing_is_sent_where_the_library_is_there_or_of_no_use(
    board: Board, interpreter: tuple[str, ...], kind: str
) -> None:
    request = Accelerator(kind)
    assert with_library(request, Runner(cast(Any, board), interpreter, PurePosixPath("/r"))) == request
    assert board.files == set()


def test_what_does_not_fit_on_the_device_leaves_nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, nearly = Board(room=0), Board(room=1)
    with pytest.raises(StorageError):
        with_library(Accelerator(LITERT_GPU), Runner(cast(Any, full), PACK, PurePosixPath("/r")))
    assert full.commands[-1][:2] == ["rm", "-rf"]
    monkeypatch.setattr(swiftshader, "swiftshader", lambda architecture, cache: tmp_path / "driver")
    with pytest.raises(StorageError):
        swiftshader.with_driver(Accelerator(LITERT_GPU, (("vulkan", "swiftshader"),)), cast(Any, nearly))
    assert nearly.files == set()


def test_an_emulated_board_tries_stand_ins_if_auto_is_typed_and_else_nothing() -> None:
    board = Board("emulated")
    assert asked(board, AUTO) is None
    assert board.files == set()
    words = asked(board, TYPED)
    assert words is not None
    assert "--option=vulkan=/sent" in words
    assert words[-1] == "--limit=600"
    assert not [word for word in words if word.startswith("--told")]
    htp = asked(board, TYPED, QNN_HTP)
    assert htp is not None
    assert not [word for word in htp if word.startswith("--option")]
    device = asked(Board(), TYPED)
    assert device is not None
    assert not [word for word in device if "vulkan" in word]

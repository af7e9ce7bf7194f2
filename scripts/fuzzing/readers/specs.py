"""Readers of what people and plug-ins write: projects, targets, profiles, the book of devices, addresses."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from edgekit import examples
from edgekit.devices.device import way_to
from edgekit.devices.emulation.qmp import Qmp
from edgekit.devices.emulation.registry import CARD, devices_folder, find
from edgekit.devices.inventory import Book
from edgekit.specs import spec
from edgekit.specs.catalog import builtin_root
from edgekit.specs.override import Override
from edgekit.specs.profile import Profile
from edgekit.specs.project import Project
from edgekit.specs.reference import Reference
from edgekit.specs.target import Target
from scripts.fuzzing.readers.reader import Reader, Readers, text_of

URLS = (
    b"local://",
    b"local:///a%2f..",
    b"ssh://user@host:22/opt/edgekit",
    b"ssh://[::1]/x",
    b"adb://emulator-5554",
    b"adb://1.2.3.4:5555/data",
    b"http://h:80/v2/models/m",
    b"grpc://h:8001/m",
)
CARD_OF_A_DEVICE = {
    "name": "x",
    "target": "raspberry-pi-5",
    "cpu": "cortex-a76",
    "ram_mb": 512,
    "transport": "ssh",
    "root": "/opt/edgekit",
    "ssh": 2222,
    "adb": 5555,
    "identity": "identity",
    "host_key": "ssh-ed25519 AAAA",
    "guard": None,
}
SAID = b'{"QMP": {"version": {}}}\n{"return": {}}\n{"event": "RESUME"}\n{"return": {"status": "running"}}\n'


def readers(folder: Path) -> Readers:
    toml = {kind: next((builtin_root() / kind).glob("*.toml")).read_bytes() for kind in ("targets", "profiles")}
    project = (examples.folder("digits") / "edgekit.toml").read_bytes()
    book = b'[pi]\nurl = "ssh://pi@host"\ngroups = ["a"]\n'
    return {
        "target": Reader(lambda path: _parsed(Target, path), (toml["targets"],)),
        "profile": Reader(lambda path: _parsed(Profile, path), (toml["profiles"],)),
        "project": Reader(lambda path: Project.read(path.parent), (project,), "edgekit.toml"),
        "book": Reader(lambda path: Book(path).entries(), (book,)),
        "override": Reader(lambda path: Override.parse(text_of(path)), (b"profile.gates.agreement=0.9",)),
        "address": Reader(_reached, URLS),
        "card of a device": Reader(_card, (json.dumps(CARD_OF_A_DEVICE).encode(),)),
        "words of QEMU": Reader(_emulator, (SAID,)),
    }


def _parsed(model: type[spec.Spec], path: Path) -> object:
    return spec.parse(model, spec.read_toml(path), "it", derived={"id": "it"})


def _reached(path: Path) -> object:
    url = text_of(path)
    if url.startswith(("http", "grpc")):
        return spec.parse(Reference, {"url": url}, "reference").address
    if url.startswith("emulated://"):
        return find(url.removeprefix("emulated://"))
    return way_to(url) if "://" in url else None


def _card(path: Path) -> object:
    kept = devices_folder() / "x" / CARD
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(path.read_bytes())
    card = find("x")
    return card.state, card.known_hosts


def _emulator(path: Path) -> object:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(path.read_bytes()[: 1 << 16])
        theirs.shutdown(socket.SHUT_WR)
        return Qmp(ours).ask("query-status")

"""One bundle has one digest, whoever names it: that of its manifest, as `sha256sum` has it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

from tests.conftest import Built, Command


def test_everything_names_a_bundle_by_the_same_digest(command: Command, built: Built, tmp_path: Path) -> None:
    with zipfile.ZipFile(built.bundle) as archive:
        digest = hashlib.sha256(archive.read("manifest.json")).hexdigest()
    device, other = (f"local://{tmp_path / name}" for name in ("device", "other"))
    to = ("--device", device)
    report = json.loads((built.out / "report.json").read_text())
    inspected = command("inspect", built.bundle, "--json").document
    flashed = command("flash", built.bundle, *to, "--json").document
    fleet = command("flash", built.bundle, *to, "--device", other, "--json").document
    status = command("status", *to, "--json").document
    history = command("history", *to, "--json").document
    ping = command("device", "ping", device, "--json").document
    left = command("rollback", "--device", f"local://{_on_trial(command, built, tmp_path)}", "--json").document
    named = {
        "report": report["bundle"]["digest"],
        "inspect": inspected["digest"],
        "flash": flashed["digest"],
        "flash of several": fleet["digest"],
        "status": status["slots"][status["current"]]["digest"],
        "ping": ping["served"]["digest"],
        "rollback": left["left"]["digest"],
    }
    assert named == dict.fromkeys(named, digest)
    assert {event["digest"] for event in history["history"]} == {digest}
    assert inspected["file_sha256"] == hashlib.sha256(built.bundle.read_bytes()).hexdigest()
    shown = [command(*argv).out for argv in (("inspect", built.bundle), ("report", built.out, "--full"))]
    assert all(digest in text for text in shown)
    assert all(digest[:12] in command(name, *to).out for name in ("status", "history"))


def _on_trial(command: Command, built: Built, folder: Path) -> Path:
    """A device with the bundle on trial."""
    assert command("flash", built.bundle, "--device", f"local://{folder / 'trial'}", "--no-commit").code == 0
    return folder / "trial"

"""`edgekit monitor` of a device that serves a real bundle, whose windows the device's own code has written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.keys import KeyStore
from edgekit.bundle.manifest import ManifestContent
from edgekit.runner.counts.bins import FrozenBins, digest_of
from edgekit.runner.counts.signals import answer_signals
from edgekit.runner.counts.time_counter import TimeCounter
from edgekit.runner.counts.window import AnswerWindow
from edgekit.runner.counts.window_writer import WindowWriter
from tests.conftest import Built, Command

ROWS = 300


@pytest.fixture
def home(places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, folder in {**places, "EDGEKIT_DATA": str(tmp_path / "data")}.items():
        monkeypatch.setenv(name, folder)


def opened(built: Built) -> Bundle:
    return Bundle.open(built.bundle, KeyStore.of_user().trusted())


def renamed(bundle: Bundle, folder: Path) -> Bundle:
    """The same bundle by another name, signed by the user's key."""
    key, _ = KeyStore.of_user().default()
    fields = {name: getattr(bundle.manifest, name) for name in ManifestContent.model_fields}
    content = ManifestContent.model_validate({**fields, "name": "older"})
    files = {each.path: bundle.read(each.path) for each in bundle.manifest.files}
    return pack(content, files, key, folder / "older.edgekit")


def serve(bundle: Bundle, root: Path, dark: bool = False, windows: int = 3) -> None:
    """Write windows as a serving device does: of the golden samples again and again, or of black pictures."""
    raw = bundle.read("monitor.json")
    bins = FrozenBins.parse(raw)
    folder = root / "golden"
    if not folder.exists():
        bundle.extract(folder)
    assert bins.score
    scores = np.load(folder / "golden" / "outputs" / f"{bins.score.output}.npy")
    inputs = [np.load(folder / "golden" / "inputs" / f"{each.name}.npy") for each in bins.inputs]
    assert answer_signals(scores, bins.score).confidence.shape == (4,)
    again = np.arange(ROWS) % len(scores)
    for _ in range(windows):
        window = AnswerWindow(bins, 1)
        window.add_scores(scores[again])
        window.add_inputs([array[again] * (0 if dark else 1) for array in inputs])
        WindowWriter(root, "answers", bundle.digest, digest_of(raw), window.document).close()
    counter = TimeCounter(root, bundle.digest)
    for _ in range(ROWS):
        counter.answered(3_000_000, 10_000)
    counter.close()


@pytest.mark.usefixtures("home")
def test_a_device_is_judged_by_what_it_counted(command: Command, built: Built, tmp_path: Path) -> None:
    root = tmp_path / "device"
    device = f"local://{root}"
    assert command("flash", built.bundle, "--device", device).code == 0
    bundle = opened(built)
    ended = command("monitor", "--device", device)
    assert ended.code == 0
    assert "Cannot tell yet" in ended.out
    serve(bundle, root, dark=True)
    ended = command("monitor", "--device", device, "--json")
    assert ended.code == 1, ended.stderr
    (only,) = ended.document["devices"]
    assert only["bundle"] == bundle.digest
    assert only["rows"] == 3 * ROWS
    gates = {gate["name"]: gate["outcome"] for gate in only["gates"]}
    assert (gates["input_shift"], gates["error_rate"]) == ("failed", "passed")
    # Asked again, nothing is counted twice; read windows that the device loses are kept here.
    for path in (root / "counts").glob("0*.json"):
        path.unlink()
    ended = command("monitor", "--device", device)
    assert ended.code == 1
    assert "ALARM by" in ended.out
    assert "input_shift" in ended.out
    assert f"Next: edgekit rollback --device {device}" in ended.out


@pytest.mark.usefixtures("home")
def test_one_device_that_drifts_is_named_among_others(command: Command, built: Built, tmp_path: Path) -> None:
    devices = [f"local://{tmp_path / name}" for name in ("sound", "dark")]
    for device in devices:
        assert command("flash", built.bundle, "--device", device).code == 0
    serve(opened(built), tmp_path / "sound", windows=1)
    serve(opened(built), tmp_path / "dark", dark=True)
    # What a device says of itself is not believed where it makes no sense.
    odd = tmp_path / "sound" / "counts" / "000000000001.json"
    odd.write_text(json.dumps({**json.loads(odd.read_text()), "above": 10**6}))
    ended = command("monitor", *(word for device in devices for word in ("--device", device)), "--json")
    assert ended.code == 1
    document = ended.document
    assert {each["device"]: each["verdict"] for each in document["devices"]}[devices[1]] == "failed"
    assert any("made no sense" in remark for remark in document["devices"][0]["remarks"])
    assert document["bundles"][0]["rows"] == 3 * ROWS
    assert command("monitor", "--device", f"local://{tmp_path / 'nowhere'}").code == 3


@pytest.mark.usefixtures("home")
def test_bins_that_are_not_the_bundles_are_refused(command: Command, built: Built, tmp_path: Path) -> None:
    device = f"local://{tmp_path / 'device'}"
    assert command("flash", built.bundle, "--device", device).code == 0
    serve(opened(built), tmp_path / "device", windows=1)
    bins = next(tmp_path.glob("device/[ab]/monitor.json"))
    bins.chmod(0o600)
    bins.write_bytes(bins.read_bytes().replace(b'"rows":', b'"rows": '))
    ended = command("monitor", "--device", device)
    assert ended.code == 3
    assert "is not that of the bundle" in ended.err


@pytest.mark.usefixtures("home")
def test_an_alarm_rolls_back_only_when_asked_and_joins_the_history(
    command: Command, built: Built, tmp_path: Path
) -> None:
    root = tmp_path / "device"
    device = f"local://{root}"
    older = renamed(opened(built), tmp_path)
    assert command("flash", older.path, "--device", device).code == 0
    assert command("flash", built.bundle, "--device", device).code == 0
    serve(opened(built), root, dark=True)
    told = command("monitor", "--device", device, "--on-alarm", "report")
    assert told.code == 1
    assert "edgekit rollback" not in told.out
    ended = command("monitor", "--device", device, "--on-alarm", "rollback", "--json")
    assert ended.code == 1
    (rolled,) = ended.document["rolled_back"]
    assert rolled["error"] is None
    assert rolled["serves"]["digest"] == older.digest
    event = command("history", "--device", device, "--json").document["history"][-1]
    assert event["verdict"] == "rolled back"
    assert event["detail"]["by"] == "monitor"
    assert [missed["gate"] for missed in event["detail"]["missed"]] == ["input_shift"]
    # What is served now has counted nothing: there is no second rollback.
    assert command("monitor", "--device", device, "--on-alarm", "rollback", "--json").document["rolled_back"] == []

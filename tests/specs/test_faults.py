"""Every fault of a file is told at once, each with its place and its hint."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Command

WRONG = """
[model]
factory = "model.py:net"
weights = "weights.pt"
tsk = "classification"

[inputs.image]
shape = [3, 32, 32]
preprocess = { from = "uint8 NHWC", scal = 1.0, mean = ["a"] }

[data]
calibration = { loader = "data.py:calibration", source = "x" }
evaluation = { licence = "y", source = "x" }
"""
NAMES = """
[model]
factory = "model.py:net"
task = "clasification"

[inputs.image]
shape = [3, 32, 32]

[data]
calibration = { loader = "data.py:calibration", licence = "x", source = "x" }
evaluation = { loader = "data.py:evaluation", licence = "x", source = "x" }
"""


def test_every_wrong_key_and_a_missing_file_are_told_in_one_run(command: Command, tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_text(WRONG)
    message = command("plan", "--target", "host", "--project", tmp_path).refused("EK101", 2)
    assert message.splitlines()[0].endswith("'model.tsk': no such key")
    assert message.splitlines()[1] == "  hint: did you mean 'task'?"
    for words in (
        "'inputs.image.preprocess.scal': no such key (hint: did you mean 'scale'?)",
        "'inputs.image.preprocess.mean.0': input should be a valid number",
        "'data.calibration.licence': is missing",
        "'data.evaluation': a data set needs exactly one of 'path' and 'loader'",
        "there is no file 'weights.pt'",
    ):
        assert message.count(words) == 1, message


def test_names_that_are_none_are_told_in_one_run_with_the_function_to_write(command: Command, tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_text(NAMES)
    (tmp_path / "data.py").write_text("def calibrate(): pass\n")
    argv = ("plan", "--target", "hots", "--profile", "nix", "--project", tmp_path)
    message = command(*argv).refused("EK102", 2)
    for words in (
        "no task is named 'clasification'",
        "there is no 'model.py'",
        "write in model.py: def net(): network = Net(); network.load_state_dict(torch.load(FILE, weights_only=True))",
        "'data.py' has no 'calibration' (hint: did you mean 'calibrate'?; or write in data.py: def calibration(): ",
        "'data.py' has no 'evaluation'",
        "no target is named 'hots' (hint: did you mean 'host'?)",
        "no profile is named 'nix'",
    ):
        assert message.count(words) == 1, message


def test_every_fault_of_a_profile_and_a_target_is_told(command: Command, small: Path, tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.toml").write_text('fami = ["host"]\n[gates]\nagreement = { mi = 1 }\n')
    (tmp_path / "edgekit.toml").write_text((small / "edgekit.toml").read_text())
    (tmp_path / "model.py").write_text((small / "model.py").read_text())
    for path in small.iterdir():
        if path.is_file() and not (tmp_path / path.name).exists():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    message = command("plan", "--target", "host", "--profile", "mine", "--project", tmp_path).refused("EK101", 2)
    assert "'fami': no such key" in message
    assert "'gates.agreement.mi': no such key" in message

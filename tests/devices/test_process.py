from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from edgekit.devices import process
from edgekit.errors import CommandFailed
from tests.devices.ended_processes import gone
from tests.failing_converters import stopped, until

# Tells its own number and a child's, then both wait for ever.
FAMILY = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open(sys.argv[1] + ".part", "w").write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
os.kill(os.getppid(), int(sys.argv[2])) if sys.argv[2] != "0" else None
child.wait()
"""

ECHO = "import os, sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.stderr.write(os.environ['WORD'])"


def _python(script: str, *argv: object) -> list[str]:
    return [sys.executable, "-c", script, *map(str, argv)]


def test_what_a_command_says_and_how_it_ends_are_kept_apart() -> None:
    script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = process.run(_python(script), timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)


def test_arguments_are_not_read_by_a_shell() -> None:
    done = process.run(_python("import sys; print(sys.argv[1])", "$HOME; `id` *"), timeout=60)
    assert done.stdout == "$HOME; `id` *\n"


def test_a_command_ended_by_a_signal_says_which() -> None:
    done = process.run(_python("import os; os.kill(os.getpid(), 9)"), timeout=60)
    assert done.returncode == -9


def test_the_end_of_a_long_output_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "KEPT_BYTES", 10)
    done = process.run(_python("print('x' * 300_000 + 'the end')"), timeout=60)
    assert done.stdout == "xxthe end\n"


def test_a_command_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CommandFailed, match="'/no/such/command' could not be started"):
        process.run(["/no/such/command"], timeout=60)


def test_nothing_is_left_after_a_time_limit(tmp_path: Path) -> None:
    note = tmp_path / "note"
    stopped(lambda limit_s: process.run(_python(FAMILY, note, 0), timeout=limit_s), note)
    assert gone(note)


def test_a_command_that_closes_its_streams_is_waited_for_no_longer(tmp_path: Path) -> None:
    script = "import os, signal; os.close(1); os.close(2); signal.pause()"
    with pytest.raises(CommandFailed, match="did not end within 1 s"):
        process.run(_python(script), timeout=1)


def test_a_child_that_holds_the_streams_open_is_not_waited_for(tmp_path: Path) -> None:
    script = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open(sys.argv[1], "w").write(str(child.pid))
print("done")
"""
    done = process.run(_python(script, tmp_path / "note"), timeout=60)
    assert (done.stdout, done.returncode) == ("done\n", 0)
    assert gone(tmp_path / "note")


def test_nothing_is_left_after_ctrl_c(tmp_path: Path) -> None:
    note = tmp_path / "note"
    assert threading.current_thread() is threading.main_thread()
    with pytest.raises(KeyboardInterrupt):
        # Its parent, this process, is what it sends Ctrl-C to.
        process.run(_python(FAMILY, note, int(signal.SIGINT)), timeout=60)
    assert gone(note)


def test_a_command_has_no_input() -> None:
    assert process.run(_python("import sys; print(repr(sys.stdin.read()))"), timeout=60).stdout == "''\n"


def test_the_process_group_is_its_own() -> None:
    done = process.run(_python("import os; print(os.getpgrp())"), timeout=60)
    assert int(done.stdout) != os.getpgrp()


def test_it_reads_a_file_and_writes_to_one(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.write_bytes(b"\0abc" * 100_000)
    with there.open("rb") as source, here.open("wb") as sink:
        ended = process.run(_python(ECHO), timeout=60, source=source, sink=sink, env={"WORD": "done"})
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "done")
    assert here.read_bytes() == there.read_bytes()


def test_what_runs_in_the_background_ends_with_all_its_children(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with process.background(_python(FAMILY, note, 0), tmp_path):
        while not (note.is_file() and len(note.read_text().split()) == 2):
            time.sleep(0.01)
    assert gone(note)


def test_what_ends_early_in_the_background_says_why(tmp_path: Path) -> None:
    with process.background(["/no/such/command"], tmp_path) as log:
        while not log.stat().st_size:
            time.sleep(0.01)
        assert "/no/such/command" in log.read_text()


def test_a_program_that_stands_still_is_stopped(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_bytes(bytes(1 << 20))
    script = "import sys, time; sys.stdin.buffer.read(4096); time.sleep(600)"
    started = time.monotonic()
    with there.open("rb") as source, pytest.raises(CommandFailed, match="moved nothing for 1 s"):
        process.run(_python(script), timeout=600, source=source, stall=1)
    assert time.monotonic() - started < 600


def test_a_program_that_goes_on_is_not_stopped_however_slow(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_bytes(bytes(6))
    script = "import os, time\nwhile os.read(0, 1): time.sleep(0.4)"
    with there.open("rb") as source:
        assert process.run(_python(script), timeout=600, source=source, stall=2).returncode == 0


def test_what_is_attended_ends_by_itself_once_its_input_is_closed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with process.attended(
        _python("import sys; print('up'); sys.stdin.read(); print('down')"), log, grace=20
    ) as started:
        pass
    assert started.returncode == 0
    assert log.read_text() == "up\ndown\n"


def test_what_is_attended_and_does_not_end_is_killed_after_its_grace_with_all_its_children(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with process.attended(_python(FAMILY, note, 0), tmp_path / "log", grace=0.2) as started:
        assert until(note.exists)
    assert started.returncode == -signal.SIGKILL
    assert gone(note)

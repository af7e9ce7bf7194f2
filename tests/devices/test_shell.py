"""What ssh and adb have in common, with every kind of shell that devices have."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.devices import shell
from edgekit.errors import CommandFailed, ConnectionLost, EdgekitError, StorageError, Unreachable
from tests.devices.debian_programs import fetched
from tests.devices.ended_processes import gone
from tests.devices.shells import PACKAGES, SHELLS, Here, tools
from tests.devices.test_local import largest_file
from tests.failing_converters import stopped

SEVERAL = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=30)
# Writes its own number and its child's, then both wait.
FAMILY = 'sleep 600 & echo $$ $! >"$0.part"; mv "$0.part" "$0"; wait'


@pytest.fixture(scope="module")
def packages(places: dict[str, str]) -> Path:
    return fetched(PACKAGES, Path(places["EDGEKIT_CACHE"]) / "downloads")


@pytest.fixture(scope="module", params=SHELLS)
def here(request: pytest.FixtureRequest, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Here:
    path = tools(request.param, tmp_path_factory.mktemp("tools"), packages)
    return Here(f"here://{request.param}", path)


@pytest.fixture
def plain(packages: Path, tmp_path: Path) -> Here:
    """Where the shell does not matter."""
    return Here("here://dash", tools("dash", tmp_path / "tools", packages))


def lossy(here: Here, count: int) -> Here:
    """A link that loses the connection after so many bytes of a file. What goes on there, nobody hears of."""
    return replace(here, link=f'head -c {count} | setsid "$@" >/dev/null 2>&1; exit 255', sending=True)


def until(path: Path) -> Path:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return path


def written(path: Path, size: int, seed: int = 0) -> Path:
    path.write_bytes(hashlib.shake_128(bytes([seed])).digest(size))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_command_says_and_how_it_ends_are_kept_apart(here: Here) -> None:
    done = here.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)
    assert done.argv[0] == "sh"


@pytest.mark.parametrize("code", [0, 1, 126, 127, 255])
def test_every_code_arrives(here: Here, code: int) -> None:
    assert here.run(["sh", "-c", f"exit {code}"], timeout=60).returncode == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGPIPE])
def test_a_command_ended_by_a_signal_says_which_and_no_more(here: Here, number: int) -> None:
    done = here.run(["sh", "-c", f"echo half >&2; kill -{int(number)} $$"], timeout=60)
    assert (done.returncode, done.stderr) == (-number, "half\n")


@SEVERAL
@given(words=st.lists(WORDS, max_size=5))
def test_arguments_arrive_as_they_are(here: Here, words: list[str]) -> None:
    done = here.run(["printf", "<%s>", *words], timeout=60)
    assert done.stdout == "".join(f"<{word}>" for word in words or [""])
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["no-such-command", "/no/such/command", "", "a b", "$HOME", "x=1"])
def test_a_command_that_is_not_there_is_an_error(here: Here, name: str) -> None:
    with pytest.raises(CommandFailed, match="there is no command"):
        here.run([name, "--version"], timeout=60)


def test_words_of_the_shell_are_no_commands(here: Here) -> None:
    for word in ("if", "for", "{", "!"):
        try:
            assert here.run([word], timeout=60).returncode == 127
        except CommandFailed as error:
            assert "there is no command" in str(error)  # noqa: PT017 both are right


def test_a_command_has_no_input(here: Here) -> None:
    assert here.run(["wc", "-c"], timeout=60).stdout.strip() == "0"


def test_the_end_of_a_long_output_is_kept(here: Here) -> None:
    script = "i=0; while [ $i -lt 9 ]; do head -c 1000000 /dev/zero; i=$((i+1)); done; echo end; echo end >&2"
    done = here.run(["sh", "-c", script], timeout=60)
    assert done.stdout.endswith("\0end\n")
    assert len(done.stdout) == 4 << 20
    assert (done.stderr, done.returncode) == ("end\n", 0)


def test_a_command_that_no_line_can_hold_is_an_error(here: Here) -> None:
    with pytest.raises(CommandFailed, match="too long"):
        here.run(["echo", "x" * 200_000], timeout=60)


def test_nothing_is_left_on_the_device_after_a_time_limit(here: Here, tmp_path: Path) -> None:
    stopped(lambda limit_s: here.run(["sh", "-c", FAMILY, str(tmp_path / "note")], timeout=limit_s), tmp_path / "note")
    assert gone(tmp_path / "note")


def test_nothing_is_left_on_the_device_after_ctrl_c(here: Here, tmp_path: Path) -> None:
    script = f"(sleep 0.5; kill -INT {os.getpid()}) & {FAMILY}"
    with pytest.raises(KeyboardInterrupt):
        here.run(["sh", "-c", script, str(tmp_path / "note")], timeout=60)
    assert gone(tmp_path / "note")


def test_nothing_is_left_on_the_device_of_a_command_that_ended(here: Here, tmp_path: Path) -> None:
    script = 'sleep 600 & echo $! >"$0"; echo done'
    done = here.run(["sh", "-c", script, str(tmp_path / "note")], timeout=60)
    assert (done.stdout, done.returncode) == ("done\n", 0)
    assert gone(tmp_path / "note")


def test_nothing_is_left_on_the_device_when_this_machine_dies(here: Here, tmp_path: Path) -> None:
    note = tmp_path / "note"
    script = f"""
from tests.devices.shells import Here
Here("here://", {here.path!r}).run(["sh", "-c", {FAMILY!r}, {str(note)!r}], timeout=60)
"""
    with subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2]) as host:
        until(note)
        host.kill()
    assert gone(note)


def test_a_device_that_is_not_told_ends_a_command_by_itself(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "note"
    monkeypatch.setattr(shell, "GRACE_S", 0)
    # The client hangs up, but what it said stays open at the other end.
    deaf = replace(here, link='setsid sleep 5 | setsid "$@"')
    stopped(lambda limit_s: deaf.run(["sh", "-c", FAMILY, str(note)], timeout=limit_s), note)
    assert gone(note)


def test_a_client_that_breaks_off_is_a_lost_connection(here: Here) -> None:
    with pytest.raises(ConnectionLost, match="the connection was lost"):
        replace(here, link='"$@" >/dev/null 2>&1; exit 255').run(["echo", "lost"], timeout=60)


@SEVERAL
@given(folder=NAMES.filter(lambda name: name not in (".", "..")), name=NAMES, content=st.binary(max_size=2000))
def test_a_file_goes_there_and_comes_back(here: Here, tmp_path: Path, folder: str, name: str, content: bytes) -> None:
    if name in (".", "..") or max(len(os.fsencode(part)) for part in (folder, name)) > 200:
        return
    root = tmp_path / hashlib.sha256(os.fsencode(f"{folder}/{name}")).hexdigest()
    (tmp_path / "there").write_bytes(content)
    target = PurePosixPath(root) / folder / "deep" / name
    here.push(tmp_path / "there", target)
    assert Path(target).read_bytes() == content
    assert names(Path(target).parent) == [name]
    here.pull(target, tmp_path / "new" / "back")
    assert (tmp_path / "new" / "back").read_bytes() == content
    assert names(tmp_path / "new") == ["back"]


def test_a_large_file_takes_the_place_of_another(here: Here, tmp_path: Path) -> None:
    target = PurePosixPath(tmp_path / "device" / "file")
    for seed in (1, 2):
        there = written(tmp_path / "there", 5_000_000, seed)
        here.push(there, target)
        here.pull(target, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == there.read_bytes()
    assert names(tmp_path / "device") == ["file"]


def test_pulling_what_is_not_there_is_an_error(here: Here, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="there is no file"):
        here.pull(PurePosixPath(tmp_path / "nothing"), tmp_path / "deep" / "back")
    assert names(tmp_path) == []


def test_a_file_that_is_larger_than_it_may_be_does_not_come(plain: Here, tmp_path: Path) -> None:
    written(tmp_path / "there", 1001)
    with pytest.raises(CommandFailed, match="has 1,001 bytes, 1,000 at most were to come"):
        plain.pull(PurePosixPath(tmp_path / "there"), tmp_path / "back", 1000)
    endless = replace(plain, link='case "$*" in *cat*) exec yes ;; *) exec "$@" ;; esac')
    with pytest.raises(CommandFailed, match="sent more than 1,001 bytes"):
        endless.pull(PurePosixPath(tmp_path / "there"), tmp_path / "back", 2000)
    assert names(tmp_path) == ["there", "tools"]


def test_a_full_disk_here_leaves_the_old_file(plain: Here, tmp_path: Path) -> None:
    written(tmp_path / "there", 300_000)
    (tmp_path / "back").write_bytes(b"old")
    with largest_file(100_000), pytest.raises(StorageError, match="is full"):
        plain.pull(PurePosixPath(tmp_path / "there"), tmp_path / "back")
    assert names(tmp_path) == ["back", "there", "tools"]
    assert (tmp_path / "back").read_bytes() == b"old"


def test_what_cannot_be_written_is_an_error(here: Here, tmp_path: Path) -> None:
    there = written(tmp_path / "there", 10)
    (tmp_path / "folder").mkdir()
    with pytest.raises(CommandFailed, match=r"cannot be written: .*(exists|Not a directory)"):
        here.push(there, PurePosixPath(there / "below"))
    with pytest.raises(CommandFailed, match="is a folder there"):
        here.push(there, PurePosixPath(tmp_path / "folder"))
    with pytest.raises(CommandFailed, match="cannot be written"):
        here.push(there, PurePosixPath("/proc/edgekit/file"))
    with pytest.raises(StorageError, match="cannot be read"):
        here.push(tmp_path / "nothing", PurePosixPath(tmp_path / "target"))
    assert names(tmp_path) == ["folder", "there"]
    assert names(tmp_path / "folder") == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", disk], capture_output=True).returncode:
        pytest.skip("this user may mount no small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_device_keeps_the_old_file_and_nothing_else(here: Here, tmp_path: Path, small_disk: Path) -> None:
    target = PurePosixPath(small_disk / "folder" / "file")
    here.push(written(tmp_path / "old", 1000), target)
    with pytest.raises(StorageError, match=r"the disk of '.*folder' is full"):
        here.push(written(tmp_path / "new", 5_000_000), target)
    assert names(small_disk / "folder") == ["file"]
    assert Path(target).read_bytes() == (tmp_path / "old").read_bytes()
    here.push(written(tmp_path / "new", 1_900_000), target)
    assert Path(target).read_bytes() == (tmp_path / "new").read_bytes()


def test_the_room_on_a_disk_is_told(here: Here, tmp_path: Path, small_disk: Path) -> None:
    assert here.free_bytes(PurePosixPath(small_disk)) == 2 << 20
    assert here.free_bytes(PurePosixPath(small_disk / "not yet" / "there")) == 2 << 20
    written(small_disk / "file", 1 << 20)
    assert here.free_bytes(PurePosixPath(small_disk)) == 1 << 20
    usage = shutil.disk_usage("/")
    assert usage.free * 0.9 < (here.free_bytes(PurePosixPath("/")) or 0) < usage.total


def interrupted(here: Here, there: Path, target: Path, count: int) -> Path:
    """A push that breaks off after `count` bytes, and the file it leaves."""
    with pytest.raises(ConnectionLost):
        lossy(here, count).push(there, PurePosixPath(target))
    (left,) = target.parent.glob(".*.partial")
    until_size(left, count)
    return left


def until_size(path: Path, size: int) -> None:
    """Until it has so many bytes and nobody is at work in its folder any more."""
    deadline = time.monotonic() + 60
    while path.stat().st_size < size or Path("/proc", path.name.split(".")[3], "cwd").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_interrupted_push_leaves_the_old_file_and_goes_on_where_it_was(here: Here, tmp_path: Path) -> None:
    there, target = written(tmp_path / "there", 3_000_000), tmp_path / "device" / "file"
    here.push(written(tmp_path / "old", 1000, 1), PurePosixPath(target))
    interrupted(here, there, target, 2_000_000)
    assert target.read_bytes() == (tmp_path / "old").read_bytes()
    # It has to do with a link that carries the rest and nothing more; its answer is lost, too.
    with pytest.raises(ConnectionLost):
        lossy(here, 1_000_000).push(there, PurePosixPath(target))
    deadline = time.monotonic() + 60
    while names(target.parent) != ["file"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert names(target.parent) == ["file"]
    assert target.read_bytes() == there.read_bytes()


def test_a_push_that_was_interrupted_twice_takes_the_longest(here: Here, tmp_path: Path) -> None:
    there, target = written(tmp_path / "there", 3_000_000), tmp_path / "device" / "file"
    first = interrupted(here, there, target, 2_000_000)
    shorter = first.with_name(first.name.replace(first.name.split(".")[3], "999999998"))
    shorter.write_bytes(there.read_bytes()[:1_000_000])
    here.push(there, PurePosixPath(target))
    assert names(target.parent) == ["file"]
    assert target.read_bytes() == there.read_bytes()


def test_a_beginning_that_is_damaged_is_not_used(here: Here, tmp_path: Path) -> None:
    there, target = written(tmp_path / "there", 3_000_000), tmp_path / "device" / "file"
    left = interrupted(here, there, target, 2_000_000)
    left.write_bytes(left.read_bytes()[:-1] + b"?")
    here.push(there, PurePosixPath(target))
    assert names(target.parent) == ["file"]
    assert target.read_bytes() == there.read_bytes()


def test_what_an_interrupted_push_left_is_cleared_by_the_next_one(here: Here, tmp_path: Path) -> None:
    target, other = tmp_path / "device" / "file", tmp_path / "device" / "other"
    interrupted(here, written(tmp_path / "there", 3_000_000), target, 2_000_000)
    here.push(written(tmp_path / "new", 10, 1), PurePosixPath(other))
    assert len(names(target.parent)) == 2
    here.push(tmp_path / "new", PurePosixPath(target))
    assert names(target.parent) == ["file", "other"]


def test_a_file_damaged_on_its_way_is_dropped(here: Here, tmp_path: Path) -> None:
    there, target = written(tmp_path / "there", 2_000_000), tmp_path / "device" / "file"
    here.push(written(tmp_path / "old", 1000, 1), PurePosixPath(target))
    noisy = replace(here, link="tr '\\0' '?' | \"$@\"", sending=True)
    with pytest.raises(CommandFailed, match="did not arrive as it was sent"):
        noisy.push(there, PurePosixPath(target))
    assert names(target.parent) == ["file"]
    assert target.read_bytes() == (tmp_path / "old").read_bytes()


@pytest.mark.parametrize("same", [True, False])
def test_several_pushes_at_once_leave_one_whole_file(here: Here, tmp_path: Path, same: bool) -> None:
    target = tmp_path / "device" / "file"
    sources = [written(tmp_path / f"there{i}", 3_000_000, 0 if same else i) for i in range(4)]
    interrupted(here, sources[0], target, 2_000_000)
    failures: list[EdgekitError] = []

    def push(source: Path) -> None:
        try:
            here.push(source, PurePosixPath(target))
        except EdgekitError as error:
            failures.append(error)

    threads = [threading.Thread(target=push, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert names(target.parent) == ["file"]
    assert target.read_bytes() in [source.read_bytes() for source in sources]


def test_a_push_that_is_at_work_keeps_what_it_has(here: Here, tmp_path: Path) -> None:
    target = tmp_path / "device" / "file"
    there = written(tmp_path / "there", 3_000_000)
    slow = replace(here, link='(cat; sleep 0.7) | "$@"', sending=True)
    thread = threading.Thread(target=slow.push, args=(there, PurePosixPath(target)))
    thread.start()
    while not list(tmp_path.glob("device/.*.partial")):
        time.sleep(0.01)
    here.push(written(tmp_path / "other", 3_000_000, 1), PurePosixPath(target))
    assert len(names(target.parent)) == 2
    thread.join()
    assert names(target.parent) == ["file"]
    assert target.read_bytes() == there.read_bytes()


def test_a_transfer_that_stalls_is_given_up(plain: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "STALL_S", 1)
    stalled = replace(plain, link="sleep 600")
    with pytest.raises(Unreachable, match="no answer within 1 s"):
        stalled.push(written(tmp_path / "there", 10), PurePosixPath(tmp_path / "target"))

"""Fixtures and settings of every test."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.command_line import LENIENT, Ended, edgekit_here
from tests.networks import write_project
from tests.nightly import is_nightly, unmatched

# No test is timed: machines are shared. `too_slow` is a limit of a second for drawing examples.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# What a person set for their terminal, or a service for its own, shows in what is printed. No proxy leads to here.
for name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "EDGEKIT_DEBUG"):
    os.environ.pop(name, None)
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = ",".join(filter(None, ("127.0.0.1", "localhost", os.environ.get(name))))

# Networks of tests are small: a second thread costs more than it gives, all the more where tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts what runs in the background with Ctrl-C ignored, and so would be all that the tests start and stop.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A network that is captured makes objects by the million, and hardly any garbage.
gc.set_threshold(20_000, 20, 20)

RECURSION_LIMIT = sys.getrecursionlimit()
pytest_plugins = ["edgekit.devices.emulation.fixtures"]


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables that name the session's own folders for keys, cache and local device.

    Processes of pytest-xdist share downloads: an image of a board, or a pack, is made by one of them for all.
    """
    base = tmp_path_factory.getbasetemp()
    places = {f"EDGEKIT_{name}": str(base / "home" / name.lower()) for name in ("CONFIG", "CACHE", "DATA")}
    if "PYTEST_XDIST_WORKER" in os.environ and not os.environ.get("EDGEKIT_DOWNLOADS"):
        places["EDGEKIT_DOWNLOADS"] = str(base.parent / "downloads")
    return places


@pytest.fixture(scope="session", autouse=True)
def _shared_models(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let processes of pytest-xdist share the models of slots made by hand: one of them makes each for all."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        from tests.runner import slot

        slot.shared = tmp_path_factory.getbasetemp().parent / "models"


@pytest.fixture(autouse=True)
def _own_places(places: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own keys, cache or local device."""
    for name, folder in places.items():
        monkeypatch.setenv(name, folder)
    for name in ("SSH_AUTH_SOCK", "EDGEKIT_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _own_recursion_limit() -> None:
    """LiteRT's converter makes it 100,000 as it is imported: then deep JSON, as some tests try, ends the process."""
    sys.setrecursionlimit(RECURSION_LIMIT)


@pytest.fixture
def project_folder(tmp_path: Path) -> Path:
    """A project of a small residual network."""
    return write_project(tmp_path / "project")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, in one place for the whole session, so that what was made of it is reused."""
    return write_project(tmp_path_factory.mktemp("projects") / "small", samples=64)


@dataclass(frozen=True)
class Built:
    """A build that passed, and the options that it was made with."""

    options: tuple[object, ...]
    out: Path
    ended: Ended

    @property
    def bundle(self) -> Path:
        return next(self.out.glob("*.edgekit"))


@pytest.fixture(scope="session")
def built(small: Path, places: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The small project, built for this host by onnx: the quickest of the backends."""
    out = tmp_path_factory.mktemp("built") / "out"
    options = ("--project", small, "--target", "host", "--backend", "onnx", *LENIENT)
    ended = edgekit_here("build", *options, "--out", out, env=places)
    assert ended.code == 0, ended.err
    return Built(options, out, ended)


FIXTURES = {
    "emulation": "emulated",
    "emulator": "emulated",
    "packages": "served",
    "network": "served",
    "bare_tflite_runtime": "installs",
}
"""Fixtures that take long, each with the marker that says why."""
SLOW = frozenset({"emulated", "served", "installs", "lowers", "trains", "builds", "browses", "fuzzes"})

LONGEST = frozenset(
    {
        *("projects", "pipeline", "emulation", "test_api.py", "test_chaos.py", "test_coverage.py"),
        *("test_free_lengths.py", "test_matrix.py", "test_model_file.py"),
    }
)
"""Folders and files that take minutes. They come first: where files run side by side, no long one is left for the end.

With pytest-xdist that needs `--no-loadscope-reorder`: it would begin with the files of most tests.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="run the tests of tests/nightly.py, too")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest first; mark the tests that `scripts/test --fast` leaves out: `slow`, and a marker that says why.

    Some say it themselves; others use a fixture that takes long, or a model that a converter must make first. Those of
    the night are left out, unless it is night or a test is named.
    """
    if config.args == config.getini("testpaths") and (stale := unmatched(items)):
        raise pytest.UsageError(f"tests/nightly.py names tests that are not there: {', '.join(stale)}")
    if not config.getoption("--nightly") and not any("::" in named for named in config.args):
        config.hook.pytest_deselected(items=[item for item in items if is_nightly(item)])
        items[:] = [item for item in items if not is_nightly(item)]
    items.sort(key=lambda item: item.path.parent.name not in LONGEST and item.path.name not in LONGEST)
    for item in items:
        for name in FIXTURES.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(FIXTURES[name])
        call = getattr(item, "callspec", None)
        if call and call.params.get("format") in ("pte", "tflite"):
            item.add_marker("lowers")
        if SLOW & {marker.name for marker in item.iter_markers()}:
            item.add_marker("slow")


MANY = 200
"""Number of modules that are worth a collection of all garbage: 0.4 s with torch and the converters."""
_frozen = 0


def pytest_runtest_setup() -> None:
    """Keep what was imported from garbage collection: there are a million objects, and each collection visits all."""
    global _frozen
    if len(sys.modules) > _frozen + MANY:
        gc.collect()
        gc.freeze()
        _frozen = len(sys.modules)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup() -> None:
    _forget_current_test()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call() -> None:
    _forget_current_test()


def _forget_current_test() -> None:
    """Drop the one variable that differs between tests: a converter's process serves builds of one environment."""
    os.environ.pop("PYTEST_CURRENT_TEST", None)


Command = Callable[..., Ended]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command line in this process: `edgekit.cli.execute` with these arguments, to its exit."""
    from edgekit.cli import execute

    def call(*argv: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["edgekit", *map(str, argv)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            execute()
        captured = capsys.readouterr()
        return Ended(int(exit.value.code or 0), captured.out, captured.err)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield call
    for number, handler in before.items():
        signal.signal(number, handler)
    logging.disable(logging.NOTSET)

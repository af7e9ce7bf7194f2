"""What is said when a server cannot be installed, or does not come up."""

from __future__ import annotations

import os
import secrets
import sys
import time
from pathlib import Path

import pytest

from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.signing import SigningKey
from edgekit.cache import Cache
from edgekit.errors import ServerNotStarted
from edgekit.servers import environment, serve
from edgekit.servers.environment import suitable
from edgekit.servers.kinds import KINDS, Kind, requirements
from tests import reference_servers as served

pytestmark = pytest.mark.served

NOTHING = Kind("nothing", ("edgekit-has-no-such-package==1",), ("onnx",), shared_python=False)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return served.float_bundle(served.digits(), tmp_path_factory.mktemp("float"))


def test_what_pip_cannot_install_leaves_no_environment_and_shows_no_index(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:s3cret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    with pytest.raises(ServerNotStarted, match="'edgekit-has-no-such-package==1' could not be installed") as failed:
        environment.environment(NOTHING, NOTHING.packages, Cache(tmp_path), served.silent)
    assert "127.0.0.1" not in str(failed.value)
    assert not list(tmp_path.rglob("pyvenv.cfg"))


def test_where_no_python_will_do_those_that_were_found_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PYTHONS", ((3, 98), (3, 99)))
    with pytest.raises(ServerNotStarted, match=r"triton needs a Python 3\.98 to 3\.99 with .*here are .*/python3"):
        suitable(KINDS["triton"])


def test_a_format_that_a_server_cannot_have_is_refused_with_the_one_that_can(bundle: Bundle) -> None:
    other = bundle.manifest.model_copy(update={"format": "pte"})
    with pytest.raises(ServerNotStarted, match=r"triton cannot serve \.pte") as refused:
        requirements(KINDS["triton"], other)
    assert refused.value.hint == "--server mlserver"


@pytest.mark.parametrize("server", served.SERVERS)
def test_a_model_that_does_not_load_ends_the_server_with_its_reason(
    server: str, bundle: Bundle, tmp_path: Path
) -> None:
    served.installed(bundle, server)
    bundle.extract(tmp_path / "slot")
    files = {file.path: tmp_path / "slot" / file.path for file in bundle.manifest.files}
    files["model.onnx"].write_bytes(b"no model")
    broken = pack(bundle.manifest, files, SigningKey.generate(), tmp_path / "broken.edgekit")
    told = pytest.raises(ServerNotStarted, match=r"ended at its start: .*'model\.onnx' cannot be loaded")
    with told, served.live(broken, server):
        pass


LEAVES_MEMORY = """
import os, sys
import os
import sys
import time
from pathlib import Path
Path(f"/dev/shm/pytrtion{os.getpid()}-ipc").touch()
print("begun", flush=True)
sys.stdin.read()
"""


def test_shared_memory_that_a_killed_model_process_leaves_is_removed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serve._server_process([sys.executable, "-c", LEAVES_MEMORY], log, dict(os.environ)) as started:
        while "begun" not in log.read_text():
            time.sleep(0.01)
        left = Path(f"/dev/shm/pytrtion{started.pid}-ipc")
        assert left.exists()
    assert not left.exists()


def test_copies_of_its_model_that_a_killed_triton_leaves_are_removed(tmp_path: Path) -> None:
    own, other = (Path("/tmp", f"folder{secrets.token_hex(3)}") for _ in range(2))
    for folder, workspace in ((own, tmp_path / "served"), (other, tmp_path / "served-too")):
        (folder / "1").mkdir(parents=True)
        (folder / "config.pbtxt").write_text(f'string_value: "{workspace}/triton"')
    serve._remove_model_copies(tmp_path / "served")
    assert not own.exists()
    assert other.exists()
    serve._remove_model_copies(tmp_path / "served-too")
    assert not other.exists()

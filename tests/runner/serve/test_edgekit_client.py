"""The client library of applications, against a server of a device, and in the application's own process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.client import edgekit_client
from edgekit.client.edgekit_client import Model, ModelError, Remote
from edgekit.devices.local import Local
from edgekit.devices.runner_install import install_runner
from tests.runner import slot
from tests.runner.conftest import Bare
from tests.runner.serve.served_root import RunningServer, answer_of, commit, serving

GIVEN = slot.inputs(2, seed=3)


@pytest.fixture(scope="module")
def server(bare: Bare, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    root = tmp_path_factory.mktemp("s") / "root"
    commit(root)
    with serving(bare, root, "--workers", 1) as running:
        running.wait_ready()
        yield running


def test_a_remote_model_answers_over_either_way(server: RunningServer) -> None:
    for url in (f"unix:{server.path}", f"http://127.0.0.1:{server.port}"):
        with Remote(url) as model:
            assert model.is_ready()
            assert [each["name"] for each in model.metadata()["inputs"]] == ["image", "bias"]
            assert np.allclose(model.predict(GIVEN)["scores"], answer_of(GIVEN), atol=1e-5)
            assert model.version == server.version()


def test_threads_share_a_remote_model(server: RunningServer) -> None:
    wrong: list[int] = []

    def ask(seed: int) -> None:
        given = slot.inputs(1, seed)
        for _ in range(20):
            if not np.allclose(model.predict(given)["scores"], answer_of(given), atol=1e-5):
                wrong.append(seed)

    with Remote(f"unix:{server.path}", "small") as model:
        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_what_fails_says_what_and_why(server: RunningServer, tmp_path: Path) -> None:
    with Remote(f"unix:{server.path}") as model:
        with pytest.raises(ModelError, match=r"'image' is UINT8\[2, 4, 4\]") as failed:
            model.predict({**GIVEN, "image": GIVEN["image"][..., 0]})
        assert failed.value.kind == "data"
        with pytest.raises(ModelError, match="which the protocol does not have") as failed:
            model.predict({"image": np.array(["a picture"])})
        assert failed.value.kind == "data"
    with Remote(f"unix:{server.path}", "other") as model, pytest.raises(ModelError, match="nothing else") as failed:
        model.predict(GIVEN)
    assert failed.value.kind == "unknown"
    with Remote(f"unix:{tmp_path / 'none'}") as model, pytest.raises(ModelError, match="No such file") as failed:
        model.predict(GIVEN)
    assert failed.value.kind == "unreachable"
    with pytest.raises(ModelError, match="is no address"):
        Remote("ftp://somewhere").metadata()


def test_a_server_that_was_started_again_is_reached_again(bare: Bare, tmp_path: Path) -> None:
    root = tmp_path / "root"
    commit(root)
    with Remote(f"unix:{tmp_path / 's'}") as model:
        for _ in range(2):
            with serving(bare, root, "--workers", 1) as running:
                running.wait_ready()
                assert np.allclose(model.predict(GIVEN)["scores"], answer_of(GIVEN), atol=1e-5)


def test_an_application_keeps_its_model_while_another_is_flashed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    with Local(f"local://{root}") as device:
        install_runner(device, (sys.executable,))
    with pytest.raises(ModelError, match="nothing is committed"):
        Model.open(root)
    first = commit(root, 1.0)
    program = (
        "import sys, numpy as np\n"
        "from edgekit_client import Model\n"
        "model = Model.open(sys.argv[1])\n"
        "given = dict(np.load(sys.argv[2]))\n"
        "for line in sys.stdin:\n"
        "    scores = model.predict(given)['scores']\n"
        "    print(model.version, float(scores.sum()), model.refused or '-', flush=True)\n"
    )
    np.savez(tmp_path / "given.npz", image=GIVEN["image"], bias=GIVEN["bias"])
    argv = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(FOLDER)!r})\n{program}"]
    with subprocess.Popen(
        [*argv, str(root), str(tmp_path / "given.npz")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as application:
        assert application.stdin
        assert application.stdout

        def answer() -> tuple[str, int, str]:
            """Version, by how much its weights are scaled, and what was refused."""
            assert application.stdin
            assert application.stdout
            print("go", file=application.stdin, flush=True)
            version, total, refused = application.stdout.readline().split(maxsplit=2)
            unscaled, scaled = (answer_of(GIVEN, scale).sum() for scale in (1.0, 2.0))
            return version, 1 + round((float(total) - unscaled) / (scaled - unscaled)), refused.strip()

        try:
            assert answer() == (first[:12], 1, "-")
            second = commit(root, 2.0)
            assert answer() == (second[:12], 2, "-")
            commit(root, weights=b"no model at all")
            version, scale, refused = answer()
            assert (version, scale) == (second[:12], 2)
            assert refused != "-"
        finally:
            application.stdin.close()
            application.wait(60)


FOLDER = Path(edgekit_client.__file__).parent

"""The server of a device as a service, started and ended by a host."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from edgekit.client.edgekit_client import ModelError, Remote
from tests.command_line import edgekit_here
from tests.runner import slot
from tests.runner.serve.served_root import answer_of, commit

GIVEN = slot.inputs(1)


def test_it_serves_until_it_is_ended(tmp_path: Path) -> None:
    root, token = tmp_path / "root", tmp_path / "token"
    device = f"local://{root}"
    token.write_text("correct-horse-battery\n")
    refused = edgekit_here("device", "serve", device, "--json")
    assert refused.code == 3
    assert "nothing is committed" in json.loads(refused.out)["error"]["message"]
    commit(root)
    options = ("--address", "127.0.0.1:0", "--workers", "1", "--json")
    started = json.loads(edgekit_here("device", "serve", device, *options).out)
    try:
        loopback, unix = started["addresses"]
        assert unix == f"unix:{root}/serve.sock"
        assert not started["at_boot"]
        assert Path(started["client"]).name == "edgekit_client.py"
        for url in (loopback, unix):
            with Remote(url) as model:
                assert np.allclose(model.predict(GIVEN)["scores"], answer_of(GIVEN), atol=1e-5)
        first = json.loads((root / "serve.json").read_text())["pid"]
        # Once more, with other options: in place of the first.
        again = edgekit_here("device", "serve", device, *options, "--token-file", str(token))
        loopback = json.loads(again.out)["addresses"][0]
        assert not _runs(first)
        with Remote(loopback) as model, pytest.raises(ModelError) as failed:
            model.predict(GIVEN)
        assert failed.value.kind == "refused"
        with Remote(loopback, token="correct-horse-battery") as model:
            assert np.allclose(model.predict(GIVEN)["scores"], answer_of(GIVEN), atol=1e-5)
    finally:
        stopped = edgekit_here("device", "serve", device, "--stop", "--json")
    assert json.loads(stopped.out)["stopped"]
    assert not (root / "serve.json").exists()
    assert not json.loads(edgekit_here("device", "serve", device, "--stop", "--json").out)["stopped"]


def _runs(pid: int) -> bool:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        if "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
            return False
        time.sleep(0.05)
    return True

"""Headless Chromium, driven over its own pipe (`--remote-debugging-pipe`): no package, no port."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECONDS = 60.0
"""Limit of one answer."""


class Browser:
    """One page of a browser, without a network: every request fails, and is remembered."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._buffer, self._count = write, read, b"", 0
        self._session = ""
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        self.complaints: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol, and return its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._message()).get("id") != self._count:
            self._event(answer)
        assert "error" not in answer, answer["error"]
        return dict(answer["result"])

    def open(self, page: Path, width: int, media: Mapping[str, str] | None = None, kind: str = "") -> None:
        """Open a file at a width in CSS pixels. media: features, such as `prefers-color-scheme`; kind: `print`."""
        self.requests.clear()
        self.complaints.clear()
        features = [{"name": name, "value": value} for name, value in (media or {}).items()]
        self.call("Emulation.setEmulatedMedia", media=kind, features=features)
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Page.navigate", url=page.absolute().as_uri())
        while self.evaluate("document.readyState") != "complete":
            time.sleep(0.01)

    def evaluate(self, expression: str) -> Any:
        """Value of JavaScript in the page, which its content security policy does not stop; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """PNG of the whole page."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def _event(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        if event.get("method") == "Log.entryAdded":
            self.complaints.append(event["params"]["entry"]["text"])

    def _message(self) -> dict[str, Any]:
        until = time.monotonic() + SECONDS
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(until - time.monotonic(), 0))
            assert ready, f"no answer of the browser within {SECONDS:.0f} s"
            self._buffer += os.read(self._read, 1 << 16) or b'{"error": "the browser ended"}\0'
        raw, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(raw))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start a browser with an empty profile in the folder `profile`, and end it."""
    assert CHROMIUM
    down, up = os.pipe(), os.pipe()

    def pipes() -> None:
        # The browser reads on 3 and writes on 4; copies first, as either may be one of the four ends.
        ends = os.dup(down[0]), os.dup(up[1])
        spare = os.dup2(ends[0], 40), os.dup2(ends[1], 41)
        os.dup2(spare[0], 3)
        os.dup2(spare[1], 4)

    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
        "--disable-extensions", "--disable-background-networking", "--disable-dev-shm-usage",
        "--force-color-profile=srgb",
        "--font-render-hinting=none", "--disable-lcd-text", f"--user-data-dir={profile}", "--remote-debugging-pipe",
        "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        preexec_fn=pipes,
        close_fds=False,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(down[0])
    os.close(up[1])
    try:
        yield Browser(down[1], up[0])
    finally:
        os.close(down[1])
        os.close(up[0])
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

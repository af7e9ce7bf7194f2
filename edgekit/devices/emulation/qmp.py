"""Client of QEMU's control socket: one JSON object a line (QEMU Machine Protocol, QMP)."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from edgekit.errors import BootFailed
from edgekit.untrusted import json_text

ANSWER_S = 30.0
ANSWER_BYTES = 1 << 20
ASLEEP_S = 120.0
LOOK_S = 0.02


class Qmp:
    """Control socket of one running QEMU. Every method raises BootFailed if it does not answer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._connection.settimeout(ANSWER_S)
        self._lines = connection.makefile("rb")
        try:
            self._next()  # its greeting
            self.ask("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def ask(self, command: str, **arguments: Any) -> Any:
        """Run a QMP command, and return its result. In names of arguments `_` stands for `-`."""
        request = {
            "execute": command,
            "arguments": {name.replace("_", "-"): value for name, value in arguments.items()},
        }
        try:
            self._connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise BootFailed(f"the emulator does not answer: {error}") from error
        while True:
            answer = self._next()
            if "error" in answer:
                raise BootFailed(f"the emulator refused '{command}': {_why(answer['error'])}")
            if "return" in answer:
                return answer["return"]

    def fall_asleep(self, state: str) -> None:
        """Write a snapshot of memory and devices to the file `state`; the machine is stopped from then on."""
        self.ask("stop")
        self.ask("migrate", uri=f"file:{state}")
        self._until(lambda: self.ask("query-migrate"), "completed", ("failed", "cancelled"))

    def wake_up(self) -> None:
        """Resume, once the snapshot that it was started with is loaded."""
        self._until(lambda: self.ask("query-status"), "paused", ("running",))
        self.ask("cont")

    def _until(self, ask: Any, target: str, wrong: tuple[str, ...]) -> None:
        deadline = time.monotonic() + ASLEEP_S
        while (status := _status(ask())) != target:
            if status in wrong or time.monotonic() > deadline:
                raise BootFailed(f"the emulator is '{status}', not '{target}'")
            time.sleep(LOOK_S)

    def _next(self) -> dict[str, Any]:
        try:
            line = self._lines.readline(ANSWER_BYTES)
            answer = json_text.loads(line) if line else None
        except OSError as error:
            raise BootFailed(f"the emulator does not answer: {error}") from error
        except ValueError as error:
            raise BootFailed(f"the emulator's answer makes no sense: {error}") from error
        if not line:
            raise BootFailed("the emulator has ended")
        if not isinstance(answer, dict):
            raise BootFailed("the emulator's answer makes no sense: it is no object")
        return answer

    def close(self) -> None:
        self._lines.close()
        self._connection.close()


def _why(error: Any) -> str:
    return str(error.get("desc") if isinstance(error, dict) else error)


def _status(answer: Any) -> Any:
    return answer.get("status") if isinstance(answer, dict) else None

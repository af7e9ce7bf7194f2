"""Use the model that edgekit has put on a device, from an application. One file, Python 3.9 or newer, and numpy.

In the application's own process, on the device:

    model = Model.open("/opt/edgekit")
    scores = model.predict({"image": images})["logits"]

Over a server of it, or any other server of the Open Inference Protocol, version 2 (Triton, KServe, MLServer):

    model = Remote("unix:/run/edgekit/serve.sock")
    scores = model.predict({"image": images})["logits"]

Both take and give arrays by name, [N, …] each, and keep answering while another model is flashed. Threads may share
either. Every failure is a `ModelError`.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import importlib
import json
import re
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

Arrays = Mapping[str, Any]
"""Arrays by name of an input or an output, [N, …] each."""
NAMES = {"BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64"}
"""Names of numpy's for datatypes of the protocol; the others' are the protocol's in small letters."""
MAX_BYTES = 1 << 30
"""Largest answer that is read."""


class ModelError(Exception):
    """A request that was not answered. kind: a word for programs.

    unreachable: no connection, or no answer in time; busy: come back later; refused: a token is missing or wrong;
    unknown: no such model; data: the model does not take it; failed: the model or its server could not do it.
    """

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


class Model:
    """The committed model of a device's folder, in this process. `Model.open` makes one."""

    def __init__(self, followed: Any, error: type[Exception]) -> None:
        self._followed, self._error = followed, error

    @classmethod
    def open(cls, root: str | Path, threads: int = 1) -> Model:
        """Load what `root` serves, by the runner that edgekit has installed there.

        This Python must have the bundle's runtime, as the one of the device's runtime pack has: `edgekit device serve`
        says which that is. Raises ModelError: unreachable if no runner is there, failed if the model does not load.
        """
        program = str(_program(Path(root)))
        if program not in sys.path:
            sys.path.append(program)
        try:
            errors = importlib.import_module("runner.errors")
            followed = importlib.import_module("runner.serve.followed_model")
        except ImportError as error:
            raise ModelError("failed", f"the runner in '{root}' cannot be used: {error}") from error
        try:
            return cls(followed.FollowedModel(Path(root), threads), errors.RunnerError)
        except errors.RunnerError as error:
            raise ModelError("failed", str(error)) from error

    @property
    def version(self) -> str:
        """Version that answered last."""
        return str(self._followed.bundle.version)

    @property
    def refused(self) -> str:
        """Reason why what is committed now does not answer, but what was before it; empty if it does."""
        return str(self._followed.refused)

    def predict(self, inputs: Arrays) -> dict[str, Any]:
        """Answer by the model that is committed now. Raises ModelError: data or failed."""
        try:
            outputs: dict[str, Any] = self._followed.predict(inputs)
        except self._error as error:
            raise ModelError("data" if getattr(error, "kind", "") == "data" else "failed", str(error)) from error
        return outputs


class Remote:
    """A served model.

    url: `unix:/path/of/socket`, `http://host:port` or `https://host:port`. model: its name; by default the one that
    the server has, if it is edgekit's. token: the server's, if it asks for one. timeout: seconds of one request.
    """

    def __init__(self, url: str, model: str | None = None, token: str | None = None, timeout: float = 30.0) -> None:
        self._url, self._model, self._token, self._timeout = url, model, token, timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._binary: bool | None = None
        self.version = ""
        """Version that answered last."""

    def metadata(self) -> dict[str, Any]:
        """Metadata of the model: its inputs and outputs with name, datatype and shape. Raises ModelError."""
        return self._ask("GET", f"/v2/models/{self._name()}")[0]

    def is_ready(self) -> bool:
        """Tell whether the server answers requests."""
        try:
            self._ask("GET", "/v2/health/ready")
        except ModelError:
            return False
        return True

    def predict(self, inputs: Arrays, request_id: str | None = None) -> dict[str, Any]:
        """Answer by the served model. request_id: comes back in records of the server. Raises ModelError."""
        binary, stated, parts = self._takes_binary(), [], []
        for name, given in inputs.items():
            values = np.asarray(given)
            tensor = {"name": name, "datatype": _datatype(name, values.dtype), "shape": list(values.shape)}
            if binary:
                parts.append(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
                stated.append({**tensor, "parameters": {"binary_data_size": len(parts[-1])}})
            else:
                stated.append({**tensor, "data": values.ravel().tolist()})
        document: dict[str, Any] = {"inputs": stated}
        if binary:
            document["parameters"] = {"binary_data_output": True}
        if request_id is not None:
            document["id"] = request_id
        head = json.dumps(document).encode()
        headers = {"Content-Type": "application/json"}
        if binary:
            headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
        path = f"/v2/models/{self._name()}/infer"
        answer, behind = self._ask("POST", path, b"".join([head, *parts]), headers)
        self.version = str(answer.get("model_version", ""))
        return _outputs(answer, behind)

    def close(self) -> None:
        """Close its connections; the next request opens another."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _takes_binary(self) -> bool:
        """Tell whether the server takes tensors as bytes behind the JSON, by its own account (MLServer does not)."""
        if self._binary is None:
            extensions = self._ask("GET", "/v2")[0].get("extensions")
            self._binary = isinstance(extensions, list) and "binary_tensor_data" in extensions
        return self._binary

    def _name(self) -> str:
        if self._model is None:
            served = self._ask("GET", "/v2/models/stats")[0].get("model_stats") or [{}]
            if not isinstance(served[0].get("name"), str):
                raise ModelError("unknown", f"{self._url} serves no model now, or does not say which: name one")
            self._model = served[0]["name"]
        return quote(self._model, safe="")

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[dict[str, Any], bytes]:
        """Ask once, or twice if a connection that was kept had been closed: JSON, and the bytes behind it."""
        sent = dict(headers or {})
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            connection = kept or self._connect()
            try:
                connection.request(method, path, body, sent)
                response = connection.getresponse()
                raw = response.read(MAX_BYTES)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if kept and not isinstance(error, TimeoutError):
                    continue
                raise ModelError("unreachable", f"{self._url}: {error or type(error).__name__}") from error
            if response.will_close:
                connection.close()
            else:
                with self._lock:
                    self._idle.append(connection)
            return _parsed(self._url, response, raw)

    def _connect(self) -> http.client.HTTPConnection:
        if self._url.startswith("unix:"):
            return _UnixConnection(self._url[len("unix:") :], self._timeout)
        parts = urlsplit(self._url)
        if parts.scheme == "https":
            import ssl  # a runtime pack has none

            context = ssl.create_default_context()
            return http.client.HTTPSConnection(parts.netloc, timeout=self._timeout, context=context)
        if parts.scheme != "http":
            raise ModelError("unreachable", f"'{self._url}' is no address such as http://host:port or unix:/path")
        return http.client.HTTPConnection(parts.netloc, timeout=self._timeout)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        opened = socket.socket(socket.AF_UNIX)
        try:
            # Without a time limit yet: with one, the system refuses where others wait to be accepted.
            opened.connect(self._path)
        except OSError:
            opened.close()
            raise
        opened.settimeout(self.timeout)
        self.sock = opened


KINDS = {401: "refused", 403: "refused", 404: "unknown", 400: "data", 413: "data", 503: "busy", 504: "unreachable"}


def _parsed(url: str, response: http.client.HTTPResponse, raw: bytes) -> tuple[dict[str, Any], bytes]:
    text = response.getheader("Inference-Header-Content-Length") or str(len(raw))
    length = int(text) if re.fullmatch("[0-9]{1,12}", text) else len(raw)
    document: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(raw[:length] or b"{}")
    if response.status != 200:
        words = document.get("error") if isinstance(document, dict) else None
        raise ModelError(KINDS.get(response.status, "failed"), f"{url}: {words or f'status {response.status}'}")
    if not isinstance(document, dict):
        raise ModelError("failed", f"{url}: the answer is not of the Open Inference Protocol")
    return document, raw[length:]


def _outputs(answer: dict[str, Any], behind: bytes) -> dict[str, Any]:
    """Arrays of an answer, by name. Raises ModelError (failed) for one that does not follow the protocol."""
    arrays = {}
    try:
        for output in answer["outputs"]:
            dtype = np.dtype(NAMES.get(output["datatype"], output["datatype"].lower())).newbyteorder("<")
            size = (output.get("parameters") or {}).get("binary_data_size")
            if size is None:
                values = np.array(output["data"], dtype)
            else:
                values, behind = np.frombuffer(behind[:size], dtype), behind[size:]
            arrays[str(output["name"])] = values.reshape(output["shape"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError("failed", f"the answer is not of the Open Inference Protocol: {error}") from error
    return arrays


def _datatype(name: str, dtype: np.dtype[Any]) -> str:
    """Datatype of the protocol. Raises ModelError (data) for one that it has not."""
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise ModelError("data", f"'{name}' is an array of {dtype}, which the protocol does not have")
    return next((ours for ours, its in NAMES.items() if its == dtype.name), dtype.name.upper())


def _program(root: Path) -> Path:
    """The newest undamaged runner in a device's folder. Raises ModelError."""
    with contextlib.suppress(OSError):
        programs = [each for each in (root / "runner").glob("*.pyz") if not each.name.endswith(".source.pyz")]
        for program in sorted(programs, key=lambda each: each.stat().st_mtime, reverse=True):
            digest = hashlib.sha256(program.read_bytes()).hexdigest()
            if program.with_suffix(".sum").read_text("ascii").strip() == digest:
                return program
    raise ModelError("unreachable", f"edgekit has installed no runner in '{root}': flash a bundle to this device")

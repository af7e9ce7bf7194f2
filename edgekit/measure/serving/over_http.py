"""The protocol over HTTP, by tritonclient: tensors as bytes where the server takes them so, else as JSON."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import gevent
import tritonclient.http as triton
from gevent.ssl import create_default_context
from geventhttpclient.response import HTTPParseError
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from edgekit.ir.measurement import Array
from edgekit.measure.serving.client import (
    NO_ANSWER,
    Access,
    Description,
    Fault,
    Kind,
    Statistics,
    described,
    statistics_of,
    unless_hidden,
)

KINDS: dict[str, Kind] = {
    "401": "refused",
    "403": "refused",
    "404": "unknown",
    "408": "busy",
    "429": "busy",
    "502": "busy",
    "503": "busy",
    "504": "busy",
}


class Http:
    """A client of one connection, which is kept."""

    def __init__(self, access: Access) -> None:
        self._access, address = access, access.address
        # Of this thread alone. Ctrl-C is for whoever started us to tell, not for gevent to print.
        hub = gevent.get_hub()
        hub.NOT_ERROR = (*type(hub).NOT_ERROR, KeyboardInterrupt)
        self._client = triton.InferenceServerClient(
            address.authority + address.base,
            connection_timeout=access.timeout_s,
            network_timeout=access.timeout_s,
            ssl=address.secure,
            ssl_context_factory=partial(_context, access) if address.secure else None,
        )
        self._model = (address.model, address.version)

    def describe(self) -> Description:
        server = unless_hidden(lambda: self._asked(self._client.get_server_metadata))
        model = self._asked(self._client.get_model_metadata, *self._model)
        with self._faults():
            return described(server, model)

    def live(self) -> bool:
        return bool(self._asked(self._client.is_server_live))

    def statistics(self) -> Statistics | None:
        counted = unless_hidden(lambda: self._asked(self._client.get_inference_statistics, *self._model))
        with self._faults():
            return statistics_of(counted or {})

    def prepare(self, columns: Mapping[str, Array]) -> list[Any]:
        return [self._input(name, array) for name, array in columns.items()]

    def infer(self, prepared: Any, outputs: tuple[str, ...]) -> dict[str, Array]:
        with self._faults():
            asked = [triton.InferRequestedOutput(name, binary_data=self._access.binary) for name in outputs]
            result = self._client.infer(
                self._model[0], prepared, self._model[1], outputs=asked, headers=self._access.headers
            )
            return {name: result.as_numpy(name) for name in outputs}

    def close(self) -> None:
        self._client.close()
        if threading.current_thread() is not threading.main_thread():
            gevent.get_hub().destroy(destroy_loop=True)

    def _input(self, name: str, array: Array) -> Any:
        tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        return tensor.set_data_from_numpy(array, binary_data=self._access.binary)

    def _asked(self, request: Callable[..., Any], *which: str) -> Any:
        with self._faults():
            return request(*which, headers=self._access.headers)

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """One request, or what goes wrong with it as a Fault; not its cause, which may repeat the token."""
        try:
            with gevent.Timeout(self._access.timeout_s):
                yield
        except (gevent.Timeout, TimeoutError):
            raise Fault("slow", f"no answer within {self._access.timeout_s:g} s") from None
        except InferenceServerException as error:
            raise Fault(_kind(error.status() or ""), self._said(error)) from None
        except ssl.SSLError as error:
            raise Fault("untrusted", self._access.cleaned(error.reason or error)) from None
        except (OSError, HTTPParseError) as error:  # the second: it ended early, or is no HTTP
            raise Fault("lost", self._access.cleaned(error) or type(error).__name__) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Fault("wrong", NO_ANSWER) from None

    def _said(self, error: InferenceServerException) -> str:
        body = error.debug_details()
        said = f"HTTP {error.status()}: {body if body else error.message()}" if error.status() else error.message()
        return self._access.cleaned(said)


def _kind(status: str) -> Kind:
    if status in KINDS:
        return KINDS[status]
    return "wrong" if status.startswith("4") else "failed"


def _context(access: Access, **_: object) -> ssl.SSLContext:
    """The authorities of this machine, or those of the project alone."""
    context: ssl.SSLContext = create_default_context(cafile=str(access.ca) if access.ca else None)
    return context

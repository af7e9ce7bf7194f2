"""Reference of a comparison: the eager network, or a model behind a server."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import unquote, urlsplit

from pydantic import Field, field_validator, model_validator

from edgekit.specs.spec import Real, Spec, Whole

Scheme = Literal["http", "https", "grpc", "grpcs"]
EAGER = "eager"
FORMS = "http(s)://HOST:PORT/v2/models/NAME[/versions/V] or grpc(s)://HOST:PORT/NAME[/V]"
HTTP_PATH = re.compile(r"(?P<base>(?:/.*)?)/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?/?")
GRPC_PATH = re.compile(r"(?P<base>)/(?P<model>[^/]+)(?:/(?P<version>[^/]+))?/?")
WEB = {"http": 80, "https": 443}
"""Ports that a URL need not say. For gRPC there are none."""


@dataclass(frozen=True)
class Address:
    """A model behind a server that speaks the Open Inference Protocol, version 2."""

    scheme: Scheme
    host: str
    port: int
    model: str
    version: str = ""
    """Empty where the server may choose."""
    base: str = ""
    """Path before `/v2` in http(s) URLs, such as a gateway's; without a slash at its end."""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Parse a URL. Raises ValueError that says what is wrong, and shows no password."""
        parts = urlsplit(url)
        if parts.scheme not in get_args(Scheme):
            raise ValueError(f"'{parts.scheme or url}' is no way to a server: '{EAGER}', {FORMS}")
        if "@" in parts.netloc:
            raise ValueError("no user and no password in a URL: 'token_env' names the variable that has a token")
        if parts.query or parts.fragment or not parts.hostname:
            raise ValueError(f"not the URL of a model: {FORMS}")
        port = parts.port or WEB.get(parts.scheme)
        if port is None:
            raise ValueError(f"no port, and gRPC has no usual one: {FORMS}")
        matched = (HTTP_PATH if parts.scheme in WEB else GRPC_PATH).fullmatch(parts.path)
        if not matched:
            raise ValueError(f"'{parts.path}' names no model: {FORMS}")
        model, version = unquote(matched["model"]), unquote(matched["version"] or "")
        return cls(parts.scheme, parts.hostname, port, model, version, matched["base"])  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def secure(self) -> bool:
        return self.scheme.endswith("s")

    @property
    def grpc(self) -> bool:
        return self.scheme.startswith("grpc")

    @property
    def loopback(self) -> bool:
        """True if the server is on this machine, so that the samples stay on it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class Reference(Spec):
    """`[reference]`. Nothing in it is secret."""

    url: str = EAGER
    """`eager`, or the URL of a model behind a server."""
    baseline: str | None = None
    """An earlier run's report, or the folder it is in, to compare instructions with; relative to the project."""
    batch: Whole = Field(default=32, ge=1, le=4096)
    """Samples in a request, where the server takes several."""
    concurrency: Whole = Field(default=4, ge=1, le=256)
    """Requests at once; never while latency is timed."""
    timeout_s: Real = Field(default=30.0, gt=0)
    """Time limit of one request."""
    token_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The environment variable that has the token: it is sent as `Authorization: Bearer`."""
    ca: str | None = None
    """A PEM file with the authorities to trust, relative to the project; else those of this machine."""

    @property
    def address(self) -> Address | None:
        """Address of the served model; None for the eager network."""
        return None if self.url == EAGER else Address.parse(self.url)

    @field_validator("url")
    @classmethod
    def _url(cls, url: str) -> str:
        if url != EAGER:
            Address.parse(url)
        return url

    @model_validator(mode="after")
    def _safe(self) -> Reference:
        address = self.address
        if address is None:
            return self
        if self.token_env and not (address.secure or address.loopback):
            raise ValueError(f"a token is not sent in the clear: {address.scheme}s://, or leave out 'token_env'")
        if self.ca and not address.secure:
            raise ValueError(f"'ca' is of no use without TLS: {address.scheme}s://, or leave it out")
        return self

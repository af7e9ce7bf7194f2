"""Where a served model is, as its URL says it, and what a reference may not say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from edgekit.specs.reference import Address, Reference


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://pi:8000/v2/models/net", Address("http", "pi", 8000, "net")),
        ("http://pi/v2/models/net/", Address("http", "pi", 80, "net")),
        ("https://pi/gate/way/v2/models/net/versions/3", Address("https", "pi", 443, "net", "3", "/gate/way")),
        ("grpc://pi:8001/net", Address("grpc", "pi", 8001, "net")),
        ("grpcs://[::1]:8001/a%20net/2", Address("grpcs", "::1", 8001, "a net", "2")),
    ],
)
def test_a_url_says_where_a_model_is(url: str, address: Address) -> None:
    assert Address.parse(url) == address
    assert Reference(url=url).address == address


def test_eager_is_nowhere() -> None:
    assert Reference().address is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("easger", "'easger' is no way to a server: 'eager', http"),
        ("ftp://pi/v2/models/net", "'ftp' is no way to a server"),
        ("http://pi:8000", "'' names no model: http"),
        ("http://pi:8000/models/net", "'/models/net' names no model"),
        ("http://pi:8000/v2/models/net/infer", "names no model"),
        ("http:///v2/models/net", "not the URL of a model"),
        ("http://pi:8000/v2/models/net?token=x", "not the URL of a model"),
        ("http://pi:80000/v2/models/net", "[Pp]ort out of range"),
        ("grpc://pi/net", "no port, and gRPC has no usual one"),
        ("grpc://pi:8001/", "names no model"),
        ("https://me:secret@pi/v2/models/net", "no user and no password in a URL"),
    ],
)
def test_what_is_no_url_of_a_model_is_told_with_the_forms_that_are(url: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        Reference(url=url)
    assert "secret" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1", "[::1]"])
def test_a_token_may_go_in_the_clear_to_this_machine(host: str) -> None:
    assert Reference(url=f"grpc://{host}:1/net", token_env="TOKEN").token_env == "TOKEN"


@pytest.mark.parametrize("url", ["http://pi/v2/models/net", "grpc://127.0.0.1.example.org:1/net"])
def test_a_token_is_not_sent_in_the_clear_to_another(url: str) -> None:
    with pytest.raises(ValidationError, match=r"a token is not sent in the clear: (http|grpc)s://"):
        Reference(url=url, token_env="TOKEN")


@pytest.mark.parametrize(
    "wrong",
    [{"batch": 0}, {"concurrency": 0}, {"timeout_s": 0.0}, {"token_env": "a b"}, {"token": "x"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Reference(url="https://pi/v2/models/net", **wrong)


def test_an_authority_without_tls_is_of_no_use() -> None:
    with pytest.raises(ValidationError, match="'ca' is of no use without TLS"):
        Reference(url="http://pi/v2/models/net", ca="ca.pem")

"""The head of a request, from anybody."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgekit.runner.serve.http_message import Head, HttpError, parse_head, response_head


def test_a_head_is_read() -> None:
    raw = b"POST /v2/models/m/infer?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nInference-Header-Content-Length:5"
    assert parse_head(raw) == Head("POST", "/v2/models/m/infer", 12, 5, True, False, b"")


def test_a_connection_is_kept_as_the_version_says() -> None:
    assert parse_head(b"GET / HTTP/1.1").keep
    assert not parse_head(b"GET / HTTP/1.1\r\nConnection: Close").keep
    assert not parse_head(b"GET / HTTP/1.0").keep
    assert parse_head(b"GET / HTTP/1.0\r\nconnection: keep-alive").keep


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET / HTTP/2", 505),
        (b"G\x00T / HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r\nno colon", 400),
        (b"GET / HTTP/1.1\r\nname : value", 400),
        (b"GET / HTTP/1.1\r\n folded: value", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 0x10", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 9999999999999999", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked", 411),
        (b"POST / HTTP/1.1\r\nContent-Encoding: gzip", 415),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nInference-Header-Content-Length: 4", 400),
    ],
)
def test_a_head_that_could_be_read_in_two_ways_is_refused(raw: bytes, status: int) -> None:
    with pytest.raises(HttpError) as refused:
        parse_head(raw)
    assert refused.value.status == status


@given(st.binary(max_size=200) | st.from_regex(rb"(GET|POST) /[!-~]{0,9} HTTP/1\.[01](\r\n[a-z-]{1,20}:.{0,20}){0,4}"))
@example(b"\r\n\r\n")
def test_anything_is_a_head_or_is_refused(raw: bytes) -> None:
    try:
        head = parse_head(raw)
    except HttpError:
        return
    assert head.length >= (head.json_length or 0)


def test_an_answer_says_how_long_it_is() -> None:
    assert response_head(200, 7, 3, True) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 7\r\n"
        b"Inference-Header-Content-Length: 3\r\n\r\n"
    )
    busy = response_head(503, 2, None, False)
    assert b"Retry-After: 1\r\n" in busy
    assert busy.endswith(b"Connection: close\r\n\r\n")

"""Each failure of the network, and each answer of the exchange, is either retried or final."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    ProxyError,
    SecurityError,
)
from websockets.frames import Close
from websockets.http11 import Response

from app.brokers.binance import error_mapping
from app.brokers.binance.error_mapping import explain, http_error
from app.market.errors import FeedAway, FeedDisconnected, FeedRejected, MalformedMessage

HOST = "stream.binance.com:9443"


def status(code: int, headers: dict[str, str] | None = None) -> InvalidStatus:
    return InvalidStatus(Response(code, "", Headers(headers or {})))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), f"Cannot reach {HOST} (connection refused)."),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed"), f"Cannot reach {HOST} (connection refused)."),
        (
            socket.gaierror(socket.EAI_NONAME, "x"),
            f"Cannot reach {HOST} (the name is not known here, or there is no network).",
        ),
        (TimeoutError("timed out"), f"Cannot reach {HOST} (no answer in time)."),
        (OSError(errno.ENETUNREACH, "x"), f"Cannot reach {HOST} (there is no way to it on the network)."),
        (ConnectionResetError(errno.ECONNRESET, "x"), f"Cannot reach {HOST} (the connection broke)."),
        (ssl.SSLError(1, "x"), f"Cannot reach {HOST} (no secure connection could be made)."),
        (ConnectionClosedError(None, None), f"The connection to {HOST} broke."),
        (
            ConnectionClosedError(Close(1008, ""), None),
            f"{HOST} closed the connection for breaking its rules (code 1008).",
        ),
        (ConnectionClosedOK(Close(1000, ""), None), f"{HOST} ended the connection (code 1000)."),
        (InvalidMessage("x"), f"{HOST} ended the connection before answering."),
        (status(502), f"{HOST} has a fault of its own (HTTP 502)."),
        *(
            (
                error,
                f"Something other than the exchange answers at {HOST} ({what}); check the address and the network's "
                "sign-in.",
            )
            for error, what in [
                (status(200), "HTTP 200"),
                (status(302, {"Location": "http://portal/"}), "HTTP 302"),
                (status(404), "HTTP 404"),
                (InvalidURI("http://portal/", "x"), "a redirection"),
                (SecurityError("x"), "a redirection"),
            ]
        ),
        (ProxyError("x"), f"The proxy does not bring us to {HOST} (x)."),
    ],
)
def test_failures_of_the_network_are_retried(error: Exception, sentence: str) -> None:
    meaning = explain(error, HOST)
    assert isinstance(meaning, FeedDisconnected)
    assert str(meaning) == sentence
    assert meaning.retry_after_s is None


def certificate() -> aiohttp.ClientConnectorCertificateError:
    key = ConnectionKey(HOST, 443, True, True, None, None, None)
    cause = ssl.SSLCertVerificationError(1, "x")
    cause.verify_message = "self-signed certificate"
    return aiohttp.ClientConnectorCertificateError(key, cause)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (aiohttp.ServerDisconnectedError(), f"Cannot reach {HOST} by the proxy p:1 (the connection broke)."),
        (aiohttp.ServerTimeoutError(), f"Cannot reach {HOST} by the proxy p:1 (no answer in time)."),
        (aiohttp.ClientPayloadError(), f"Cannot reach {HOST} by the proxy p:1 (the connection broke)."),
        (aiohttp.InvalidUrlRedirectClientError("x"), "Something other than the exchange answers"),
        (aiohttp.NonHttpUrlRedirectClientError("x"), "Something other than the exchange answers"),
        (MalformedMessage("x"), f"{HOST} gave an answer that cannot be read; try again later."),
        (certificate(), f"Cannot reach {HOST} by the proxy p:1 (its certificate cannot be verified"),
    ],
)
def test_failed_requests_are_mapped_by_the_same_function(error: Exception, sentence: str) -> None:
    meaning = explain(error, HOST, "p:1")
    assert isinstance(meaning, FeedDisconnected)
    assert str(meaning).startswith(sentence)


def test_one_module_of_each_library_decides_about_retrying() -> None:
    deciding = {
        path.name
        for path in Path(error_mapping.__file__).parents[1].rglob("*.py")
        if re.search(
            r"\b(websockets\.exceptions|aiohttp\.\w*(Error|URL|Redirects))\b", path.read_text(encoding="utf-8")
        )
    }
    assert deciding == {
        "network_errors.py",
        "error_mapping.py",
        "stream_socket.py",
        "pricing_stream.py",
    }  # a socket or stream only notes that it was closed


@pytest.mark.parametrize("error", [status(400), status(451), InvalidUpgrade("Upgrade", "x"), InvalidProxy("x", "y")])
def test_refusals_are_final(error: Exception) -> None:
    meaning = explain(error, HOST)
    assert isinstance(meaning, FeedRejected)
    assert str(meaning).endswith(".")


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RuntimeError("x"), AssertionError(), MemoryError()])
def test_a_bug_is_not_mapped(error: Exception) -> None:
    assert explain(error, HOST) is None


@pytest.mark.parametrize(
    ("code", "header", "wait_s"),
    [
        (418, "17", 17),
        (418, None, 120),
        (429, "5", 5),
        (429, "soon", 60),
        (403, None, 60),
        (503, "9", 9),
        (503, None, None),
        (418, "99999999999", 259_200),
    ],
)
def test_the_wait_that_the_exchange_asks_for_is_kept(code: int, header: str | None, wait_s: float | None) -> None:
    error = http_error(code, header, HOST)
    assert isinstance(error, FeedDisconnected)
    assert error.retry_after_s == wait_s


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "x"),
        socket.gaierror(-2, "x"),
        OSError(errno.ENETUNREACH, "x"),
        TimeoutError(),
        status(500),
        status(503),
        status(302),
        ConnectionClosedError(None, None),
        ConnectionClosedError(Close(1001, ""), None),
        ConnectionClosedError(Close(1012, ""), None),
    ],
)
def test_an_exchange_that_is_not_there_is_away(error: Exception) -> None:
    meaning = explain(error, HOST)
    assert isinstance(meaning, FeedAway)
    assert meaning.retry_after_s is None


@pytest.mark.parametrize(
    "error",
    [
        status(418),
        status(429),
        status(403),
        status(503, {"Retry-After": "30"}),
        ConnectionClosedError(Close(1008, ""), None),
    ],
)
def test_an_exchange_that_refuses_for_a_while_is_not_away(error: Exception) -> None:
    meaning = explain(error, HOST)
    assert isinstance(meaning, FeedDisconnected)
    assert not isinstance(meaning, FeedAway)

"""
The requests of a client on a WebSocket, and their answers: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS. No I/O.

The client's counterpart is `app.brokers.binance.subscriptions`.

Source: binance-spot-api-docs, web-socket-streams.md, "Live Subscribing/Unsubscribing to streams".
"""

from __future__ import annotations

import json
from typing import Any

from app.sandbox.wire import encode

MAX_STREAMS = 1024
_ID_TYPES = (int, str, type(None))


class ClientSubscriptions:
    """The streams of one connection, in the order of their subscription."""

    def __init__(self, streams: list[str] | None = None) -> None:
        self._streams: dict[str, None] = dict.fromkeys(streams or [])

    def __contains__(self, stream: object) -> bool:
        return stream in self._streams

    def __len__(self) -> int:
        return len(self._streams)

    def names(self) -> tuple[str, ...]:
        """Return the streams, oldest first."""
        return tuple(self._streams)

    def answer(self, text: str | bytes) -> bytes:
        """Execute one request and return the answer to send."""
        try:
            request = json.loads(text)
        except (ValueError, RecursionError) as error:
            return _error(3, f"Invalid JSON: {error}")
        if not isinstance(request, dict):
            return _error(2, "Invalid request: request must be an object")
        request_id = request.get("id")
        if "method" not in request:
            return _error(2, "Invalid request: missing field `method`", request_id)
        if isinstance(request_id, bool) or not isinstance(request_id, _ID_TYPES):
            return _error(2, "Invalid request: request ID must be an unsigned integer or a string")
        return self._execute(str(request["method"]), request.get("params"), request_id)

    def _execute(self, method: str, params: Any, request_id: int | str | None) -> bytes:
        if method == "LIST_SUBSCRIPTIONS":
            return encode({"result": list(self._streams), "id": request_id})
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            return _error(
                2,
                f"Invalid request: unknown variant `{method}`, expected one of"
                " `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`",
                request_id,
            )
        if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
            return _error(2, "Invalid request: `params` must be an array of strings", request_id)
        if method == "UNSUBSCRIBE":
            for name in params:
                self._streams.pop(name, None)
        else:
            wanted = self._streams | dict.fromkeys(params)
            if len(wanted) > MAX_STREAMS:
                return _error(2, f"Invalid request: too many streams, the limit is {MAX_STREAMS}", request_id)
            self._streams = wanted
        return encode({"result": None, "id": request_id})


def _error(code: int, message: str, request_id: object = None) -> bytes:
    body: dict[str, object] = {"code": code, "msg": message}
    if isinstance(request_id, int | str):
        body["id"] = request_id
    return encode(body)

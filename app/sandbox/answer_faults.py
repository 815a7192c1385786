"""
Faults of single HTTP answers.

The oldest fault whose text is part of a request's path is used, as often as it says. ``counts`` holds how often each
kind has happened, so that a test can check that it did.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import web


@dataclass(slots=True)
class AnswerFault:
    """
    What happens to an answer, after ``hang_s`` seconds: another ``status`` and ``body``, or, where that is None, the
    right body, of which only the first half is sent if ``is_cut``.
    """

    kind: str
    path: str
    times: int | None
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    is_cut: bool = False

    async def other_answer(self) -> web.Response | None:
        """Hang if so set; then return the answer to send instead of the right one, or None for that."""
        await asyncio.sleep(self.hang_s)
        return None if self.body is None else web.Response(status=self.status, body=self.body, headers=self.headers)


@dataclass(slots=True)
class AnswerFaults:
    """Faults of the next answers; ``times`` None means until `clear`."""

    counts: Counter[str] = field(default_factory=Counter)
    _faults: list[AnswerFault] = field(default_factory=list)

    def fail_next(
        self,
        status: int,
        *,
        times: int | None = 1,
        path: str = "",
        retry_after_s: int | None = None,
        body: bytes = b"",
    ) -> None:
        """Answer with that HTTP status."""
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        self._faults.append(AnswerFault(str(status), path, times, status, body, headers))

    def answer_next(self, body: bytes, *, times: int | None = 1, path: str = "") -> None:
        """Answer 200 with that body; an empty one is 0 bytes."""
        self._faults.append(AnswerFault("answered", path, times, 200, body))

    def hang_next(self, seconds: float, *, times: int | None = 1, path: str = "") -> None:
        """Answer correctly, but only after that many seconds."""
        self._faults.append(AnswerFault("hung", path, times, hang_s=seconds))

    def cut_next(self, *, times: int | None = 1, path: str = "") -> None:
        """End the connection in the middle of the body."""
        self._faults.append(AnswerFault("cut", path, times, is_cut=True))

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def take(self, path: str) -> AnswerFault | None:
        """Return the fault for a request for that path, or None, and count its use."""
        return take_first(self._faults, self.counts, lambda part: part in path)


Fault = TypeVar("Fault", bound=AnswerFault)


def take_first(faults: list[Fault], counts: Counter[str], is_meant: Callable[[str], bool]) -> Fault | None:
    """Return the oldest fault whose path ``is_meant`` accepts, or None. Count its use; remove it after the last one."""
    fault = next((one for one in faults if is_meant(one.path)), None)
    if fault is None:
        return None
    if fault.times is not None:
        fault.times -= 1
        if fault.times <= 0:
            faults.remove(fault)
    counts[fault.kind] += 1
    return fault


async def faulty_answer(
    fault: AnswerFault | None, request: web.Request, body: bytes | None, content_type: str
) -> web.StreamResponse:
    """Return the answer with that ``body``, or 404 where it is None, as ``fault`` makes it."""
    if fault is not None and (other := await fault.other_answer()) is not None:
        return other
    if body is None:
        return web.Response(status=404)
    if fault is None or not fault.is_cut:
        return web.Response(body=body, content_type=content_type)
    return await send_half(request, body, content_type)


async def send_half(request: web.Request, body: bytes, content_type: str) -> web.StreamResponse:
    """Send half of the answer and close the connection."""
    response = web.StreamResponse(headers={"Content-Type": content_type, "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response

"""What a route is declared by: its path, its parameters and the type of its answer. No I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec
from aiohttp import web

COMPLETE_HEADER = "X-Cryptopipe-Complete"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


COUNTS = 1, 10**12 - 1
SECONDS = -(10**12) + 1, 10**12 - 1
MILLISECONDS = 0, 10**15 - 1
"""The least and the greatest number accepted as a count and as a time; the answer may well be empty."""


class Parameter(NamedTuple):
    """
    One parameter of a query. ``kind``: str or int. ``choices``: all values there are, if these are few.

    ``is_in_example``: the example request has it although it is optional, because one of two parameters is needed.
    ``between``: the least and the most that a number may be.
    """

    name: str
    sentence: str
    example: str
    kind: type = str
    is_needed: bool = False
    choices: tuple[str, ...] = ()
    is_in_example: bool = False
    between: tuple[int, int] | None = None


class Failure(msgspec.Struct):
    """A refusal: ``error`` is one sentence."""

    error: str


@dataclass(frozen=True, slots=True)
class Route:
    """
    One address that GET answers.

    ``answer``: the type of its JSON, None where it has none; ``text_type``: the content type of an answer that is no
    JSON. ``failures``: the types of its refusals. ``tells_completeness``: it has the header ``X-Cryptopipe-Complete``.
    ``is_socket``: it is a WebSocket. ``is_described``: the description has it. ``is_public``: it has no data, so it
    needs no token.
    """

    path: str
    handler: Handler
    group: str
    sentence: str
    answer: Any = None
    parameters: tuple[Parameter, ...] = ()
    text_type: str = ""
    failures: tuple[type[msgspec.Struct], ...] = (Failure,)
    tells_completeness: bool = False
    is_socket: bool = False
    is_described: bool = True
    is_public: bool = False


class Routes(Protocol):
    """What has routes."""

    def routes(self) -> Sequence[Route]:
        """Return them; of two that match a request the earlier answers."""

"""Answers over HTTP: JSON, bodies with an ETag, how long one may be kept, and whether something is missing in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from aiohttp import web

from app.serving.description.route import COMPLETE_HEADER, Failure

_JSON = "application/json"


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a value as JSON that nobody keeps, unless ``headers`` say otherwise."""
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return web.Response(body=msgspec.json.encode(value), status=status, content_type=_JSON, headers=kept)


def error_answer(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a `Failure`."""
    return json_answer(Failure(sentence), status=status, headers=headers)


class EncodedAnswer(NamedTuple):
    """A body and its ETag; encoding JSON of a long range takes a second, so do it in a thread."""

    body: bytes
    tag: str

    @classmethod
    def of(cls, value: object) -> EncodedAnswer:
        """Encode a value."""
        return cls.of_body(msgspec.json.encode(value))

    @classmethod
    def of_parts(cls, parts: Iterable[Sequence[object]]) -> EncodedAnswer:
        """Encode one array that comes in parts, each by a call of its own: no other thread runs during one."""
        rows = (msgspec.json.encode(part)[1:-1] for part in parts if part)
        return cls.of_body(b"[%b]" % b",".join(rows))

    @classmethod
    def of_body(cls, body: bytes) -> EncodedAnswer:
        """Return a body that is encoded already, with its ETag."""
        return cls(body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"')


def completeness(*, is_complete: bool) -> dict[str, str]:
    """Return the header that says whether the answer has everything that was asked for."""
    return {COMPLETE_HEADER: "true" if is_complete else "false"}


def cached_answer(request: web.Request, answer: EncodedAnswer, *, max_age_s: int, is_complete: bool) -> web.Response:
    """Return JSON that a client may keep for ``max_age_s``; 304 if it has this very one."""
    headers = {
        "Cache-Control": f"private, max-age={max_age_s}" + ("" if max_age_s else ", must-revalidate"),
        **completeness(is_complete=is_complete),
    }
    return tagged_answer(request, answer, headers, content_type=_JSON)


def tagged_answer(
    request: web.Request,
    answer: EncodedAnswer,
    headers: Mapping[str, str],
    *,
    content_type: str,
    charset: str | None = None,
) -> web.Response:
    """Return a body with its ETag and these headers; 304 if the client has this very one."""
    headers = {"ETag": answer.tag, **headers}
    if _has_tag(request.headers.get("If-None-Match", ""), answer.tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=answer.body, content_type=content_type, charset=charset, headers=headers)


def _has_tag(given: str, tag: str) -> bool:
    """Whether a header If-None-Match names that tag (RFC 9110, 13.1.2)."""
    return given.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in given.split(","))

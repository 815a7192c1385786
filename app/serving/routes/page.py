"""
The page with the live chart, `/`, and its files: our own HTML, CSS and scripts of `resources/page`.

They have no data, so they need no token: a page asks for it. A request that opens a WebSocket at `/` gets that instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources

from aiohttp import web

from app.serving.answers import EncodedAnswer, tagged_answer
from app.serving.description.route import Handler, Route
from app.serving.request_values import is_upgrade

SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_GROUP = "The page with the chart"
_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOLDER, _START = "page", "index.html"
_HEADERS = {
    "Cache-Control": "no-cache",  # asked for each time, so that no page mixes versions
    "Content-Security-Policy": SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class PageRoutes:
    """Answers with the page, and at `/` with ``socket`` where a client asks for a WebSocket."""

    def __init__(self, socket: Handler) -> None:
        self._socket = socket

    def routes(self) -> Sequence[Route]:
        """See `app.serving.description.route.Routes`."""
        sentence = "The page with the live chart; to a client that opens a WebSocket the same as /ws/market."
        start = Route("/", self._start, _GROUP, sentence, text_type="text/html", is_public=True)
        named = {f"/page/{name}": (_FOLDER, name) for name in _page_files()}
        named |= dict.fromkeys(("/page/cryptopipe.svg", "/favicon.ico"), ("icons", "cryptopipe.svg"))
        return (start, *(_route(path, *where) for path, where in named.items()))

    async def _start(self, request: web.Request) -> web.StreamResponse:
        return await self._socket(request) if is_upgrade(request) else _answer(request, _FOLDER, _START)


def _page_files() -> list[str]:
    return [one.name for one in resources.files("resources").joinpath(_FOLDER).iterdir()]


def _route(path: str, folder: str, name: str) -> Route:
    async def answer(request: web.Request) -> web.StreamResponse:
        return _answer(request, folder, name)

    return Route(path, answer, _GROUP, "A file of the page.", is_described=False, is_public=True)


def _answer(request: web.Request, folder: str, name: str) -> web.Response:
    """Return a file; 304 if the client has this very one."""
    content_type = _TYPES[name[name.rindex(".") :]]
    return tagged_answer(request, _file(folder, name), _HEADERS, content_type=content_type, charset="utf-8")


@cache
def _file(folder: str, name: str) -> EncodedAnswer:
    return EncodedAnswer.of_body(resources.files("resources").joinpath(folder, name).read_bytes())

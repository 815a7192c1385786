"""The routes that describe all others: `/docs` for people, `/openapi.json` for programs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from aiohttp import web

from app.serving.answers import json_answer
from app.serving.description.openapi import openapi
from app.serving.description.page import SECURITY_POLICY, page
from app.serving.description.route import Route

_GROUP = "This description"
_KEPT = {"Cache-Control": "private, max-age=300"}


class DescriptionRoutes:
    """Describes ``others``, and itself; the description is made once somebody asks for it."""

    def __init__(self, others: Sequence[Route]) -> None:
        self._others = [one for one in others if one.is_described]

    def routes(self) -> Sequence[Route]:
        """See `app.serving.description.route.Routes`."""
        return (
            Route("/openapi.json", self.openapi, _GROUP, "These routes as OpenAPI 3.1.", answer=dict[str, Any]),
            Route("/docs", self.page, _GROUP, "This page.", text_type="text/html"),
        )

    async def openapi(self, request: web.Request) -> web.Response:
        """The description for programs."""
        del request
        return json_answer(self._description, headers=_KEPT)

    async def page(self, request: web.Request) -> web.Response:
        """The page for people."""
        del request
        headers = {**_KEPT, "Content-Security-Policy": SECURITY_POLICY}
        return web.Response(text=self._page, content_type="text/html", headers=headers)

    @cached_property
    def _described(self) -> list[Route]:
        return [*self._others, *self.routes()]

    @cached_property
    def _description(self) -> dict[str, Any]:
        return openapi(self._described)

    @cached_property
    def _page(self) -> str:
        return page(self._described, self._description)

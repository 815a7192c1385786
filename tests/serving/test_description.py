"""The description is true: every route it has answers, and every answer has the shape that it says."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp

from tests.serving.test_quotes import SIMULATED, quoting
from tests.serving.test_recorder import recording

JSON = "application/json"
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
READ = {"$ref", "anyOf", "enum", "type", "properties", "required", "items", "minItems", "maxItems"}
READ |= {"title", "description", "default"}  # which say nothing of a value


def faults(value: Any, schema: Mapping[str, Any], named: Mapping[str, Any], where: str = "answer") -> Iterator[str]:
    """Yield how a value differs from a schema; keys that the schema lacks are faults, too."""
    assert schema.keys() <= READ, f"a keyword that nobody checks: {schema.keys() - READ}"
    if "$ref" in schema:
        yield from faults(value, named[schema["$ref"].rpartition("/")[2]], named, where)
    if "anyOf" in schema:
        found = [list(faults(value, option, named, where)) for option in schema["anyOf"]]
        if all(found):
            yield from min(found, key=len)
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}"
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{where} is {value!r} and no {kind}"
    elif kind == "object" and "properties" in schema:
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{where} lacks {name}"
        for name, one in value.items():
            if name not in schema["properties"]:
                yield f"{where} has {name}"
            else:
                yield from faults(one, schema["properties"][name], named, f"{where}.{name}")
    elif kind == "array":
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{where} has {len(value)} items"
        for at, one in enumerate(value):
            yield from faults(one, schema.get("items", {}), named, f"{where}[{at}]")


async def test_every_route_answers_as_described(data_dir: Path) -> None:
    async with (
        quoting(SIMULATED) as oanda,
        recording(data_dir, symbols="BTCUSDT,ETHUSDT,oanda:EURUSD", oanda=oanda) as (_, served, session, _),
    ):
        async with session.get(f"{served.url}/openapi.json") as response:
            assert response.status == 200
            description = await response.json()
        named = description["components"]["schemas"]

        async def check(path: str, query: dict[str, str], *, accept: str = "*/*") -> int:
            """Hold one answer to the description, and return its status."""
            url = served.url + path.replace("{streams}", "btcusdt@trade")
            async with session.get(url, params=query, headers={"Accept": accept}) as response:
                body, status, headers = await response.read(), response.status, response.headers
                value = await response.json() if response.content_type == JSON else None
            responses = description["paths"][path]["get"]["responses"]
            declared = responses.get(str(status), responses["default"])
            content = declared["content"]
            assert headers["Content-Type"].partition(";")[0] in content, (path, query, body[:200])
            if value is not None:
                assert list(faults(value, content[JSON]["schema"], named)) == [], (path, query)
            assert declared.get("headers", {}).keys() <= set(headers), path
            return status

        assert len(description["paths"]) > 25
        for path, operations in description["paths"].items():
            parameters = operations["get"]["parameters"]
            queried = [one for one in parameters if one["in"] == "query"]
            needed = {one["name"]: str(one["example"]) for one in queried if one["required"]}
            if path == "/api/candles":
                needed["interval"] = "1m"  # under one of its two names
            if "101" in operations["get"]["responses"]:
                async with session.ws_connect(served.url + path.replace("{streams}", "btcusdt@trade")) as socket:
                    assert not socket.closed
                assert await check(path, needed) >= 400
                continue
            await until_is(partial(check, path, needed), 200)  # the first quotes come in a moment
            await check(path, {one["name"]: str(one["example"]) for one in queried})
            for one in queried:
                example = str(one["example"])
                await check(path, {name: text for name, text in needed.items() if name != one["name"]})
                for text in (example, "", "0", "-1", "’x", "9" * 30):
                    await check(path, {**needed, one["name"]: text})
            refuses = bool(queried) or path.startswith("/api/v3/")
            assert await check(path, {**needed, "nosuch": "1"}) == (400 if refuses else 200)
        assert await check("/metrics", {}, accept=JSON) == 200
        async with aiohttp.ClientSession() as anybody, anybody.get(f"{served.url}/api/metadata") as response:
            assert response.status == 401
            assert list(faults(await response.json(), named["Failure"], named)) == []
        # What the checks above would find.
        health = named["Unhealthy"]
        assert list(faults({"error": 1, "status": "ok", "more": 0}, health, named)) == [
            "answer.error is 1 and no string",
            "answer.status is 'ok'",
            "answer has more",
        ]
        await check_page(served.url, session, description)


async def until_is(ask: Callable[[], Awaitable[int]], wanted: int) -> None:
    """Ask again until the answer is that; fail where it never is."""
    end_s = time.monotonic() + 30
    while (found := await ask()) != wanted:
        assert time.monotonic() < end_s, f"{ask} answers {found}"
        await asyncio.sleep(0.05)


async def check_page(url: str, session: aiohttp.ClientSession, description: Mapping[str, Any]) -> None:
    """The page for people has every route, loads nothing and runs nothing."""
    async with session.get(f"{url}/docs") as response:
        assert response.status == 200
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        text = await response.text()
    headings = [unescape(found) for found in re.findall(r"<h3>(.*?)</h3>", text)]
    assert sorted(headings) == sorted(description["paths"])
    assert not re.search(r"https?://|<script|src=|@import|url\(", text)
    examples = [unescape(link) for link in re.findall(r'href="(/[^"]*)"', text)]
    assert {"/candles?asset=BTC&duration=5m", "/api/candles?symbol=BTCUSDT&timeframe=1h"} <= set(examples)
    assert "<code>Authorization: Bearer TOKEN</code>" in text
    for link in set(examples):
        async with session.get(url + link) as response:
            assert response.status == 200, link

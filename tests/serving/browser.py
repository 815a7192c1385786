"""
A headless Chromium, driven over its DevTools protocol; tests that need one are skipped where it is not installed.

Source: Chrome DevTools Protocol, domains Emulation, Input, Page and Runtime.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

PATIENCE_S = 60.0
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--hide-scrollbars", "--force-color-profile=srgb", "--disable-dev-shm-usage", "--disable-breakpad"),
)


class Page:
    """One tab. ``errors``: what its scripts failed by, and what the browser refused or reported."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.errors: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def read(self) -> None:
        """Take what the browser sends, until it ends."""
        async for message in self._socket:
            one = json.loads(message.data)
            if "id" in one:
                self._answers.pop(one["id"]).set_result(one)
            elif one["method"] == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(one["params"]["exceptionDetails"])[:500])
            elif one["method"] == "Log.entryAdded" and one["params"]["entry"]["level"] == "error":
                self.errors.append(one["params"]["entry"]["text"])

    async def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """Have the browser carry out a method, and return its result."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE_S):
            answer = await self._answers[number]
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str) -> None:
        """Go to an address."""
        await self.send("Page.navigate", url=url)

    async def value(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        found = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def _value_or_none(self, script: str) -> Any:
        """Return the value of an expression; None where it fails, as in a page that is still loading."""
        found = await self.send("Runtime.evaluate", expression=script, returnByValue=True)
        return None if "exceptionDetails" in found else found["result"].get("value")

    async def until(self, script: str, wanted: object = True) -> None:
        """Return once an expression has that value."""
        found = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (found := await self._value_or_none(script)) != wanted:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"{script} is {found!r:.2000} and not {wanted!r:.2000}; {self.errors}")

    async def resize(self, width: int, height: int, ratio: float = 1.0, *, is_phone: bool = False) -> None:
        """Give the page that size, CSS pixels, on a screen with that many device pixels for each."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=is_phone
        )
        await self.send("Emulation.setTouchEmulationEnabled", enabled=is_phone)

    async def prefer(self, **features: str) -> None:
        """Emulate media features, such as ``prefers_color_scheme="dark"``."""
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        await self.send("Emulation.setEmulatedMedia", features=listed)

    async def key(self, name: str, *, shift: bool = False) -> None:
        """Press a key and let it go."""
        for kind in ("keyDown", "keyUp"):
            more = {"text": "\r"} if name == "Enter" and kind == "keyDown" else {}
            await self.send(
                "Input.dispatchKeyEvent", type=kind, key=name, code=name, modifiers=8 if shift else 0, **more
            )

    async def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        """Send an event of the mouse: ``mouseMoved``, ``mousePressed``, ``mouseReleased`` or ``mouseWheel``."""
        await self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    async def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Send an event of fingers: ``touchStart``, ``touchMove`` or ``touchEnd``."""
        listed = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        await self.send("Input.dispatchTouchEvent", type=kind, touchPoints=listed)

    async def picture(self) -> bytes:
        """Return what is shown as PNG."""
        found = await self.send("Page.captureScreenshot", format="png")
        return base64.b64decode(found["data"])


@asynccontextmanager
async def opened_page() -> AsyncIterator[Page]:
    """A tab of a browser of its own."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed: apt install chromium, and the page is tested in it")
    with _started(program) as port:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
                tabs = await response.json(content_type=None)
            url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            async with session.ws_connect(url, max_msg_size=0) as socket:
                page = Page(socket)
                reading = asyncio.create_task(page.read())
                for domain in ("Page", "Runtime", "Log"):
                    await page.send(f"{domain}.enable")
                yield page
                await page.send("Browser.close")
            await reading


@contextmanager
def _started(program: str) -> Iterator[int]:
    """Run a browser, with nothing of the user's; yield the port of its protocol."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        # In a group of its own, because it starts others, which must not outlive it.
        process = subprocess.Popen(
            [program, *_OPTIONS, f"--user-data-dir={folder}/profile", "about:blank"],
            env={**os.environ, "HOME": folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            named = Path(folder) / "profile" / "DevToolsActivePort"
            end_s = time.monotonic() + PATIENCE_S
            while not named.exists() or not named.read_text().strip():
                assert process.poll() is None, "Chromium ended at once"
                assert time.monotonic() < end_s, "Chromium does not start"
                time.sleep(0.05)
            yield int(named.read_text().splitlines()[0])
            process.wait(10)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

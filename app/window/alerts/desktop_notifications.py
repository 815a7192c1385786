"""
Notifications of the desktop, by the package desktop-notifier: over D-Bus on Linux, by the system's centre elsewhere.

The package is loaded by the first notification, in a thread with a loop of its own, which also waits for the desktop.
Nothing leaves the computer. Where the desktop has no notifications, the log says so once, and the toasts in the window
remain.
"""

from __future__ import annotations

import asyncio
import logging
import threading

logger = logging.getLogger(__name__)

_MOST_WAITING = 5  # a desktop that is slower than the market is spared the others
_PATIENCE_S, _END_S = 5.0, 0.5

_Waiting = asyncio.Queue[tuple[str, str] | None]


class DesktopNotifications:
    """
    Call `show` from one thread; it returns at once. Call `stop` at the end.

    ``problem`` is a sentence once the desktop has not shown one; from then on none is tried.
    """

    def __init__(self, app_name: str = "cryptopipe") -> None:
        self.problem = ""
        self._app_name = app_name
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting = _Waiting(_MOST_WAITING)

    def show(self, title: str, text: str) -> None:
        """Show a notification, unless several wait already."""
        if self.problem:
            return
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._run, args=(self._loop,), name="notifications", daemon=True)
            self._thread.start()
        self._put((title, text))

    def stop(self) -> None:
        """Show no more; what waits is dropped."""
        if self._thread is not None:
            self._put(None)
            self._thread.join(_END_S)
            self._thread = None
            self.problem = "The program is closing."

    def _put(self, one: tuple[str, str] | None) -> None:
        def put() -> None:
            while self._waiting.full() and one is None:
                self._waiting.get_nowait()
            if not self._waiting.full():
                self._waiting.put_nowait(one)

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(put)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_until_complete(self._show_all())
        except Exception as error:  # noqa: BLE001  # because no desktop may end the program, whatever its package raises
            logger.warning("notifications of the desktop are off: %r", error)
            self.problem = "This desktop shows no notifications; the window still shows what fires."
        finally:
            loop.close()

    async def _show_all(self) -> None:
        from desktop_notifier import DesktopNotifier  # here: most programs show none

        logging.getLogger("desktop_notifier").setLevel(logging.ERROR)  # it warns with a stack; one line is enough
        notifier, dispatched = DesktopNotifier(self._app_name), list[str]()
        notifier.on_dispatched = dispatched.append
        while (one := await self._waiting.get()) is not None:
            dispatched.clear()
            title, text = one
            await asyncio.wait_for(notifier.send(title=title, message=text), _PATIENCE_S)
            if not dispatched:
                raise OSError("the desktop did not take one")

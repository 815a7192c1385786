"""
A desktop that draws at random until it is killed or asked to stop: the process that `tests.soak.desktop.drawing_crash`
starts.

Prints a line of JSON at its start, for each change before the next thing happens, and once it has stopped.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
import threading
import time
import uuid
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from app.concurrency.system_clock import SystemClock
from app.live.drawings.drawing_board import DrawingBoard
from app.market.drawings.drawing import Anchor, Drawing, DrawingKind
from app.market.drawings.drawing_json import drawing_text
from app.market.drawings.history import MOST_STEPS
from app.market.drawings.history_json import edits_text
from app.market.ports.database import OpenedDatabase
from storage.drawings.drawing_journal import SqliteJournal
from storage.drawings.drawing_store import PostgresDrawings
from storage.postgres.connection import connect
from storage.postgres.pool import ConnectionPool

SYMBOL = "BTCUSDT"
_MOST, _FEW = 40, 6  # drawings; few of them are changed by both desktops all the time
_MOST_TOGETHER = MOST_STEPS - 50  # steps: what is forgotten for their number is not lost


class Desktop:
    """Draws on one symbol; with ``alone`` the database comes and goes, and steps are undone and redone."""

    def __init__(self, folder: Path, url: str, seed: int, *, alone: bool) -> None:
        self._dice = random.Random(seed)
        self._alone = alone
        self._is_there = not alone
        self._pool = ConnectionPool(partial(connect, url))
        drawings = PostgresDrawings(self._pool)
        self._database = cast(OpenedDatabase, SimpleNamespace(drawings=drawings, read_only_reason=""))
        self.board = DrawingBoard(
            SqliteJournal(folder / "drawings.sqlite"), lambda: self._database if self._is_there else None, SystemClock()
        )
        self._last_put: dict[str, Drawing] = {}
        self._stop, self._end = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Draw until the word stop comes, bring all to the database; at the word end tell what is there, and end."""
        threading.Thread(target=self._listen, args=(asyncio.get_running_loop(),), daemon=True).start()
        keeping = asyncio.create_task(self.board.run())
        known = asyncio.Event()
        self.board.on_change.append(lambda symbol: known.set())
        self.board.drawings(SYMBOL)
        await known.wait()
        self._print("begins")
        if not self._alone:
            self.board.on_change.append(lambda symbol: self._print("changed"))
        while not self._stop.is_set():
            if self._alone or self._steps() < _MOST_TOGETHER:
                self._act()
                self._print("changed")  # before anything can have been written
            pause_s = self._dice.choice((0, 0, 0.005, 0.03, self._dice.random() * 0.2))
            await asyncio.sleep(pause_s if self._alone else 4 * pause_s)
        self._is_there = True
        self._print("stopped")
        while (book := self.board._book) is None or book.changes or not book.seen:
            await asyncio.sleep(0.02)
        self._print("settled")
        await self._end.wait()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await self.board.finish()
        self._pool.close()
        self._print("ends", **self._inventory())

    def _steps(self) -> int:
        book = self.board._book
        history = None if book is None else book._histories.get(SYMBOL)
        return 0 if history is None else len(history.done)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        for event in (self._stop, self._end):
            sys.stdin.readline()
            loop.call_soon_threadsafe(event.set)

    def _inventory(self) -> dict[str, list[str]]:
        """Return what is shown, what was put last, and what undo brings back."""
        book = self.board._book
        assert book is not None
        history = book._histories.get(SYMBOL)
        before = [] if history is None else [edit.before for step in history.done for edit in step.edits]
        return {
            "drawings": [drawing_text(one) for one in self.board.drawings(SYMBOL)],
            "last_put": [drawing_text(one) for one in self._last_put.values()],
            "by_undo": [drawing_text(one) for one in before if one is not None],
        }

    def _act(self) -> None:
        board, dice = self.board, self._dice
        there = board.drawings(SYMBOL)
        what = dice.random()
        if self._alone and dice.random() < 0.1:
            self._is_there = not self._is_there
        if self._alone and what < 0.2:
            board.undo(SYMBOL)
        elif self._alone and what < 0.3:
            board.redo(SYMBOL)
        elif there and (what < 0.4 or len(there) > (_MOST if self._alone else _FEW)):
            gone = dice.choice(there).id
            board.remove(SYMBOL, gone)
            self._last_put.pop(gone, None)
        else:
            drawing_id = dice.choice(there).id if there and what < 0.8 else str(uuid.UUID(int=dice.getrandbits(128)))
            anchors = tuple(Anchor(dice.randrange(1 << 50), dice.random()) for _ in range(2))
            one = Drawing(drawing_id, SYMBOL, DrawingKind.TREND_LINE, anchors, text=dice.choice(("", "ä", "\x00")))
            board.put(one)
            self._last_put[drawing_id] = one

    def _print(self, event: str, **fields: Any) -> None:
        book = self.board._book
        assert book is not None
        history = book._histories.get(SYMBOL)
        stacks = () if history is None else (history.done, history.undone)
        steps = [[edits_text(one.edits) for one in stack] for stack in stacks]
        shown = [drawing_text(one) for one in self.board.drawings(SYMBOL)]
        state = {"shown": _digest(shown), "state": _digest([shown, steps])}
        print(json.dumps({"event": event, "time_s": time.monotonic(), **state, **fields}), flush=True)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


if __name__ == "__main__":
    asyncio.run(Desktop(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), alone=sys.argv[4] == "alone").run())

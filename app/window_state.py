"""What the window remembers from one run to the next: symbol, interval, watchlist, theme and layout."""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from app.market.errors import UsageError
from app.market.interval import Interval
from app.settings import DEFAULT_INTERVAL, DEFAULT_SYMBOLS, Settings

logger = logging.getLogger(__name__)

_FILE = "window.json"


class _Stored(msgspec.Struct):
    symbol: str
    interval: str
    watchlist: list[str]
    theme: str
    layout: str = ""


@dataclass(slots=True)
class WindowState:
    """The remembered choices; ``layout`` is what `MainWindow.layout_bytes` gave."""

    symbol: str
    interval: Interval
    watchlist: list[str]
    theme: str
    layout: bytes = field(default=b"", repr=False)


def load_state(settings: Settings) -> WindowState:
    """
    Return the state of the last run in this data directory, else the settings'.

    A symbol list or interval that was set, rather than left at its default, wins over what is remembered. A file that
    cannot be read is passed over.

    Raises:
        UsageError: If the setting for the interval is none.
    """
    state = WindowState(
        symbol=settings.symbols[0],
        interval=Interval.parse(settings.interval),
        watchlist=list(settings.symbols),
        theme=settings.theme,
    )
    stored = _read(settings.data_dir / _FILE)
    if stored is None:
        return state
    state.theme = stored.theme if stored.theme in ("dark", "light") else state.theme
    if settings.symbols == DEFAULT_SYMBOLS and stored.watchlist:
        state.symbol, state.watchlist = stored.symbol, stored.watchlist
    if settings.interval == DEFAULT_INTERVAL:
        with contextlib.suppress(UsageError):
            state.interval = Interval.parse(stored.interval)
    with contextlib.suppress(binascii.Error, ValueError):
        state.layout = base64.b64decode(stored.layout, validate=True)
    return state


def save_state(state: WindowState, data_dir: Path) -> None:
    """Remember the state; in one step, so that a crash leaves the old file or the new one."""
    stored = _Stored(
        symbol=state.symbol,
        interval=state.interval.name,
        watchlist=state.watchlist,
        theme=state.theme,
        layout=base64.b64encode(state.layout).decode("ascii"),
    )
    path = data_dir / _FILE
    temporary = path.with_suffix(".part")
    try:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(stored)))
        os.replace(temporary, path)
    except OSError as error:
        logger.warning("the window's state was not kept: %s", error)


def _read(path: Path) -> _Stored | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Stored)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        logger.warning("%s is passed over: %s", path, error)
        return None

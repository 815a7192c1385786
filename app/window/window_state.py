"""What the window remembers from one run to the next: symbol, interval, watchlist, theme, layout and looks."""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import msgspec

from app.config.settings import DEFAULT_INTERVAL, DEFAULT_SYMBOLS, CandleColours, SettingOrigin, Settings, Theme
from app.market.errors import UsageError
from app.market.interval import Interval

logger = logging.getLogger(__name__)

_FILE = "window.json"


class _Stored(msgspec.Struct):
    symbol: str
    interval: str
    watchlist: list[str]
    theme: str
    layout: str = ""
    # What the setting was when the watchlist was made from it. Before it was kept, only the default gave way.
    setting: list[str] = msgspec.field(default_factory=lambda: list(DEFAULT_SYMBOLS))
    chart: dict[str, Any] = {}
    diagnostics: dict[str, Any] = {}
    candle_colours: str = ""
    text_percent: int = 0


@dataclass(slots=True)
class WindowState:
    """
    The remembered choices; ``layout`` is what `MainWindow.layout_bytes` gave, ``chart`` what
    `ChartWidget.appearance_values` and ``diagnostics`` what `DiagnosticsDock.look_values` did, ``setting`` the symbols
    set when the watchlist was made from them. ``lasting`` and ``lasting_text_percent``: symbol and watchlist, and size
    of text, to remember instead of these, which hold for one run.
    """

    symbol: str
    interval: Interval
    watchlist: list[str]
    theme: str
    layout: bytes = field(default=b"", repr=False)
    setting: tuple[str, ...] = DEFAULT_SYMBOLS
    lasting: tuple[str, list[str]] | None = None
    lasting_text_percent: int | None = None
    chart: dict[str, Any] = field(default_factory=dict, repr=False)
    diagnostics: dict[str, Any] = field(default_factory=dict, repr=False)
    candle_colours: str = "green-red"
    text_percent: int = 100


def load_state(settings: Settings) -> WindowState:
    """
    Return the state of the last run in this data directory, else the settings'.

    The remembered watchlist counts until the setting ``symbols`` in config.toml is changed: then that is taken once.
    Symbols named in the environment or on the command line hold for this run, and what was remembered stays so. An
    interval that was set, rather than left at its default, wins; so does a size of text that was set for this run. A
    file that cannot be read is passed over.

    Raises:
        UsageError: If the setting for the interval is none.
    """
    state = WindowState(
        symbol=settings.symbols[0],
        interval=Interval.parse(settings.interval),
        watchlist=list(settings.symbols),
        theme=settings.theme,
        candle_colours=settings.candle_colours,
        text_percent=settings.text_percent,
        setting=settings.symbols,
    )
    stored = _read(settings.data_dir / _FILE)
    if stored is None:
        return state
    state.theme = stored.theme if stored.theme in get_args(Theme) else state.theme
    if stored.candle_colours in get_args(CandleColours):
        state.candle_colours = stored.candle_colours
    for_one_run = (SettingOrigin.ENVIRONMENT, SettingOrigin.COMMAND_LINE)
    if 50 <= stored.text_percent <= 400:
        if settings.places.get("text_percent") in for_one_run:
            state.lasting_text_percent = stored.text_percent
        else:
            state.text_percent = stored.text_percent
    if settings.places.get("symbols") in for_one_run:
        state.lasting, state.setting = (stored.symbol, stored.watchlist), tuple(stored.setting)
    elif tuple(stored.setting) == settings.symbols and stored.watchlist:
        state.symbol, state.watchlist = stored.symbol, stored.watchlist
    state.chart, state.diagnostics = stored.chart, stored.diagnostics
    if settings.interval == DEFAULT_INTERVAL:
        with contextlib.suppress(UsageError):
            state.interval = Interval.parse(stored.interval)
    with contextlib.suppress(binascii.Error, ValueError):
        state.layout = base64.b64decode(stored.layout, validate=True)
    return state


def save_state(state: WindowState, data_dir: Path) -> None:
    """Remember the state; in one step, so that a crash leaves the old file or the new one."""
    symbol, watchlist = state.lasting or (state.symbol, state.watchlist)
    stored = _Stored(
        symbol=symbol,
        interval=state.interval.name,
        watchlist=watchlist,
        setting=list(state.setting),
        theme=state.theme,
        candle_colours=state.candle_colours,
        text_percent=state.lasting_text_percent or state.text_percent,
        chart=state.chart,
        diagnostics=state.diagnostics,
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

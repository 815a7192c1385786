"""
The window's state from one run to the next: symbol, interval, watchlists, theme, layout and appearance.

Stored as window.json in the data directory. Settings and state overlap; `load_state` holds the rule which one counts.
What belongs to one chart is the active one's; where there are several, all are in ``workspaces``.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import msgspec

from app.config.settings import DEFAULT_INTERVAL, DEFAULT_SYMBOLS, CandleColours, SettingOrigin, Settings, Theme
from app.market.errors import UsageError
from app.market.interval import Interval
from app.window.state.symbol_lists import SymbolLists, read_lists

logger = logging.getLogger(__name__)

_FILE, _DAMAGED = "window.json", "window.damaged.json"


class _Stored(msgspec.Struct):
    symbol: str
    interval: str
    watchlist: list[str]  # the symbols of all lists, which older versions take for the one list
    theme: str
    layout: str = ""
    lists: Any = None  # see `read_lists`; older files lack it
    shown_list: Any = 0
    # The setting `symbols` that the watchlist was made from. Older files lack it: they kept the default's.
    setting: list[str] = msgspec.field(default_factory=lambda: list(DEFAULT_SYMBOLS))
    chart: dict[str, Any] = {}
    diagnostics: dict[str, Any] = {}
    bars: dict[str, Any] = {}
    view: dict[str, Any] = {}
    candle_colours: str = ""
    text_percent: int = 0
    serves: bool | None = None
    workspaces: dict[str, Any] = {}  # see `workspace_document`; older files lack it


@dataclass(slots=True)
class WindowState:
    """
    The choices in force.

    ``layout`` comes from `MainWindow.layout_bytes`, ``chart`` from `ChartWidget.appearance_values`, ``diagnostics``
    from `DiagnosticsDock.layout_values`, ``bars`` from `MainWindow.layout_values`, ``view`` from
    `ChartWidget.view_values`. ``setting`` holds the symbols that the first list was made from. ``trouble`` is one
    sentence where the file or its lists could not be read whole. ``lasting`` (symbol and lists) and the other values
    named ``lasting_…`` are saved in place of those that hold for this run only. ``serves``: whether the user switched
    serving on or off, where that differs from the settings; else None. ``workspaces``: of `workspaces_to_values`; empty
    while there is one plain chart.
    """

    symbol: str
    interval: Interval
    lists: SymbolLists
    theme: str
    layout: bytes = field(default=b"", repr=False)
    setting: tuple[str, ...] = DEFAULT_SYMBOLS
    lasting: tuple[str, SymbolLists] | None = None
    lasting_text_percent: int | None = None
    lasting_theme: str | None = None
    lasting_candle_colours: str | None = None
    chart: dict[str, Any] = field(default_factory=dict, repr=False)
    diagnostics: dict[str, Any] = field(default_factory=dict, repr=False)
    bars: dict[str, Any] = field(default_factory=dict, repr=False)
    view: dict[str, Any] = field(default_factory=dict, repr=False)
    candle_colours: str = "green-red"
    text_percent: int = 100
    serves: bool | None = None
    workspaces: dict[str, Any] = field(default_factory=dict, repr=False)
    trouble: str = field(default="", compare=False)

    @property
    def watchlist(self) -> list[str]:
        """The symbols of the list shown."""
        return self.lists.symbols


def load_state(settings: Settings) -> WindowState:
    """
    Return the state of the last run in this data directory; without one, that of the settings.

    The saved lists count until the setting ``symbols`` in config.toml changes: then the setting replaces the first of
    them, once. Symbols from the environment or the command line are the one list of this run, and leave the saved lists
    as they are. An interval that is set to other than the default wins over the saved one; so do a text size, a theme
    and colours set for this run. A file that cannot be read is copied and ignored.

    Raises:
        UsageError: If the setting ``interval`` is not an interval.
    """
    state = WindowState(
        symbol=settings.symbols[0],
        interval=Interval.parse(settings.interval),
        lists=SymbolLists.of(settings.symbols),
        theme=settings.theme,
        candle_colours=settings.candle_colours,
        text_percent=settings.text_percent,
        setting=settings.symbols,
    )
    path = settings.data_dir / _FILE
    stored = _read(path)
    if stored is None:
        if path.exists():
            state.trouble = f"{_FILE} could not be read, so the window starts as at first. It is kept as {_DAMAGED}."
        return state
    for_one_run = (SettingOrigin.ENVIRONMENT, SettingOrigin.COMMAND_LINE)
    if stored.theme in get_args(Theme):
        if settings.origins.get("theme") in for_one_run:
            state.lasting_theme = stored.theme
        else:
            state.theme = stored.theme
    if stored.candle_colours in get_args(CandleColours):
        if settings.origins.get("candle_colours") in for_one_run:
            state.lasting_candle_colours = stored.candle_colours
        else:
            state.candle_colours = stored.candle_colours
    if 50 <= stored.text_percent <= 400:
        if settings.origins.get("text_percent") in for_one_run:
            state.lasting_text_percent = stored.text_percent
        else:
            state.text_percent = stored.text_percent
    lists, state.trouble = read_lists(stored.lists, stored.watchlist)
    lists.show(stored.shown_list if isinstance(stored.shown_list, int) else 0)
    if settings.origins.get("symbols") in for_one_run:
        state.lasting, state.setting = (stored.symbol, lists), tuple(stored.setting)
        state.lists = SymbolLists.of(settings.symbols, "This run")
    elif tuple(stored.setting) != settings.symbols:
        lists.lists[0].symbols = list(settings.symbols)
        lists.show(0)
        state.lists = lists
    elif lists.union() or len(lists.lists) > 1:
        state.symbol, state.lists = stored.symbol, lists
    state.chart, state.diagnostics, state.bars = stored.chart, stored.diagnostics, stored.bars
    state.view, state.serves, state.workspaces = stored.view, stored.serves, stored.workspaces
    if settings.interval == DEFAULT_INTERVAL:
        with contextlib.suppress(UsageError):
            state.interval = Interval.parse(stored.interval)
    with contextlib.suppress(binascii.Error, ValueError):
        state.layout = base64.b64decode(stored.layout, validate=True)
    return state


def save_state(state: WindowState, data_dir: Path) -> None:
    """Save the state: `encode_state`, then `write_state`; log why, where that fails."""
    try:
        write_state(encode_state(state), data_dir)
    except OSError as error:
        logger.warning("the window's state was not saved: %s", error)


def encode_state(state: WindowState) -> bytes:
    """Return what the state's file is to hold."""
    symbol, lists = state.lasting or (state.symbol, state.lists)
    stored = _Stored(
        symbol=symbol,
        interval=state.interval.name,
        watchlist=lists.union(),
        lists=lists.lists,
        shown_list=lists.shown,
        setting=list(state.setting),
        theme=state.lasting_theme or state.theme,
        candle_colours=state.lasting_candle_colours or state.candle_colours,
        text_percent=state.lasting_text_percent or state.text_percent,
        chart=state.chart,
        diagnostics=state.diagnostics,
        bars=state.bars,
        view=state.view,
        serves=state.serves,
        workspaces=state.workspaces,
        layout=base64.b64encode(state.layout).decode("ascii"),
    )
    return msgspec.json.format(msgspec.json.encode(stored))


def write_state(data: bytes, data_dir: Path) -> None:
    """
    Write the state's file by renaming a complete one that is on the disk: a crash leaves the old one or the new one.

    Only one thread at a time may write.

    Raises:
        OSError: If the disk is full, or the folder cannot be written to; the file is as it was.
    """
    path = data_dir / _FILE
    temporary = path.with_suffix(".part")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync_folder(data_dir)


def _sync_folder(folder: Path) -> None:
    """Bring a renaming onto the disk; where folders cannot be opened, as on Windows, the system does that by itself."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path) -> _Stored | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Stored)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s was ignored: %s", path, error)
        with contextlib.suppress(OSError):
            shutil.copyfile(path, path.with_name(_DAMAGED))  # the next save replaces the file
        return None

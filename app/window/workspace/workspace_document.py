"""
Workspaces as plain values: what the state file keeps and what a user exports. Pure.

docs/workspaces.md describes them. Anything may be in a file that people edit: values that make no sense fall back to
the usual ones, and fields that this version does not know are kept for the version that does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.symbol import read_symbol
from widgets.workspace.grid_layout import Node, from_values, keys_of, part_from_values, to_values

FORMAT, VERSION = "cryptopipe workspaces", 1
LINKED_PARTS = ("symbol", "interval", "time", "crosshair")
USUALLY_LINKED = ("symbol", "time", "crosshair")
MOST_LINKS = 6
USUAL_NAME = "Main"
MOST_CHARTS = 64
MOST_LOOKS = 100
_LONGEST_NAME = 60
_MOST_DIGITS = 2  # of a number behind a name; with more it is a year, or another one of the user's
_FARTHEST_PX = 100_000
_CHART_FIELDS = ("key", "symbol", "interval", "appearance", "view", "link", "compare", "window", "looks", "home")
_WORKSPACE_FIELDS = ("name", "charts", "layout", "active", "maximised", "links", "windows", "looks by symbol")
_LINK_NAMES = tuple(str(link) for link in range(1, MOST_LINKS + 1))
_FIELDS = ("format", "version", "shown", "workspaces")


@dataclass(slots=True)
class ChartEntry:
    """
    One chart. ``appearance`` is of `ChartWidget.appearance_values` without the templates, ``view`` of its
    `ChartWidget.view_values`. ``link``: the number of its group, 0 for none. ``window``: the index of its detached
    window among `Workspace.windows`, -1 for the main window. ``looks``: of other symbols, as parts of ``appearance``.
    ``unknown``: fields of other versions. ``home``: of a chart that left the main window, the layout there with it.
    """

    symbol: str
    interval: Interval
    appearance: dict[str, Any] = field(default_factory=dict)
    view: dict[str, Any] = field(default_factory=dict)
    link: int = 0
    compare: tuple[str, ...] = ()
    window: int = -1
    looks: dict[str, dict[str, Any]] = field(default_factory=dict)
    unknown: dict[str, Any] = field(default_factory=dict)
    home: Node | None = None


@dataclass(slots=True)
class DetachedWindow:
    """A window of its own for some charts: their layout, and where it stood on the screens."""

    layout: Node
    place: tuple[int, int, int, int] | None = None
    unknown: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Workspace:
    """
    Charts by their keys, and their layout in the main window. ``active`` is a key, ``maximised`` one or None.

    ``firings``: of alerts on its symbols since it was shown last; not in a file.
    ``links``: for groups that link other parts than `USUALLY_LINKED`, which. ``looks_by_symbol``: each chart keeps a
    look for each symbol.
    """

    name: str
    charts: dict[int, ChartEntry]
    layout: Node
    active: int
    maximised: int | None = None
    links: dict[int, tuple[str, ...]] = field(default_factory=dict)
    windows: list[DetachedWindow] = field(default_factory=list)
    looks_by_symbol: bool = False
    unknown: dict[str, Any] = field(default_factory=dict)
    firings: int = 0

    @property
    def symbols(self) -> set[str]:
        """The symbols that its charts show and compare with."""
        return {name for chart in self.charts.values() for name in (chart.symbol, *chart.compare)}

    def linked_parts(self, link: int) -> tuple[str, ...]:
        """What the charts of a group share."""
        return self.links.get(link, USUALLY_LINKED)

    @property
    def is_plain(self) -> bool:
        """Whether it is one chart with nothing that only several charts have."""
        (first, *others) = self.charts.values()
        has_more = first.link or first.compare or first.looks or first.unknown or self.looks_by_symbol
        return not (others or has_more or self.links or self.windows or self.unknown)


@dataclass(slots=True)
class Workspaces:
    """All workspaces, at least one, and the index of the one shown."""

    all: list[Workspace]
    shown: int = 0
    unknown: dict[str, Any] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether it is one plain chart in a workspace without a name of its own."""
        (first, *others) = self.all
        return not (others or self.unknown) and first.is_plain and first.name == USUAL_NAME

    @property
    def current(self) -> Workspace:
        """The workspace that is shown."""
        return self.all[self.shown]


def workspaces_to_values(workspaces: Workspaces) -> dict[str, Any]:
    """Return the document as plain values, for JSON and `workspaces_from_values`."""
    return {
        **workspaces.unknown,
        "format": FORMAT,
        "version": VERSION,
        "shown": workspaces.shown,
        "workspaces": [_workspace_values(one) for one in workspaces.all],
    }


def workspaces_from_values(values: object) -> Workspaces | None:
    """Return the workspaces of a document that can be used; None if there is none."""
    if not isinstance(values, Mapping) or not isinstance(values.get("workspaces"), list):
        return None
    found = [_workspace(one) for one in values["workspaces"]]
    usable = [one for one in found if one is not None]
    if not usable:
        return None
    names: set[str] = set()
    for one in usable:
        one.name = free_name(one.name, names)
        names.add(one.name)
    shown = _whole(values.get("shown"), 0)
    at = sum(one is not None for one in found[:shown]) if 0 <= shown < len(found) and found[shown] else 0
    return Workspaces(usable, at, _others(values, _FIELDS))


def read_document(values: object) -> Workspaces:
    """
    Return the workspaces of an exported file.

    Raises:
        UsageError: If it is no such file, is of a later version that changed what is known here, or has no workspace.
    """
    if not isinstance(values, Mapping) or values.get("format") != FORMAT:
        raise UsageError("This is no file of workspaces: choose one that “Export workspace…” wrote.")
    version = values.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version > VERSION:
        raise UsageError(f"The file is of version {version} of workspaces: update cryptopipe to import it.")
    found = workspaces_from_values(values)
    if found is None:
        raise UsageError("There is no workspace in the file that can be used.")
    return found


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return the name or, if it is taken, one with the next number behind it that is free."""
    known, free = set(taken), name
    first, space, last = name.rpartition(" ")
    is_numbered = bool(space) and last.isdecimal() and len(last) <= _MOST_DIGITS
    base, number = (first, int(last)) if is_numbered else (name, 1)
    while free in known:
        number += 1
        free = f"{base[: _LONGEST_NAME - len(str(number)) - 1]} {number}"
    return free


def checked_name(name: object) -> str:
    """Return a name of at most 60 characters in one line; a name that is none is “Workspace”."""
    given = name if isinstance(name, str) else ""
    text = "".join(letter for letter in given if letter.isprintable() or letter.isspace())
    return " ".join(text.split())[:_LONGEST_NAME].strip() or "Workspace"


def _workspace_values(workspace: Workspace) -> dict[str, Any]:
    return {
        **workspace.unknown,
        "name": workspace.name,
        "active": workspace.active,
        "maximised": workspace.maximised,
        "layout": to_values(workspace.layout),
        "charts": [_chart_values(key, one) for key, one in workspace.charts.items()],
        "links": {str(link): list(parts) for link, parts in workspace.links.items()},
        "windows": [
            {**one.unknown, "layout": to_values(one.layout), "place": None if one.place is None else list(one.place)}
            for one in workspace.windows
        ],
        "looks by symbol": workspace.looks_by_symbol,
    }


def _chart_values(key: int, chart: ChartEntry) -> dict[str, Any]:
    return {
        **chart.unknown,
        "key": key,
        "symbol": chart.symbol,
        "interval": chart.interval.name,
        "link": chart.link,
        "compare": list(chart.compare),
        "window": chart.window,
        "view": chart.view,
        "appearance": chart.appearance,
        "looks": chart.looks,
        "home": None if chart.home is None else to_values(chart.home),
    }


def _workspace(values: object) -> Workspace | None:
    if not isinstance(values, Mapping) or not isinstance(values.get("charts"), list):
        return None
    charts: dict[int, ChartEntry] = {}
    homes: dict[int, object] = {}
    for one in values["charts"][:MOST_CHARTS]:
        read = _chart(one)
        if read is not None and read[0] not in charts:
            charts[read[0]], homes[read[0]] = read[1], one.get("home")
    windows = _windows(values.get("windows"), charts)
    in_main = [key for key, one in charts.items() if one.window < 0]
    layout = from_values(values.get("layout"), in_main)
    if layout is None:  # the main window has at least one chart: the first detached one comes back
        if not windows:
            return None
        layout = windows.pop(0).layout
        for one in charts.values():
            one.window -= 1
    for key, chart in charts.items():
        home = part_from_values(homes[key], charts) if chart.window >= 0 else None
        chart.home = home if home is not None and key in keys_of(home) else None
    shown, maximised = keys_of(layout), values.get("maximised")
    active = values.get("active")
    return Workspace(
        checked_name(values.get("name")),
        charts,
        layout,
        active if isinstance(active, int) and active in charts else shown[0],
        maximised if isinstance(maximised, int) and maximised in shown else None,
        _links(values.get("links")),
        windows,
        values.get("looks by symbol") is True,
        _others(values, _WORKSPACE_FIELDS),
    )


def _chart(values: object) -> tuple[int, ChartEntry] | None:
    if not isinstance(values, Mapping):
        return None
    key, interval = values.get("key"), values.get("interval")
    if not isinstance(key, int) or isinstance(key, bool):
        return None
    symbol = _symbol(values.get("symbol"))
    try:
        parsed = Interval.parse(interval) if isinstance(interval, str) else None
    except UsageError:
        parsed = None
    if symbol is None or parsed is None:
        return None
    appearance, view, compare = (values.get(name) for name in ("appearance", "view", "compare"))
    named = map(_symbol, compare if isinstance(compare, list) else ())
    compared = [name for name in named if name is not None]
    link = _whole(values.get("link"), 0)
    return key, ChartEntry(
        symbol,
        parsed,
        dict(appearance) if isinstance(appearance, Mapping) else {},
        dict(view) if isinstance(view, Mapping) else {},
        link if 0 <= link <= MOST_LINKS else 0,
        tuple(dict.fromkeys(compared)),
        max(_whole(values.get("window"), -1), -1),
        _looks(values.get("looks")),
        _others(values, _CHART_FIELDS),
    )


def _symbol(text: object) -> str | None:
    """Return the symbol that a file names, as the program writes it; None if it names none."""
    try:
        return read_symbol(text) if isinstance(text, str) else None
    except UsageError:
        return None


def _looks(values: object) -> dict[str, dict[str, Any]]:
    """Return looks by symbol, the newest of them if there are too many."""
    found = ((_symbol(name), look) for name, look in values.items()) if isinstance(values, Mapping) else ()
    looks = {name: dict(look) for name, look in found if name is not None and isinstance(look, Mapping)}
    return {name: looks[name] for name in list(looks)[-MOST_LOOKS:]}


def _windows(values: object, charts: dict[int, ChartEntry]) -> list[DetachedWindow]:
    """Return the detached windows that have charts, and give their charts the windows' indices."""
    given = values if isinstance(values, list) else []
    windows: list[DetachedWindow] = []
    kept: list[int] = []
    for at, one in enumerate(given):
        keys = [key for key, chart in charts.items() if chart.window == at]
        read = one if isinstance(one, Mapping) else {}
        layout = from_values(read.get("layout"), keys)
        if layout is not None:
            windows.append(DetachedWindow(layout, _place(read.get("place")), _others(read, ("layout", "place"))))
            kept.append(at)
    for chart in charts.values():
        chart.window = kept.index(chart.window) if chart.window in kept else -1
    return windows


def _place(values: object) -> tuple[int, int, int, int] | None:
    if not isinstance(values, list) or len(values) != 4:
        return None
    if not all(type(one) is int and abs(one) <= _FARTHEST_PX for one in values):
        return None
    left, top, width, height = values
    return (left, top, width, height) if width > 0 and height > 0 else None


def _links(values: object) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for name, parts in values.items() if isinstance(values, Mapping) else ():
        if name in _LINK_NAMES and isinstance(parts, list):
            found[int(name)] = tuple(part for part in LINKED_PARTS if part in parts)
    return found


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _others(values: Mapping[Any, Any], known: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in known and isinstance(name, str)}

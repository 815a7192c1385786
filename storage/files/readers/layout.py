"""
Which column of a table is what: by the user's word, by the names in its header, or by the values of its first rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.market.errors import FileError, UsageError
from app.market.ports.row_files import ReadingOptions, RowKind
from app.market.suggestions import did_you_mean
from storage.files.readers.cells import (
    Cell,
    to_decimal,
    to_price_e8,
    to_time_us,
    to_truth,
    to_whole,
)
from storage.files.readers.presets import (
    COLUMN_NAMES,
    COLUMNS_OF_KIND,
    EXACT_PRESETS,
    LEAN_QUOTES,
    UNNAMED_PRESETS,
    UNNAMED_WIDTHS,
)

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_VOLUME_OF = re.compile(r"(?i)volume [a-z0-9]{2,10}")
_PRICES = ("open", "high", "low", "close")
_KLINE_SIGNS = {"close_time", "quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume"}
_SHOWN_COLUMNS, _SHOWN_LETTERS = 12, 40


@dataclass(frozen=True, slots=True)
class Layout:
    """
    The columns of a table.

    ``columns``: from our name to the position, from 0. ``names``: what the file calls its columns, by position.
    ``preset``: what it was recognised by, for people to read. ``side_of_maker``: see `presets.Preset`. ``day_us``: the
    times are milliseconds of the day that begins then; None: each says its day.
    """

    kind: RowKind
    columns: Mapping[str, int]
    names: tuple[str, ...]
    preset: str
    side_of_maker: bool = False
    day_us: int | None = None

    @property
    def width(self) -> int:
        return len(self.names)

    def narrowed(self) -> Layout:
        """Return the layout of a table that has the used columns alone, in the order of `columns`."""
        names = tuple(self.names[position] for position in self.columns.values())
        return replace(self, columns={name: place for place, name in enumerate(self.columns)}, names=names)


def is_header(cells: Sequence[Cell]) -> bool:
    """Whether a table's first row names its columns: it has words, and no value."""
    texts = [cell.strip() for cell in cells if isinstance(cell, str) and cell.strip()]
    return (
        bool(texts) and all(isinstance(cell, str) or cell is None for cell in cells) and not any(map(_is_value, texts))
    )


def recognise(
    names: Sequence[str] | None,
    rows: Sequence[Sequence[Cell]],
    options: ReadingOptions,
    named_kind: RowKind | None = None,
) -> Layout:
    """
    Return the columns of a table with the header ``names``, or None for one without, from its first rows.

    ``named_kind``: what its name says it holds; the columns may say otherwise.

    Raises:
        FileError: If it is neither trades nor quotes nor candles, or lacks a column that such a table must have.
        UsageError: If the user's columns are not there.
    """
    if names is None and not options.columns:
        return _by_values(rows, options.kind, named_kind)
    header = tuple(names) if names is not None else tuple(str(number + 1) for number in range(_width(rows)))
    own = _own_columns(header, options)
    if not own:
        exact = _by_exact_names(header, options.kind)
        if exact is not None:
            return exact
    kind = _wanted_kind(own, header, options, named_kind)
    if kind in (RowKind.KLINES, RowKind.CANDLES) and "time" in own:
        own["open_time"] = own.pop("time")
    columns = {**_known_columns(header, kind), **own}
    if "side" in own:
        columns.pop("is_buyer_maker", None)
    if kind is RowKind.CANDLES and options.kind is None and columns.keys() >= _KLINE_SIGNS:
        kind = RowKind.KLINES
    if kind in (RowKind.KLINES, RowKind.CANDLES) and not columns.keys() & {"open_time", "close_time"}:
        _add_index(columns, header, rows)
    layout = Layout(kind, columns, header, "your columns" if own else "column names")
    _check(layout)
    return layout


def lean_quotes(rows: Sequence[Sequence[Cell]], day_us: int) -> Layout:
    """
    Return the columns of a table of quotes as Lean keeps them, from its first rows.

    Raises:
        FileError: If most rows are none of such a table.
    """
    columns = {"time": 0, "bid": 1, "ask": 2}
    tests = (to_whole, _to_amount, _to_amount)
    fitting = [row for row in rows if len(row) >= len(columns) and all(map(_passes, tests, row))]
    if 2 * len(fitting) <= len(rows):
        raise FileError("its rows are not milliseconds of a day, bid and ask, as Lean's quotes are.")
    width = len(fitting[0])
    return Layout(RowKind.QUOTES, columns, tuple(str(place + 1) for place in range(width)), LEAN_QUOTES, day_us=day_us)


def _own_columns(header: Sequence[str], options: ReadingOptions) -> dict[str, int]:
    own: dict[str, int] = {}
    positions = {name.strip(): position for position, name in reversed(list(enumerate(header)))}
    known = set().union(*COLUMNS_OF_KIND.values())
    for ours, theirs in (options.columns or {}).items():
        if ours not in known | {"time"}:
            raise UsageError(f"“{ours}” is not a column{did_you_mean(ours, sorted(known))}")
        if theirs.strip() not in positions:
            raise FileError(f"it has no column “{theirs}”: it has {_shown(header)}.")
        own[ours] = positions[theirs.strip()]
    return own


def _by_exact_names(header: Sequence[str], wanted: RowKind | None) -> Layout | None:
    for preset in EXACT_PRESETS:
        if wanted in (None, preset.kind) and all(theirs in header for theirs in preset.columns.values()):
            columns = {ours: header.index(theirs) for ours, theirs in preset.columns.items()}
            symbol = next((position for position, name in enumerate(header) if name in ("symbol", "s")), None)
            if symbol is not None:
                columns.setdefault("symbol", symbol)
            return Layout(preset.kind, columns, tuple(header), preset.name, preset.side_of_maker)
    return None


def _wanted_kind(
    own: Mapping[str, int], header: Sequence[str], options: ReadingOptions, named_kind: RowKind | None
) -> RowKind:
    if options.kind is not None:
        return options.kind
    if own.keys() & {"agg_id"}:
        return RowKind.AGGTRADES
    if own.keys() & {"trade_id", "price", "quantity"}:
        return RowKind.TRADES
    if own.keys() & {"bid", "ask"}:
        return RowKind.QUOTES
    if own.keys() & set(_PRICES):
        return RowKind.CANDLES
    if _known_columns(header, RowKind.CANDLES).keys() >= set(_PRICES):
        return RowKind.CANDLES
    agg = _known_columns(header, RowKind.AGGTRADES).keys()
    if agg >= {"agg_id", "price"} or (agg >= {"first_trade_id", "last_trade_id", "price"}):
        return RowKind.AGGTRADES
    if _known_columns(header, RowKind.TRADES).keys() >= {"price"}:
        return RowKind.TRADES
    if _known_columns(header, RowKind.QUOTES).keys() >= {"time", "bid", "ask"}:
        return RowKind.QUOTES
    raise FileError(
        f"it holds neither trades nor quotes nor candles by the names of its columns, {_shown(header)}: "
        "say which is what with --map, such as --map price=Rate."
    )


def _known_columns(header: Sequence[str], kind: RowKind) -> dict[str, int]:
    positions = {_normal(name): position for position, name in reversed(list(enumerate(header)))}
    columns: dict[str, int] = {}
    for ours in COLUMNS_OF_KIND[kind]:
        for theirs in COLUMN_NAMES[ours].split():
            position = positions.get(_normal(theirs))
            if position is not None and position not in columns.values():
                columns[ours] = position
                break
    if kind in (RowKind.KLINES, RowKind.CANDLES) and "volume" not in columns:
        # CryptoDataDownload names the assets: Volume BTC, Volume USDT.
        volumes = [position for position, name in enumerate(header) if _VOLUME_OF.fullmatch(name.strip())]
        columns |= dict(zip(("volume", "quote_volume"), volumes, strict=False))
    return columns


def _add_index(columns: dict[str, int], header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Take a column without a name of its own as time where it holds times: the index of a pandas frame."""
    for position, name in enumerate(header):
        if _normal(name) in ("", "index", "indexlevel0", "unnamed0") and position not in columns.values():
            cells = [row[position] for row in rows if len(row) > position]
            if cells and all(_passes(to_time_us, cell) for cell in cells):
                columns["open_time"] = position
                return


def _check(layout: Layout) -> None:
    columns, kind = layout.columns.keys(), layout.kind
    if kind is RowKind.TRADES:
        needed = ["time", "price", "quantity"]
        if "trade_id" not in columns:
            raise FileError(
                "it has trades without ids, which cannot be stored exactly once: name the column of ids with "
                "--map trade_id=COLUMN."
            )
    elif kind is RowKind.AGGTRADES:
        needed = ["agg_id", "time", "price", "quantity", "first_trade_id", "last_trade_id"]
    elif kind is RowKind.QUOTES:
        needed = ["time", "bid", "ask"]
    else:
        needed = [*_PRICES, "volume"]
        if not columns & {"open_time", "close_time"}:
            needed = ["open_time", *needed]
    missing = [name for name in needed if name not in columns]
    if kind in (RowKind.TRADES, RowKind.AGGTRADES) and not columns & {"is_buyer_maker", "side"}:
        missing.append("is_buyer_maker")
    if missing:
        raise FileError(
            f"it has no column for {', '.join(missing)} among {_shown(layout.names)}: "
            f"name it with --map {missing[0]}=COLUMN."
        )


def _by_values(rows: Sequence[Sequence[Cell]], wanted: RowKind | None, named: RowKind | None) -> Layout:
    """Return the layout that fits most of the rows, ``named`` first: no row fits two of them but by chance."""
    candles = (RowKind.KLINES, RowKind.CANDLES)
    for preset in sorted(UNNAMED_PRESETS, key=lambda preset: preset.kind is not named):
        if wanted is not None and preset.kind is not wanted and not (wanted in candles and preset.kind in candles):
            continue
        if preset.kind is RowKind.QUOTES and wanted is None:
            continue  # a time and two numbers may be anything
        columns = {ours: int(position) for ours, position in preset.columns.items()}
        fitting = [row for row in rows if len(row) in UNNAMED_WIDTHS[preset.name] and _fits(row, columns)]
        if fitting and 2 * len(fitting) > len(rows):
            width = len(fitting[0])
            kind = wanted if wanted is not None and preset.kind in candles else preset.kind
            return Layout(kind, columns, tuple(str(number + 1) for number in range(width)), preset.name)
    raise FileError(
        "it holds neither trades nor quotes nor candles as far as its first rows show: say what its columns are with "
        "--map, by their names or, where it has no header, by their numbers from 1."
    )


def _fits(row: Sequence[Cell], columns: Mapping[str, int]) -> bool:
    value = {name: row[position] for name, position in columns.items()}
    tests: list[tuple[Callable[[Cell], object], Iterable[str]]] = [
        (to_time_us, ("time", "open_time", "close_time")),
        (to_whole, ("trade_id", "agg_id", "first_trade_id", "last_trade_id", "trades")),
        (to_price_e8, ("price", *_PRICES, "bid", "ask")),
        (
            _to_amount,
            (
                "bid_size",
                "ask_size",
                "quantity",
                "volume",
                "quote_volume",
                "taker_buy_volume",
                "taker_buy_quote_volume",
            ),
        ),
        (to_truth, ("is_buyer_maker",)),
    ]
    return all(_passes(test, value[name]) for test, names in tests for name in names if name in value)


def _to_amount(cell: Cell) -> int:
    return to_decimal(cell, 16)


def _passes(test: Callable[[Cell], object], cell: Cell) -> bool:
    try:
        test(cell)
    except ValueError:
        return False
    return True


def _is_value(text: str) -> bool:
    return any(_passes(test, text.replace(",", ".")) for test in (_to_amount, to_time_us)) or text.lower() in (
        "true",
        "false",
    )


def _width(rows: Sequence[Sequence[Cell]]) -> int:
    return max((len(row) for row in rows), default=0)


def _normal(name: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", name).lower()


def _shown(header: Sequence[str]) -> str:
    names = [name if len(name) <= _SHOWN_LETTERS else f"{name[:_SHOWN_LETTERS]}…" for name in header]
    names = [name or "(no name)" for name in names]
    return ", ".join(names[:_SHOWN_COLUMNS]) + (" …" if len(names) > _SHOWN_COLUMNS else "")

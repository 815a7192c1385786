"""
``cryptopipe symbols``: what the database holds of each symbol it knows; with ``--days``, of each day.

`storage.candles.stored_symbols` reads it, without reading trades, and says how sizes are shared out; this module puts
it into words and JSON. It works beside a program that records, and with a role that may only read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from app.commands.database_session import database_session
from app.commands.options import Options
from app.commands.reports.status_report import aligned, data_size
from app.commands.symbol_names import named_symbols
from app.config.settings import Settings
from app.market.candle import CandleSource
from app.market.errors import StoreError
from app.market.stored_symbol import DayHeld, StoredCandles, StoredSymbol, StoredTicks, StoredTrade
from app.market.symbol import BROKER, bare_name, broker_of
from app.market.units import format_e8
from app.runtime.open_database import has_database
from storage.candles import stored_symbols
from storage.files.times import format_time
from storage.postgres.connection import translated
from storage.postgres.symbol_ids import symbol_id_of
from storage.schema.migrate import migrate

_TIMEOUT_S = 120.0
_HEAD = ("symbol", "status", "active", "tick", "lot")
_TRADES_HEAD = ("trades", "missing", "complete", "first trade (UTC)", "last trade (UTC)", "size")
_TICKS_HEAD = ("ticks", "first tick (UTC)", "last tick (UTC)", "size")

_Days = dict[str, list[DayHeld]]


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that lists the symbols.

    Raises:
        StoreError: If there is no database yet.
    """
    if not has_database(settings):
        raise StoreError(
            f"Nothing is recorded in {settings.data_dir} yet: record or import something first, or name another "
            "--data-dir."
        )
    return partial(_list, settings, options)


def _list(settings: Settings, options: Options) -> int:
    with database_session(settings, statement_timeout_s=_TIMEOUT_S) as connection:
        migrate(connection)
        names = set(named_symbols(connection, options.symbol))
        with translated("read what is stored"), connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            found = [one for one in stored_symbols.read(connection) if not names or one.symbol.name in names]
            days = _Days()
            if options.days:
                stored = [one.symbol.name for one in found if one.is_stored]
                days = {name: stored_symbols.read_days(connection, symbol_id_of(connection, name)) for name in stored}
    if options.as_json:
        print(json.dumps([_document(one, days if options.days else None) for one in found], indent=2))
    else:
        print(_text(found, days, is_named=bool(names)))
    return 0


def _document(one: StoredSymbol, days: _Days | None) -> dict[str, Any]:
    """Return a symbol for JSON; amounts as exact decimals, times as ISO 8601 in UTC, null where nothing is known."""
    symbol = one.symbol
    document: dict[str, Any] = {
        "symbol": symbol.name,
        "broker": broker_of(symbol.name),
        "name": bare_name(symbol.name),
        "base": symbol.base or None,
        "quote": symbol.quote or None,
        "status": symbol.status or None,
        "tick_size": format_e8(symbol.tick_size_e8) if symbol.base else None,  # else the exchange never described it
        "lot_size": format_e8(symbol.step_size_e8) if symbol.base else None,
        "exchange": symbol.exchange or None,
        "asset_class": symbol.asset_class or None,
        "calendar": symbol.calendar or None,
        "time_zone": symbol.time_zone or None,
        "first_date": _available(symbol.first_date, one.first_us),
        "last_date": _available(symbol.last_date, one.last_us),
        "trading": symbol.is_trading,
        "active": one.active,
        "trades": one.trades,
        "dropped": one.dropped,
        "missing": one.missing,
        "share": one.share,
        "first_trade": _trade(one.first),
        "last_trade": _trade(one.last),
        "ticks": None if one.ticks is None else _ticks(one.ticks),
        "candles": [_candles(series) for series in one.candles],
        "bytes": one.size_bytes,
    }
    if days is not None:
        document["days"] = [_day(day) for day in days.get(symbol.name, [])]
    return document


def _available(described: date | None, stored_us: int | None) -> str | None:
    """Return the first or the last date with data: the broker's, else that of the stored data."""
    if described is not None:
        return described.isoformat()
    return None if stored_us is None else _date(stored_us)


def _trade(one: StoredTrade | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"id": one.trade_id, "time": None if one.time_us is None else format_time(one.time_us)}


def _ticks(one: StoredTicks) -> dict[str, Any]:
    return {
        "ticks": one.ticks,
        "dropped": one.dropped,
        "first": format_time(one.first_us),
        "last": format_time(one.last_us),
        "bytes": one.size_bytes,
    }


def _candles(one: StoredCandles) -> dict[str, Any]:
    return {
        "interval": one.interval,
        "source": one.source.value,
        "first": format_time(one.first_us),
        "last": format_time(one.last_us),
        "rows": one.rows,
        "exact": one.is_exact,
        "bytes": one.size_bytes,
    }


def _day(one: DayHeld) -> dict[str, Any]:
    return {
        "day": _date(one.day_us),
        "trades": one.trades,
        "missing": one.missing,
        "share": one.share,
        "klines": one.has_klines,
        "aggtrades": one.has_aggtrades,
    }


def _text(found: Sequence[StoredSymbol], days: _Days, *, is_named: bool) -> str:
    stored = [one for one in found if one.is_stored or is_named]
    others = len(found) - len(stored)
    known = "1 more symbol is" if others == 1 else f"{others:,} more symbols are"
    rest = f"{known} known, of which nothing is stored." if others else ""
    if not stored:
        return " ".join(["Nothing is stored of any symbol.", rest]).strip()
    series = [
        (
            one.symbol.name,
            candles.interval,
            "kline, aggtrades" if candles.source is CandleSource.MIXED else candles.source.value,
            _minute(candles.first_us),
            _minute(candles.last_us),
            f"{candles.rows:,}" if candles.is_exact else f"≈ {candles.rows:,}",
        )
        for one in stored
        for candles in one.candles
    ]
    traded = [one for one in stored if broker_of(one.symbol.name) == BROKER]
    quoted = [one for one in stored if broker_of(one.symbol.name) != BROKER]
    parts = []
    if traded:
        parts.append(aligned((*_HEAD, *_TRADES_HEAD), [*map(_trades_row, traded)], left=2))
    if quoted:
        parts.append(aligned((*_HEAD, *_TICKS_HEAD), [*map(_ticks_row, quoted)], left=2))
    if series:
        parts.append(aligned(("symbol", "interval", "made of", "first candle", "last candle", "rows"), series, left=3))
    by_day = [
        (name, _date(day.day_us), f"{day.trades:,}", f"{day.missing:,}", percent(day.share), _candles_of(day))
        for name, held in days.items()
        for day in held
    ]
    if by_day:
        parts.append(aligned(("symbol", "day (UTC)", "trades", "missing", "complete", "candles"), by_day, left=2))
    return "\n\n".join([*parts, *filter(None, [rest])])


def _described(one: StoredSymbol) -> tuple[str, ...]:
    """Return the cells of `_HEAD`."""
    symbol = one.symbol
    return (
        symbol.name,
        symbol.status.lower() or "unknown",
        "yes" if one.active else "no",
        _amount(symbol.tick_size_e8) if symbol.base else "–",
        _amount(symbol.step_size_e8) if symbol.base else "–",
    )


def _trades_row(one: StoredSymbol) -> tuple[str, ...]:
    return (
        *_described(one),
        f"{one.trades:,}",
        f"{one.missing:,}",
        percent(one.share),
        _time(one.first),
        _time(one.last),
        f"≈ {data_size(one.size_bytes)}",
    )


def _ticks_row(one: StoredSymbol) -> tuple[str, ...]:
    count, first, last = "0", "–", "–"
    if one.ticks is not None:
        count, first, last = f"{one.ticks.ticks:,}", _minute(one.ticks.first_us), _minute(one.ticks.last_us)
    return (*_described(one), count, first, last, f"≈ {data_size(one.size_bytes)}")


def percent(share: float | None) -> str:
    """Return a share as ``99.990 %``; never 100 % where something is missing; a dash where nothing is known."""
    if share is None:
        return "–"
    return "100 %" if share == 1 else f"{min(share * 100, 99.999):.3f} %"


def _candles_of(day: DayHeld) -> str:
    """Return which candles are stored beside the trades."""
    kinds = ("kline" if day.has_klines else "", "aggtrades" if day.has_aggtrades else "")
    return ", ".join(filter(None, kinds)) or "–"


def _amount(amount_e8: int) -> str:
    return format_e8(amount_e8).rstrip("0").rstrip(".")


def _time(one: StoredTrade | None) -> str:
    return "–" if one is None or one.time_us is None else _minute(one.time_us)


def _minute(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _date(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%d")

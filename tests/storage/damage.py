"""Ways to damage a database, and what it should hold, found by brute force from all of its rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.market.builder import CandleBuilder
from app.market.candle import CANDLE_FIGURES
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.trade import Trade
from storage.integrity.differences import DifferenceKind
from storage.postgres.connection import Connection
from storage.rollups.levels import LEVELS

DAY_US = 86_400_000_000
LEVEL_TABLES = [level.table for level in LEVELS]
Figures = tuple[Decimal, ...]


@dataclass
class Content:
    """Everything stored of one symbol, row by row."""

    trades: list[Trade] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    absent: list[tuple[int, int]] = field(default_factory=list)
    candles: dict[str, dict[int, Figures]] = field(default_factory=dict)
    klines: int = 0
    is_known: bool = True


def clear(connection: Connection) -> None:
    """Leave nothing but empty tables."""
    emptied = [
        "trades",
        "coverage",
        "absent_trades",
        "klines",
        "kline_ranges",
        "refused_trades",
        "fetched_quotes",
        "quote_klines",
        "symbols",
        *LEVEL_TABLES,
    ]
    connection.execute(f"TRUNCATE {', '.join(emptied)}")
    connection.execute("UPDATE retention SET kept_from = NULL")


def content(connection: Connection) -> dict[str, Content]:
    """Read everything, by symbol; an unknown symbol is called by its number."""
    found: dict[str, Content] = {}
    names: dict[int, str] = dict(connection.execute("SELECT id, name FROM symbols").fetchall())

    def of(symbol_id: int) -> Content:
        name = names.get(symbol_id, f"#{symbol_id}")
        return found.setdefault(name, Content(is_known=symbol_id in names))

    for name in names.values():
        found[name] = Content()
    for symbol_id, *row in connection.execute(
        "SELECT symbol_id, trade_id, (extract(epoch FROM time) * 1000000)::bigint, (price * 100000000)::bigint,"
        " (quantity * 100000000)::bigint, is_buyer_maker FROM trades ORDER BY trade_id, time"
    ):
        of(symbol_id).trades.append(Trade(names.get(symbol_id, f"#{symbol_id}"), *row))
    for symbol_id, first, last in connection.execute("SELECT * FROM coverage ORDER BY 1, 2"):
        of(symbol_id).ranges.append((first, last))
    for symbol_id, first, last in connection.execute("SELECT * FROM absent_trades ORDER BY 1, 2"):
        of(symbol_id).absent.append((first, last))
    for table in LEVEL_TABLES:
        for symbol_id, open_us, *figures in connection.execute(
            f"SELECT symbol_id, (extract(epoch FROM open_time) * 1000000)::bigint, {', '.join(CANDLE_FIGURES)}"
            f" FROM {table}"
        ):
            of(symbol_id).candles.setdefault(table, {})[open_us] = tuple(map(Decimal, figures))
    for (symbol_id,) in connection.execute("SELECT symbol_id FROM klines WHERE low > high"):
        of(symbol_id).klines += 1
    return found


def folded(trades: Iterable[Trade], length_us: int) -> dict[int, Figures]:
    """Return the candles of the trades as the live path folds them; of one id the lower price is the earlier."""
    builder = CandleBuilder(Interval(length_us // 1_000_000))
    for trade in sorted(trades, key=lambda trade: (trade.trade_id, trade.price_e8)):
        builder.add(trade)
    return {
        candle.open_time_us: (
            *(Decimal(f"{price}e-8") for price in candle[1:5]),
            Decimal(f"{candle.volume_e8}e-8"),
            Decimal(f"{candle.quote_volume_e16}e-16"),
            Decimal(candle.trades),
            Decimal(f"{candle.taker_buy_volume_e8}e-8"),
            Decimal(f"{candle.taker_buy_quote_volume_e16}e-16"),
            Decimal(candle.first_trade_id or 0),
            Decimal(candle.last_trade_id or 0),
        )
        for candle in builder.candles()
    }


def expected_differences(stored: dict[str, Content]) -> Counter[tuple[str, DifferenceKind]]:
    """Count the differences, row by row and id by id."""
    totals: Counter[tuple[str, DifferenceKind]] = Counter()
    for name, one in stored.items():
        times = Counter(trade.trade_id for trade in one.trades)
        held = {trade_id for first, last in one.ranges for trade_id in range(first, last + 1)}
        absent = {trade_id for first, last in one.absent for trade_id in range(first, last + 1)}
        totals[name, DifferenceKind.MISSING] += len(held - times.keys() - absent)
        totals[name, DifferenceKind.ABSENT] += len(absent - (held - times.keys()))
        totals[name, DifferenceKind.UNCOVERED] += len(times.keys() - held)
        totals[name, DifferenceKind.DUPLICATE] += sum(count > 1 for count in times.values())
        reached = -2
        for first, last in one.ranges:
            totals[name, DifferenceKind.RANGES] += first <= reached + 1
            reached = max(reached, last)
        for level in LEVELS:
            has, should = one.candles.get(level.table, {}), folded(one.trades, level.length_us)
            totals[name, DifferenceKind.CANDLE_MISSING] += len(should.keys() - has.keys())
            totals[name, DifferenceKind.CANDLE_SUPERFLUOUS] += len(has.keys() - should.keys())
            totals[name, DifferenceKind.CANDLE_DIFFERENT] += sum(
                has[at] != should[at] for at in has.keys() & should.keys()
            )
        totals[name, DifferenceKind.KLINE] += one.klines
        totals[name, DifferenceKind.UNKNOWN_SYMBOL] += 0 if one.is_known else len(one.trades)
    return +totals


def mended(stored: dict[str, Content]) -> dict[str, Content]:
    """Return what should be stored after a rebuild."""
    result = {}
    for name, one in stored.items():
        stays: dict[int, Trade] = {}
        for trade in sorted(one.trades, key=lambda trade: (trade.time_us % 1000 == 0, trade.time_us)):
            stays.setdefault(trade.trade_id, trade)
        new_name = name if one.is_known else f"UNKNOWN-{name[1:]}"
        trades = [trade._replace(symbol=new_name) for _, trade in sorted(stays.items())]
        candles = {level.table: folded(trades, level.length_us) for level in LEVELS}
        covered = {trade_id for first, last in one.ranges for trade_id in range(first, last + 1)}
        absent = {
            trade_id for first, last in one.absent for trade_id in range(first, last + 1)
        } & covered - stays.keys()
        held = IdRanges((trade_id, trade_id) for trade_id in sorted(absent | stays.keys()))
        result[new_name] = Content(
            trades,
            list(held),
            list(IdRanges((trade_id, trade_id) for trade_id in sorted(absent))),
            {table: rows for table, rows in candles.items() if rows},
        )
    return result


Damager = Callable[[Connection, random.Random], None]


def _any(connection: Connection, dice: random.Random, query: str) -> tuple[Any, ...] | None:
    rows = connection.execute(query).fetchall()
    return dice.choice(rows) if rows else None


def lose_trades(connection: Connection, dice: random.Random) -> None:
    row = _any(connection, dice, "SELECT symbol_id, trade_id FROM trades ORDER BY 1, 2")
    if row is not None:
        symbol_id, trade_id = row
        connection.execute(
            "DELETE FROM trades WHERE symbol_id = %s AND trade_id BETWEEN %s AND %s",
            (symbol_id, trade_id, trade_id + dice.randrange(4)),
        )


def store_a_trade_twice(connection: Connection, dice: random.Random) -> None:
    row = _any(connection, dice, "SELECT symbol_id, trade_id, time FROM trades ORDER BY 1, 2, 3")
    if row is not None:
        aside_us = dice.choice([-7, 1, 1000, 4_000_000, DAY_US, -3 * DAY_US, 40 * DAY_US])
        if dice.random() < 0.3:  # as a source would send it that knows milliseconds only
            connection.execute(
                "INSERT INTO trades SELECT symbol_id, date_trunc('milliseconds', time), trade_id, price, quantity,"
                " is_buyer_maker FROM trades WHERE (symbol_id, trade_id, time) = (%s, %s, %s) ON CONFLICT DO NOTHING",
                row,
            )
            return
        make_partition(connection, row[2], aside_us)
        connection.execute(
            "INSERT INTO trades SELECT symbol_id, time + %s * interval '1 microsecond', trade_id, price + 1, 2, true"
            " FROM trades WHERE (symbol_id, trade_id, time) = (%s, %s, %s) ON CONFLICT DO NOTHING",
            (aside_us, *row),
        )


def make_partition(connection: Connection, moment: object, aside_us: int) -> None:
    """Create the partition for a trade that many microseconds from the moment."""
    connection.execute(
        "SELECT make_trades_partition(date_trunc('month', %s + %s * interval '1 microsecond', 'UTC')::date)"
        " WHERE (SELECT relkind FROM pg_class WHERE oid = 'trades'::regclass) = 'p'",
        (moment, aside_us),
    )


def store_a_trade_of_nobody(connection: Connection, dice: random.Random) -> None:
    connection.execute(
        "INSERT INTO trades SELECT 1000000 + %s, time, trade_id, price, quantity, is_buyer_maker FROM trades"
        " ORDER BY trade_id, symbol_id, time LIMIT %s ON CONFLICT DO NOTHING",
        (dice.randrange(2), dice.randrange(1, 4)),
    )


def forget_a_range(connection: Connection, dice: random.Random) -> None:
    row = _any(connection, dice, "SELECT symbol_id, first_trade_id FROM coverage ORDER BY 1, 2")
    if row is not None:
        connection.execute("DELETE FROM coverage WHERE (symbol_id, first_trade_id) = (%s, %s)", row)


def stretch_a_range(connection: Connection, dice: random.Random) -> None:
    """Make a range longer or shorter than its trades; it may then overlap or touch the next."""
    row = _any(connection, dice, "SELECT symbol_id, first_trade_id FROM coverage ORDER BY 1, 2")
    if row is not None:
        connection.execute(
            "UPDATE coverage SET last_trade_id = greatest(first_trade_id, last_trade_id + %s)"
            " WHERE (symbol_id, first_trade_id) = (%s, %s)",
            (dice.choice([-3, -1, 1, 2, 50]), *row),
        )


def split_a_range(connection: Connection, dice: random.Random) -> None:
    """Make one range into two that touch or overlap."""
    row = _any(connection, dice, "SELECT * FROM coverage WHERE last_trade_id > first_trade_id ORDER BY 1, 2")
    if row is not None:
        symbol_id, first, last = row
        middle = dice.randrange(first, last) + 1
        connection.execute("INSERT INTO coverage VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", (symbol_id, middle, last))
        if dice.random() < 0.5:
            connection.execute(
                "UPDATE coverage SET last_trade_id = %s WHERE (symbol_id, first_trade_id) = (%s, %s)",
                (middle - 1, symbol_id, first),
            )


def call_a_trade_absent(connection: Connection, dice: random.Random) -> None:
    """Record ids as absent that are held, or that are not in the coverage."""
    row = _any(connection, dice, "SELECT symbol_id, first_trade_id, last_trade_id FROM coverage ORDER BY 1, 2")
    taken = connection.execute("SELECT count(*) FROM absent_trades").fetchone()
    if row is not None and taken == (0,):
        assert isinstance(row[2], int)
        connection.execute(
            "INSERT INTO absent_trades VALUES (%s, %s, %s)", (row[0], row[1], row[2] + dice.choice([0, 3]))
        )


def lose_a_candle(connection: Connection, dice: random.Random) -> None:
    table = dice.choice(LEVEL_TABLES)
    row = _any(connection, dice, f"SELECT symbol_id, open_time FROM {table} ORDER BY 1, 2")
    if row is not None:
        connection.execute(f"DELETE FROM {table} WHERE (symbol_id, open_time) = (%s, %s)", row)


def falsify_a_candle(connection: Connection, dice: random.Random) -> None:
    table, figure = dice.choice(LEVEL_TABLES), dice.choice(CANDLE_FIGURES)
    row = _any(connection, dice, f"SELECT symbol_id, open_time FROM {table} ORDER BY 1, 2")
    if row is not None:
        connection.execute(f"UPDATE {table} SET {figure} = {figure} + 1 WHERE (symbol_id, open_time) = (%s, %s)", row)


def invent_a_candle(connection: Connection, dice: random.Random) -> None:
    """Add one without trades: beside the others, long before or after them, or where none could open."""
    table = dice.choice(LEVEL_TABLES)
    row = _any(connection, dice, f"SELECT symbol_id, open_time FROM {table} ORDER BY 1, 2")
    if row is not None:
        aside = dice.choice(["1 second", "1 day", "-1 day", "-900 days", "900 days", "7 microseconds"])
        connection.execute(
            f"INSERT INTO {table} SELECT symbol_id, open_time + interval '{aside}', {', '.join(CANDLE_FIGURES)}"
            f" FROM {table} WHERE (symbol_id, open_time) = (%s, %s) ON CONFLICT DO NOTHING",
            row,
        )


def lose_a_level(connection: Connection, dice: random.Random) -> None:
    connection.execute(f"TRUNCATE {dice.choice(LEVEL_TABLES)}")


def store_an_impossible_kline(connection: Connection, dice: random.Random) -> None:
    connection.execute(
        "INSERT INTO klines SELECT id, 60, 0, to_timestamp(%s), 5, 4, 9, 5, 1, 1, 1, 1, 1 FROM symbols ORDER BY id"
        " LIMIT 1 ON CONFLICT DO NOTHING",
        (dice.randrange(10) * 60,),
    )


DAMAGERS: list[Damager] = [
    lose_trades,
    store_a_trade_twice,
    store_a_trade_of_nobody,
    forget_a_range,
    stretch_a_range,
    split_a_range,
    call_a_trade_absent,
    lose_a_candle,
    falsify_a_candle,
    invent_a_candle,
    lose_a_level,
    store_an_impossible_kline,
]

"""
Candles as CSV: the columns, their form, and the file.

Where candles come from, and in which thread they are written, is the caller's; `storage.files.target` names the file
once it is whole. The candles are not kept: a file of any length takes the memory of what is given at once.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.market.candle import Candle
from app.market.errors import UsageError
from app.market.units import E8, format_e8, format_e16
from storage.files.target import Target

COLUMNS = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "first_trade_id",
    "last_trade_id",
    "vwap",
    "closed",
    "complete",
    "source",
)


class CandleCsv:
    """A CSV file of candles with the names of `COLUMNS` above; see `app.market.ports.files.CandleFile`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._writer = csv.writer(target.text, lineterminator="\n")
        with target.refusing():
            self._writer.writerow(COLUMNS)

    def write(self, candles: Sequence[Candle]) -> None:
        """Write one row for each candle."""
        with self._target.refusing():
            self._writer.writerows(map(candle_row, candles))

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        """See `app.market.ports.files.CandleFile`."""
        return self._target.finish(name, facts)

    def discard(self) -> None:
        """See `app.market.ports.files.CandleFile`."""
        self._target.discard()


def candle_row(candle: Candle) -> tuple[str, ...]:
    """
    Return the fields of `COLUMNS`: the time in ISO 8601 UTC, exact decimals, true or false.

    A candle without trades has no ids and no vwap.
    """
    return (
        format_time(candle.open_time_us),
        format_e8(candle.open_e8),
        format_e8(candle.high_e8),
        format_e8(candle.low_e8),
        format_e8(candle.close_e8),
        format_e8(candle.volume_e8),
        format_e16(candle.quote_volume_e16),
        str(candle.trades),
        format_e8(candle.taker_buy_volume_e8),
        format_e16(candle.taker_buy_quote_volume_e16),
        "" if candle.first_trade_id is None else str(candle.first_trade_id),
        "" if candle.last_trade_id is None else str(candle.last_trade_id),
        _vwap(candle),
        "true" if candle.closed else "false",
        "true" if candle.complete else "false",
        candle.source.value,
    )


def _vwap(candle: Candle) -> str:
    volume_e8 = candle.volume_e8
    if not volume_e8:
        return ""
    # To the nearest 1e-16: eight decimals are few digits of a price of 0.00001.
    return format_e16((candle.quote_volume_e16 * E8 + volume_e8 // 2) // volume_e8)


def format_time(time_us: int) -> str:
    """Return UTC microseconds as ISO 8601 with a Z, and with a fraction only if there is one."""
    seconds, micros = divmod(time_us, 1_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{micros:06d}Z" if micros else f"{text}Z"


def parse_time(text: str) -> int:
    """
    Return a date, or a date and time, as UTC microseconds: ``2024-08-08``, ``2024-08-08T23:55``.

    A text without an offset (``Z``, ``+02:00``) is in UTC.

    Raises:
        UsageError: If the text is neither.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"“{text}” is not a time: write it like 2024-08-08 or 2024-08-08T23:55 (UTC).") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)

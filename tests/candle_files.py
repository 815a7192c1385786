"""Candles as an exported file, for tests that compare it with other ways to the same candles."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from app.market.candle import Candle
from app.market.columns.candle_columns import columns_of
from app.market.file_format import FileFormat, FileLayout
from app.market.interval import Interval
from app.market.units import E8, format_e8, format_e16
from storage.files.export_file import rows_file
from storage.files.target import NewFile
from storage.files.times import format_time


def write_candles(
    batches: Iterable[list[Candle]],
    path: Path,
    interval: Interval,
    file_format: FileFormat = FileFormat.CSV,
    layout: FileLayout = FileLayout(),  # noqa: B008  # because a tuple never changes
    facts: dict[str, object] | None = None,
) -> int:
    """Write the candles into a file, as an export does, and return how many there were."""
    file = rows_file(NewFile(path.parent, path.name), file_format, layout, interval)
    written = 0
    try:
        for batch in batches:
            file.write(columns_of(batch))
            written += len(batch)
        file.finish(path.name, facts or {})
    finally:
        file.discard()
    return written


def candle_row(candle: Candle) -> tuple[str, ...]:
    """
    Return the fields of a row of the default preset, made one by one: what a file must have, to the digit.

    A candle without trades has no ids and no vwap, and one without a quote volume no vwap.
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
    if not (volume_e8 and candle.quote_volume_e16):
        return ""
    # To the nearest 1e-16: eight decimals are few digits of a price of 0.00001.
    return format_e16((candle.quote_volume_e16 * E8 + volume_e8 // 2) // volume_e8)

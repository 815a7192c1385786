"""
Writes candles to a CSV file.

`write_csv` takes candles batch by batch, so that memory stays bounded, and writes a temporary file beside the target.
It gets the target's name only when it is finished and on disk: a cancelled or failed export leaves nothing behind, and
an existing file as it was. Where candles come from, and in which thread this runs, is the caller's.
"""

from __future__ import annotations

import csv
import os
import secrets
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from app.market.candle import Candle
from app.market.errors import UsageError
from app.market.units import format_e8, format_e16

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
)


class ExportCancelled(Exception):
    """Raised by `write_csv` after its ``cancelled`` was set; no file is left."""


def candle_row(candle: Candle) -> tuple[str, ...]:
    """Return the fields of `COLUMNS`: the time in ISO 8601 UTC, exact decimals, no ids for a candle without trades."""
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
    )


def format_time(time_us: int) -> str:
    """Return UTC microseconds as ISO 8601 with a Z, and with a fraction only if there is one."""
    seconds, micros = divmod(time_us, 1_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{micros:06d}Z" if micros else f"{text}Z"


def check_target(path: Path) -> None:
    """
    Check that a CSV file of that path can be written, before anything is read for it.

    Raises:
        UsageError: If the name does not end in .csv, the folder does not exist, or the path is a folder.
    """
    if path.suffix.lower() != ".csv":
        raise UsageError(f"“{path.name}” is not a CSV file name: let it end in .csv.")
    # os.path.isdir, because Path.is_dir raises an error for a name that is too long.
    if not os.path.isdir(path.parent):
        raise UsageError(f"The folder {path.parent} does not exist: make it first, or choose another.")
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder: give a file name.")


def write_csv(
    batches: Iterable[list[Candle]],
    path: Path,
    *,
    cancelled: threading.Event | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """
    Write the candles to ``path`` and return how many there were. Blocks: call it from a worker thread.

    ``progress`` is called in that thread after each batch, with the number of candles written so far and the open time
    of the last one (UTC microseconds). An existing file is replaced in one step at the end.

    Raises:
        ExportCancelled: If ``cancelled`` was set.
        UsageError: If the file cannot be written; the sentence says why.
    """
    check_target(path)
    written = 0
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Choose another folder.") from error
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for batch in batches:
                writer.writerows(map(candle_row, batch))
                written += len(batch)
                if progress is not None and batch:
                    progress(written, batch[-1].open_time_us)
                if cancelled is not None and cancelled.is_set():
                    break
            file.flush()
            # Before the rename, or a power failure could leave an empty file under the target's name.
            os.fsync(file.fileno())
        if cancelled is not None and cancelled.is_set():
            raise ExportCancelled
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Nothing was left behind.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return written


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

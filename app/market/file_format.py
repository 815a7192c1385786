"""The formats of exported files, and the presets: names, order and form that other programs expect. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.symbol import bare_name

MOST_SHEET_ROWS = 1_048_575
"""The rows of an Excel sheet, without that of the names."""


class FileFormat(StrEnum):
    """A format; its value is also the ending of its files."""

    CSV = "csv"
    CSV_GZ = "csv.gz"
    TSV = "tsv"
    PARQUET = "parquet"
    FEATHER = "feather"
    JSON = "json"
    JSONL = "jsonl"
    XLSX = "xlsx"

    @property
    def is_text(self) -> bool:
        """Whether its values are text, so that a number keeps all its digits whatever reads it."""
        return self not in (FileFormat.PARQUET, FileFormat.FEATHER, FileFormat.XLSX)


class Preset(StrEnum):
    """Whom a file is for."""

    DEFAULT = "default"
    CCXT = "ccxt"
    FREQTRADE = "freqtrade"
    VECTORBT = "vectorbt"
    BINANCE = "binance"
    TRADINGVIEW = "tradingview"


class FileLayout(NamedTuple):
    """
    How rows stand in a file.

    ``zone``: the IANA name of the time zone of times that are text. ``columns``: the names of those wanted, in their
    order; empty for all of the preset. ``indicators``: the names of the columns of indicators, after the others.
    ``is_of_quotes``: candles have the sizes of both sides as columns, too; ``is_rolling``: and their minute index.
    """

    preset: Preset = Preset.DEFAULT
    zone: str = "UTC"
    columns: tuple[str, ...] = ()
    indicators: tuple[str, ...] = ()
    is_of_quotes: bool = False
    is_rolling: bool = False


def named_format(text: str) -> FileFormat:
    """Return the format of that name. Raises UsageError."""
    try:
        return FileFormat(text.strip().lower().removeprefix("."))
    except ValueError as error:
        raise UsageError(f"“{text}” is not a format: choose one of {', '.join(FileFormat)}.") from error


def format_of_name(name: str) -> FileFormat | None:
    """Return the format of a file of that name, in any case; None if its ending is none of ours."""
    return next((one for one in FileFormat if name.lower().endswith(f".{one}")), None)


def chosen_format(path: Path | None, format_name: str | None, preset: Preset) -> FileFormat:
    """
    Return the format that was asked for by name, by the file's ending, or else the preset's own.

    Raises:
        UsageError: If the name is none, contradicts the ending, or the ending is none.
    """
    wanted = named_format(format_name) if format_name else None
    ending = format_of_name(path.name) if path is not None else None
    if wanted is not None and ending not in (None, wanted):
        raise UsageError(f"“{path.name if path else ''}” is not the name of a {wanted} file: let it end in .{wanted}.")
    if wanted is None and ending is None and path is not None:
        endings = ", ".join(f".{one}" for one in FileFormat)
        raise UsageError(f"“{path.name}” names no format: let it end in one of {endings}, or say --format.")
    return wanted or ending or (FileFormat.FEATHER if preset is Preset.FREQTRADE else FileFormat.CSV)


def named_preset(text: str) -> Preset:
    """Return the preset of that name; ``backtesting`` and ``backtesting.py`` are vectorbt's. Raises UsageError."""
    name = text.strip().lower()
    if name in ("backtesting", "backtesting.py"):
        return Preset.VECTORBT
    try:
        return Preset(name)
    except ValueError as error:
        raise UsageError(f"“{text}” is not a preset: choose one of {', '.join(Preset)}.") from error


def named_zone(text: str) -> str:
    """Return the name of an IANA time zone as it is written. Raises UsageError."""
    name = text.strip()
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"“{text}” is not a time zone: write it like Europe/Berlin, Asia/Tokyo or UTC.") from error
    return name


def check_rows(rows: int, file_format: FileFormat) -> None:
    """
    Check that a file of that format can hold so many rows.

    Raises:
        UsageError: If it cannot.
    """
    if file_format is FileFormat.XLSX and rows > MOST_SHEET_ROWS:
        raise UsageError(
            f"An Excel sheet holds {MOST_SHEET_ROWS:,} rows and these are {rows:,}: nothing was written. Choose a "
            "shorter range, or another format."
        )


def name_in_folder(symbol: str, interval: str, file_format: FileFormat) -> str:
    """Return the name of one of several files: ``BTCUSDT-1m.parquet``; ``interval`` may also be ``trades``."""
    return f"{file_symbol(symbol)}-{interval}.{file_format}"


def file_symbol(symbol: str) -> str:
    """Return a symbol as names of files have it, without a colon: ``oanda-EURUSD``."""
    return symbol.replace(":", "-")


_QUOTES = "USDT FDUSD USDC BUSD TUSD USDP BTC ETH BNB EUR TRY BRL GBP AUD JPY UAH RUB DAI".split()


def freqtrade_name(
    symbol: str, interval: Interval, file_format: FileFormat, pair: tuple[str, str] | None = None
) -> str:
    """
    Return the name by which freqtrade finds a file: ``ETH_USDT-1m.feather``; ``pair``: base and quote, if known.

    Source: freqtrade/data/history/datahandlers/idatahandler.py, ``_pair_data_filename``.
    """
    base, quote = pair or _guessed_pair(bare_name(symbol), _QUOTES)
    # Its file systems may ignore case, so a month is not 1M beside the minute's 1m.
    return (
        f"{base}_{quote}-{interval.name.replace('M', 'Mo')}.{file_format}"
        if quote
        else (name_in_folder(symbol, interval.name, file_format))
    )


def _guessed_pair(symbol: str, quotes: Sequence[str]) -> tuple[str, str]:
    quote = next((one for one in quotes if symbol.endswith(one) and symbol != one), "")
    return symbol.removesuffix(quote), quote

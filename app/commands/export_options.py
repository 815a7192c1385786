"""What ``cryptopipe export`` was asked for: its options as values, checked without a database and an exchange."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from app.commands.options import Options
from app.market.candle_request import CandleRequest
from app.market.errors import UsageError
from app.market.file_format import (
    FileFormat,
    FileLayout,
    Preset,
    check_rows,
    chosen_format,
    format_of_name,
    named_preset,
    named_zone,
)
from app.market.indicators.chosen import ChosenIndicator, read_indicators
from app.market.interval import Interval
from app.market.symbol import read_symbol
from storage.files.target import check_target
from storage.files.times import parse_time

STREAM = Path("-")


class RowsOf(StrEnum):
    """What is exported besides candles."""

    TRADES = "trades"
    GAPS = "gaps"


class Wanted(NamedTuple):
    """
    What to export, and whereto; None: not given.

    ``symbols`` as they were typed, ``kinds`` each once: candles of an interval, or what else. ``path``: a file, a
    folder, or `STREAM`.
    """

    symbols: tuple[str, ...]
    kinds: tuple[Interval | RowsOf, ...]
    start_us: int | None
    end_us: int | None
    fetch: bool
    include_open: bool
    path: Path | None
    file_format: FileFormat
    layout: FileLayout
    indicators: tuple[ChosenIndicator, ...]

    @property
    def is_stream(self) -> bool:
        return self.path == STREAM

    @property
    def is_several(self) -> bool:
        """Whether it is several files."""
        return len(self.symbols) * len(self.kinds) > 1

    @property
    def intervals(self) -> list[Interval]:
        """The intervals of candles."""
        return [one for one in self.kinds if isinstance(one, Interval)]

    @property
    def has_range(self) -> bool:
        return self.start_us is not None or self.end_us is not None


def wanted_of(options: Options) -> Wanted:
    """
    Return what was asked for.

    Raises:
        UsageError: If an option is wrong, or two contradict each other.
    """
    kinds = tuple(dict.fromkeys(_kind(one) for one in _list(options.interval)))
    symbols = tuple(dict.fromkeys(_list(options.symbol)))
    for one in symbols:
        read_symbol(one)
    start_us = parse_time(options.start) if options.start else None
    end_us = parse_time(options.end) if options.end else None
    if start_us is not None and end_us is not None and end_us <= start_us:
        raise UsageError("--to must be later than --from: nothing was written.")
    preset = named_preset(options.preset) if options.preset else Preset.DEFAULT
    is_file = options.path is not None and options.path != STREAM and not os.path.isdir(options.path)
    several = len(symbols) * len(kinds) > 1
    file_format = chosen_format(options.path if is_file and not several else None, options.format, preset)
    indicators = read_indicators(options.indicators) if options.indicators else ()
    layout = FileLayout(
        preset,
        named_zone(options.zone) if options.zone else "UTC",
        tuple(_list(options.columns)) if options.columns else (),
        tuple(name for one in indicators for name in one.columns),
    )
    if start_us is not None and end_us is not None:
        for interval in [one for one in kinds if isinstance(one, Interval)]:
            request = CandleRequest(symbols[0], interval, start_us, end_us, True, options.include_open)
            request.check()
            check_rows(len(request.slots), file_format)
    if not all(isinstance(one, Interval) for one in kinds) and preset is not Preset.DEFAULT:
        raise UsageError(f"--preset {preset} is for candles: leave it out for trades and gaps.")
    if indicators and not all(isinstance(one, Interval) for one in kinds):
        raise UsageError("--indicators is for candles: leave it out for trades and gaps.")
    _check_columns(layout, file_format, kinds)
    wanted = Wanted(
        symbols,
        kinds,
        start_us,
        end_us,
        not options.stored,
        options.include_open,
        options.path,
        file_format,
        layout,
        indicators,
    )
    _check_path(wanted, as_json=options.as_json, is_file=is_file)
    return wanted


def _check_path(wanted: Wanted, *, as_json: bool, is_file: bool) -> None:
    path = wanted.path
    if wanted.is_stream:
        if as_json:
            raise UsageError("--json and --out - would both print on standard output: leave one of them out.")
        if wanted.is_several:
            raise UsageError("Several files cannot go to standard output: name a folder with --out.")
        if wanted.file_format is FileFormat.XLSX:
            raise UsageError("An Excel workbook cannot go to standard output: name a file with --out.")
    elif path is not None and is_file:
        if wanted.is_several:
            if os.path.lexists(path) or format_of_name(path.name):
                raise UsageError(f"{path} is one file, and these are several: name a folder with --out.")
        else:
            check_target(path)


def _check_columns(layout: FileLayout, file_format: FileFormat, kinds: Sequence[Interval | RowsOf]) -> None:
    if layout.columns:
        # Imported here: Arrow takes a quarter of a second, and most refusals come before.
        from storage.files.row_layout import GAPS, TRADES, candle_layout, plain_layout

        for kind in kinds:
            if isinstance(kind, Interval):
                candle_layout(layout, file_format)
            else:
                plain_layout(TRADES if kind is RowsOf.TRADES else GAPS, layout.columns)


def _kind(text: str) -> Interval | RowsOf:
    """Return what rows ``text`` names. Raises UsageError."""
    found = next((one for one in RowsOf if one == text.lower()), None)
    return found or Interval.parse(text)


def _list(text: str) -> list[str]:
    """Return the parts of ``BTCUSDT,ETHUSDT``. Raises UsageError if there is none."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise UsageError(f"“{text}” names nothing: write it like BTCUSDT,ETHUSDT or 1m,1h.")
    return parts

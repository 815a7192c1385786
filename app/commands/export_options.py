"""What ``cryptopipe export`` was asked for: its options as values, checked without a database and an exchange."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.commands.export_target import STREAM, check_path
from app.commands.options import Options
from app.market.candle_request import ONE_MINUTE, CandleRequest, window_count
from app.market.errors import UsageError
from app.market.export_plan import ExportPlan, files_of
from app.market.file_columns import Rows, RowsOf, row_layout
from app.market.file_format import (
    FileLayout,
    Preset,
    check_rows,
    chosen_format,
    named_preset,
    named_zone,
)
from app.market.indicators.chosen import read_indicators
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.market.symbol import BROKER, broker_of, read_symbol
from storage.files.times import parse_time


class Wanted(NamedTuple):
    """
    What to export, and whereto; None: not given.

    ``plan`` has the symbols as they were typed. ``path``: a file, a folder, or `STREAM`.
    """

    plan: ExportPlan
    path: Path | None

    @property
    def is_stream(self) -> bool:
        return self.path == STREAM

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols, each once."""
        return tuple(dict.fromkeys(one.symbol for one in self.plan.files))

    @property
    def kinds(self) -> tuple[Rows, ...]:
        """The kinds of rows of each symbol."""
        return tuple(dict.fromkeys(one.rows for one in self.plan.files))

    @property
    def start_us(self) -> int | None:
        """When the range of all begins."""
        return self.plan.files[0].start_us

    @property
    def has_range(self) -> bool:
        return (self.start_us, self.plan.files[0].end_us) != (None, None)

    def of_symbols(self, names: Sequence[str]) -> ExportPlan:
        """Return the plan with these names for `symbols`."""
        first = self.plan.files[0]
        files = files_of(tuple(names), self.kinds, first.start_us, first.end_us, is_rolling=first.is_rolling)
        return self.plan._replace(files=files)


def wanted_of(options: Options) -> Wanted:
    """
    Return what was asked for.

    Raises:
        UsageError: If an option is wrong, or two contradict each other.
    """
    kinds = tuple(dict.fromkeys(_kind(one) for one in _list(options.interval)))
    symbols = tuple(dict.fromkeys(map(_symbol, _list(options.symbol))))
    price = _price(options.price, symbols)
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
    files = files_of(symbols, kinds, start_us, end_us, is_rolling=options.rolling)
    for one in files:
        one.check()
    if options.rolling and options.include_open:
        raise UsageError("--include-open is for candles that follow each other: leave it out with --rolling.")
    if start_us is not None and end_us is not None:
        for interval in [one for one in kinds if isinstance(one, Interval)]:
            request = CandleRequest(symbols[0], interval, start_us, end_us, True, options.include_open)
            if options.rolling:
                check_rows(window_count(request._replace(interval=ONE_MINUTE), interval), file_format)
                continue
            request.check()
            check_rows(len(request.slots), file_format)
    if not all(isinstance(one, Interval) for one in kinds) and preset is not Preset.DEFAULT:
        raise UsageError(f"--preset {preset} is for candles: leave it out for other rows.")
    if indicators and not all(isinstance(one, Interval) for one in kinds):
        raise UsageError("--indicators is for candles: leave it out for other rows.")
    plan = ExportPlan(files, file_format, layout, indicators, not options.stored, options.include_open, price)
    for one in files:
        row_layout(one.rows, plan.layout_of(one), file_format)
    for each in indicators:
        if layout.columns and not set(each.columns) & set(layout.columns):
            raise UsageError(f"--columns leaves out {each.columns[0]}, which --indicators asks for: name it, too.")
    check_path(plan, options.path, as_json=options.as_json)
    return Wanted(plan, options.path)


def _symbol(text: str) -> str:
    """Return a symbol of a broker of quotes by its name, and another as it was typed. Raises UsageError."""
    name = read_symbol(text)
    return name if broker_of(name) != BROKER else text


def _price(text: str | None, symbols: Sequence[str]) -> PriceSide:
    if text is None:
        return PriceSide.MID
    if all(broker_of(symbol) == BROKER for symbol in symbols):
        raise UsageError("--price is for candles of quotes, such as those of oanda:EURUSD: leave it out for trades.")
    return PriceSide(text)


def _kind(text: str) -> Rows:
    """Return what rows ``text`` names. Raises UsageError."""
    found = next((one for one in RowsOf if one == text.lower().replace("-", "_")), None)
    return found or Interval.parse(text)


def _list(text: str) -> list[str]:
    """Return the parts of ``BTCUSDT,ETHUSDT``. Raises UsageError if there is none."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise UsageError(f"“{text}” names nothing: write it like BTCUSDT,ETHUSDT or 1m,1h.")
    return parts

"""
Typed columns as columns of exact integers, without an object for a row.

All or nothing: `arrow_batches` returns None where one value of the block is missing or is not what it must be. The
caller then takes the block row by row, which says what is wrong with each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.market.candle import Candle, CandleSource
from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.ports.row_files import CandleBatch, Ints, RowBatch, RowKind
from storage.files.readers.batches import DAY_MS, candle_fault, column_batch, quote_batch, to_source
from storage.files.readers.cells import FIRST_S, LAST_S
from storage.files.readers.identity import Identity, owner
from storage.files.readers.layout import Layout
from storage.files.readers.names import symbol_name

Bools = NDArray[np.bool_]
_UNITS = ((1, 1_000_000, 1), (1_000, 1_000, 1), (1_000_000, 1, 1), (1_000_000_000, 1, 1_000))
_EXACT_E8 = 10**15  # below, a double is one decimal of eight places and no other
_E8 = 10**8


class Unclear(Exception):
    """A column holds something that has to be looked at row by row."""


def arrow_batches(
    layout: Layout, identity: Identity, columns: Mapping[str, Any], first_number: int
) -> list[RowBatch] | None:
    """
    Return the batches of a block, one for each symbol in it; None if it has to be read row by row.

    ``columns``: from our names to arrow arrays of one length. ``first_number``: that of the block's first row in the
    file; the others follow.
    """
    try:
        groups = _symbol_groups(layout.kind, identity, columns)
        if layout.kind in (RowKind.KLINES, RowKind.CANDLES):
            return _candle_batches(identity, columns, groups, first_number)
        if layout.kind is RowKind.QUOTES:
            return _quote_batches(layout, columns, groups, first_number)
        return _trade_batches(layout, columns, groups, first_number)
    except Unclear:
        return None


def _trade_batches(
    layout: Layout, columns: Mapping[str, Any], groups: list[tuple[str, Bools | None]], first_number: int
) -> list[RowBatch]:
    names = {RowKind.TRADES: ("trade_id",), RowKind.AGGTRADES: ("agg_id", "first_trade_id", "last_trade_id")}
    identifier, *ends = [_whole(columns[name]) for name in names[layout.kind]]
    if ends and (ends[1] < ends[0]).any():
        raise Unclear
    price, quantity = _amounts(columns["price"], above_zero=True), _amounts(columns["quantity"])
    integers = [identifier, _times(columns["time"]), price, quantity, *ends]
    maker = _maker(layout, columns)
    numbers = np.arange(first_number, first_number + len(maker))
    batches: list[RowBatch] = []
    for symbol, mask in groups:
        if mask is None:
            batches.append(column_batch(layout.kind, symbol, integers, maker, numbers))
        else:
            chosen = [column[mask] for column in integers]
            batches.append(column_batch(layout.kind, symbol, chosen, maker[mask], numbers[mask]))
    return batches


def _quote_batches(
    layout: Layout, columns: Mapping[str, Any], groups: list[tuple[str, Bools | None]], first_number: int
) -> list[RowBatch]:
    if layout.day_us is None:
        times = _times(columns["time"])
    else:
        ms = _whole(columns["time"])
        if len(ms) and ms.max() >= DAY_MS:
            raise Unclear
        times = layout.day_us + ms * 1_000
    prices = [_amounts(columns[name], above_zero=True) for name in ("bid", "ask")]
    sizes = [_sizes(columns.get(name), len(times)) for name in ("bid_size", "ask_size")]
    integers = [times, *prices, *sizes]
    numbers = np.arange(first_number, first_number + len(times))
    return [
        quote_batch(symbol, integers, numbers)
        if mask is None
        else quote_batch(symbol, [column[mask] for column in integers], numbers[mask])
        for symbol, mask in groups
    ]


def _sizes(column: Any | None, size: int) -> Ints:
    if column is None:
        return np.zeros(size, np.int64)
    column = _plain(column)
    # Where the source gives no size, it is 0.
    return _amounts(column.fill_null(0) if column.null_count else column)


def _candle_batches(
    identity: Identity, columns: Mapping[str, Any], groups: list[tuple[str, Bools | None]], first_number: int
) -> list[RowBatch]:
    interval = identity.interval
    if interval is None or len(groups) != 1 or groups[0][1] is not None or "interval" in columns:
        raise Unclear
    if "open_time" not in columns:
        raise Unclear
    opens = _times(columns["open_time"])
    size = len(opens)
    prices = [_amounts(columns[name], above_zero=True) for name in ("open", "high", "low", "close")]
    volume = _sums(columns["volume"], size, 8)
    taker = _sums(columns.get("taker_buy_volume"), size, 8)
    trades = _whole(columns["trades"]).tolist() if "trades" in columns else [int(amount > 0) for amount in volume]
    rows = zip(
        opens.tolist(),
        *(column.tolist() for column in prices),
        volume,
        _sums(columns.get("quote_volume"), size, 16),
        trades,
        taker,
        _sums(columns.get("taker_buy_quote_volume"), size, 16),
        _optional_ids(columns.get("first_trade_id"), size),
        _optional_ids(columns.get("last_trade_id"), size),
        _truths(columns.get("closed"), size),
        _truths(columns.get("complete"), size),
        _sources(columns.get("source"), size),
        strict=True,
    )
    candles = tuple(map(Candle._make, rows))
    _check_candles(candles, interval, opens, prices, volume, taker)
    numbers = np.arange(first_number, first_number + size)
    return [CandleBatch(groups[0][0], size, interval, candles, (), numbers)]


def _check_candles(
    candles: tuple[Candle, ...],
    interval: Interval,
    opens: Ints,
    prices: list[Ints],
    volume: list[int],
    taker: list[int],
) -> None:
    open_, high, low, close = prices
    if interval.months:
        if any(candle_fault(candle, interval) for candle in candles):
            raise Unclear
        return
    sane = (low <= np.minimum(open_, close)) & (high >= np.maximum(open_, close))
    if any(bought > traded for bought, traded in zip(taker, volume, strict=True)):
        raise Unclear
    if not sane.all() or ((opens - interval.origin_us) % interval.length_us).any():
        raise Unclear


def _symbol_groups(kind: RowKind, identity: Identity, columns: Mapping[str, Any]) -> list[tuple[str, Bools | None]]:
    """Return the symbols of the block, each with the rows that are of it, or None for all of them."""
    if "symbol" not in columns:
        if identity.symbol is None:
            raise Unclear
        return [(identity.symbol, None)]
    encoded = _plain(columns["symbol"])
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    if encoded.null_count or len(encoded) == 0:
        raise Unclear
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    groups: dict[str, Bools] = {}
    for index, name in enumerate(encoded.dictionary.to_pylist()):
        mask = indices == index
        if not mask.any():
            continue
        try:
            symbol = owner(symbol_name(str(name)), kind, identity)
        except (UsageError, ValueError):
            raise Unclear from None
        if symbol is not None:
            groups[symbol] = groups[symbol] | mask if symbol in groups else mask
    return [(symbol, None if mask.all() else mask) for symbol, mask in groups.items()]


def _plain(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _present(column: Any) -> Any:
    column = _plain(column)
    if column.null_count:
        raise Unclear
    return column


def _whole(column: Any) -> Ints:
    column = _present(column)
    if not pa.types.is_integer(column.type):
        raise Unclear
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    if column.type == pa.uint64() and len(values) and values.max() > np.uint64(2**63 - 1):
        raise Unclear
    integers = values.astype(np.int64, copy=False)
    if len(integers) and integers.min() < 0:
        raise Unclear
    return integers


def _amounts(column: Any, *, above_zero: bool = False) -> Ints:
    column = _present(column)
    amounts = _scaled_e8(column)
    if len(amounts) and amounts.min() < (1 if above_zero else 0):
        raise Unclear
    return amounts


def _scaled_e8(column: Any) -> Ints:
    kind = column.type
    if pa.types.is_decimal(kind):
        low, high = _words(_as_decimal(column, pa.decimal128(38, 8)))
        if high.any() or (low < 0).any():
            raise Unclear
        return low
    if pa.types.is_floating(kind):
        floats = column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
        if kind != pa.float64():
            raise Unclear
        with np.errstate(all="ignore"):
            scaled = np.rint(floats * _E8)
            # The division rounds correctly, so equal means: this decimal is written as this double.
            if not ((scaled >= 0) & (scaled < _EXACT_E8) & (scaled / _E8 == floats)).all():
                raise Unclear
        integers: Ints = scaled.astype(np.int64)
        return integers
    if pa.types.is_integer(kind):
        whole = _whole(column)
        if len(whole) and whole.max() > (2**63 - 1) // _E8:
            raise Unclear
        return whole * _E8
    raise Unclear


def _sums(column: Any | None, size: int, places: int) -> list[int]:
    """Return amounts as counts of 10**-``places``, as Python's integers: they may need more than 64 bits."""
    if column is None:
        return [0] * size
    column = _present(column)
    if not pa.types.is_decimal(column.type):
        factor: int = 10 ** (places - 8)
        return [amount * factor for amount in _amounts(column).tolist()]
    low, high = _words(_as_decimal(column, pa.decimal128(38, places)))
    if (high < 0).any():
        raise Unclear
    unsigned: list[int] = low.view(np.uint64).tolist()
    if not high.any():
        return unsigned
    return [word | (upper << 64) for word, upper in zip(unsigned, high.tolist(), strict=True)]


def _as_decimal(column: Any, kind: Any) -> Any:
    if column.type == kind:
        return column
    if isinstance(column.type, pa.Decimal128Type) and column.type.scale == kind.scale:
        return column
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        raise Unclear from None


def _words(column: Any) -> tuple[Ints, Ints]:
    """Return the lower and the upper 64 bits of decimals."""
    buffer = column.buffers()[1]
    words = np.frombuffer(buffer, dtype=np.int64)[2 * column.offset : 2 * (column.offset + len(column))]
    pairs = words.reshape(-1, 2)
    return np.ascontiguousarray(pairs[:, 0]), pairs[:, 1]


def _times(column: Any) -> Ints:
    column = _present(column)
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        try:
            micros = column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
        except pa.ArrowInvalid:
            raise Unclear from None
        times = micros.view(pa.int64()).to_numpy(zero_copy_only=False)
        return _in_range(times)
    numbers = _whole(column)
    if not len(numbers):
        return numbers
    for per_second, factor, divisor in _UNITS:
        if numbers.min() >= FIRST_S * per_second and numbers.max() < LAST_S * per_second:
            return numbers * factor // divisor if factor != divisor else numbers
    return _in_range(_mixed_times(numbers))


def _mixed_times(numbers: Ints) -> Ints:
    times = np.zeros_like(numbers)
    for per_second, factor, divisor in _UNITS:
        chosen = (numbers >= FIRST_S * per_second) & (numbers < LAST_S * per_second)
        times[chosen] = numbers[chosen] * factor // divisor
    return times


def _in_range(times: Ints) -> Ints:
    if len(times) and not (times.min() >= FIRST_S * 1_000_000 and times.max() < LAST_S * 1_000_000):
        raise Unclear
    return times


def _maker(layout: Layout, columns: Mapping[str, Any]) -> Bools:
    if "is_buyer_maker" in columns:
        return _bools(columns["is_buyer_maker"])
    column = _present(columns["side"])
    if pa.types.is_boolean(column.type):
        sold = _bools(column)
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        lower = pc.utf8_lower(column)
        sold = _bools(pc.is_in(lower, value_set=pa.array(["sell", "seller"], column.type)))
        bought = _bools(pc.is_in(lower, value_set=pa.array(["buy", "buyer"], column.type)))
        if not (sold ^ bought).all():
            raise Unclear
    else:
        raise Unclear
    return ~sold if layout.side_of_maker else sold


def _bools(column: Any) -> Bools:
    column = _present(column)
    if not pa.types.is_boolean(column.type):
        raise Unclear
    values: Bools = column.to_numpy(zero_copy_only=False)
    return values


def _truths(column: Any | None, size: int) -> list[bool]:
    return [True] * size if column is None else _bools(column).tolist()


def _sources(column: Any | None, size: int) -> list[CandleSource]:
    if column is None:
        return [CandleSource.KLINE] * size
    encoded = _present(column)
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    sources = [to_source(name) for name in encoded.dictionary.to_pylist()]
    return [sources[index] for index in encoded.indices.to_numpy(zero_copy_only=False).tolist()]


def _optional_ids(column: Any | None, size: int) -> list[int | None]:
    if column is None:
        return [None] * size
    column = _plain(column)
    if not pa.types.is_integer(column.type):
        raise Unclear
    found: list[int | None] = (
        column.to_pylist() if column.null_count else column.to_numpy(zero_copy_only=False).tolist()
    )
    if any(number is not None and number < 0 for number in found):
        raise Unclear
    return found

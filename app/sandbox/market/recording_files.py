"""
Reading recordings: what a file holds, as frames to be replayed or as candles of the past.

A file says by its first line what it is:

- a dump of combined-stream frames, ``<receive time> <json>`` a line, the time in nanoseconds, or ``<seconds>: <json>``;
- an archive CSV of trades (7 columns) or of klines (12 columns), the symbol taken from the file's name.

Each may be compressed (.gz, .zip). Lines of a dump that are no event of a stream (snapshots, comments, a cut last
line) are passed over; a CSV has no such lines.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from app.market.candle import Candle, CandleSource
from app.market.errors import UsageError
from app.market.interval import EXCHANGE_INTERVALS, Interval
from app.market.trade import Trade
from app.market.units import E8, parse_e8

_DUMP_LINE = re.compile(rb"([0-9]{10,20}(?:\.[0-9]{1,9})?):? ([{\[].*[}\]])\s*")
_DUMP_HEAD = re.compile(rb"wss?://\S+ <-> ")
_SYMBOL_IN_NAME = re.compile(r"([^\W_]{2,30})-")
_EVENT_TIME = re.compile(rb'"E":([0-9]{13,16})[,}]')
_FIRST_MICROSECONDS = 100_000_000_000_000
_NAME_EXAMPLE = "such as BTCUSDT-trades-2024-08-08.csv"
_TRADE_COLUMNS, _AGGREGATE_COLUMNS, _KLINE_COLUMNS = 7, 8, 12


class RecordedFrame(NamedTuple):
    """
    One event as it was recorded.

    ``receive_us`` paces the replay. ``time_us`` is the exchange's, None where the event carries none. ``payload`` is
    the raw event's JSON, None where it is to be written from ``trade``.
    """

    receive_us: int
    stream: str
    time_us: int | None
    payload: bytes | None
    trade: Trade | None


@dataclass(slots=True)
class RecordedFile:
    """What one file holds; frames in their order, klines by rising open time."""

    frames: list[RecordedFrame] = field(default_factory=list)
    klines: list[Candle] = field(default_factory=list)
    symbol: str = ""
    interval: Interval | None = None


class _TradeEvent(msgspec.Struct):
    E: int
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


class _AnyEvent(msgspec.Struct):
    s: str = ""
    e: str = ""


class _Wrapped(msgspec.Struct):
    data: msgspec.Raw
    stream: str = ""


_decode_trade = msgspec.json.Decoder(_TradeEvent).decode
_decode_wrapped = msgspec.json.Decoder(_Wrapped).decode
_decode_any = msgspec.json.Decoder(_AnyEvent).decode


def read_recording(path: Path) -> RecordedFile:
    """
    Return what the file holds.

    Raises:
        UsageError: If it cannot be read, or holds nothing that can be replayed.
    """
    try:
        with _opened(path) as file:
            recorded = _read(path, file)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        reason = "is damaged" if path.exists() else "does not exist"
        if isinstance(error, PermissionError):
            reason = "may not be read"
        raise UsageError(f"The recording {path} {reason}: name another file.") from error
    if not recorded.frames and not recorded.klines:
        raise _unknown(path)
    return recorded


def as_time_us(time: int) -> int:
    """Return a recorded time, in milliseconds or microseconds, as UTC microseconds."""
    return time if time >= _FIRST_MICROSECONDS else time * 1000


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return io.BufferedReader(gzip.GzipFile(path))
    if path.suffix == ".zip":
        archive = zipfile.ZipFile(path)
        names = archive.namelist()
        if len(names) != 1:
            raise UsageError(f"The archive {path} holds {len(names)} files: give it with the one CSV of Binance's.")
        return io.BytesIO(archive.read(names[0]))
    return path.open("rb")


def _read(path: Path, file: IO[bytes]) -> RecordedFile:
    first = file.readline()
    lines = _chained(first, file)
    if _DUMP_LINE.fullmatch(first) or _DUMP_HEAD.match(first):
        return RecordedFile(frames=list(_dump_frames(lines)))
    columns = first.count(b",") + 1
    if columns == _AGGREGATE_COLUMNS:
        raise UsageError(f"{path} holds aggregated trades: give the archive's trades file of the same day instead.")
    if columns not in (_TRADE_COLUMNS, _KLINE_COLUMNS):
        raise _unknown(path)
    name = _SYMBOL_IN_NAME.match(path.name)
    if name is None:
        raise UsageError(f"{path} does not say its symbol: name it as Binance does, {_NAME_EXAMPLE}.")
    symbol = name[1].upper()
    rows = _csv_rows(path, lines, columns)
    try:
        if columns == _TRADE_COLUMNS:
            return RecordedFile(frames=[_trade_frame(symbol, row) for row in rows], symbol=symbol)
        klines = sorted(_kline(row) for row in rows)
        return RecordedFile(klines=klines, symbol=symbol, interval=_interval_of(path, klines))
    except ValueError as error:
        raise UsageError(f"{path} has a row that is neither a trade nor a kline: name another file.") from error


def _chained(first: bytes, file: IO[bytes]) -> Iterator[bytes]:
    yield first
    yield from file


def _dump_frames(lines: Iterator[bytes]) -> Iterator[RecordedFrame]:
    newest_us = 0
    for line in lines:
        match = _DUMP_LINE.fullmatch(line)
        if match is None:
            continue
        event = _event(match[2])
        if event is None:
            continue
        # A recorder's clock may step back; its order of lines is the order of receipt.
        newest_us = max(newest_us, _receive_us(match[1]))
        stream, payload = event
        frame = _frame(newest_us, stream, payload)
        if frame is not None:
            yield frame


def _receive_us(text: bytes) -> int:
    if b"." in text:
        return int(float(text) * 1e6)
    return int(text) // 1000 if len(text) > 16 else as_time_us(int(text))


def _event(text: bytes) -> tuple[str, bytes] | None:
    """Return stream and raw event of a frame, wrapped or not; None where it is neither."""
    try:
        if text.startswith(b'{"stream":'):
            wrapped = _decode_wrapped(text)
            return wrapped.stream, bytes(wrapped.data)
        event = _decode_any(text)
    except msgspec.DecodeError:
        return None
    return (f"{event.s.lower()}@{event.e}", text) if event.s and event.e else None


def _frame(receive_us: int, stream: str, payload: bytes) -> RecordedFrame | None:
    if stream.endswith("@trade"):
        try:
            event = _decode_trade(payload)
            price, quantity = parse_e8(event.p), parse_e8(event.q)
        except (msgspec.DecodeError, ValueError):
            return None
        trade = Trade(event.s, event.t, as_time_us(event.T), price, quantity, event.m)
        return RecordedFrame(receive_us, stream, as_time_us(event.E), payload, trade)
    found = _EVENT_TIME.search(payload)
    return RecordedFrame(receive_us, stream, as_time_us(int(found[1])) if found else None, payload, None)


def _csv_rows(path: Path, lines: Iterator[bytes], columns: int) -> Iterator[list[str]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (number == 1 and not line[:1].isdigit()):
            continue
        row = line.decode("ascii", "replace").strip().split(",")
        if len(row) != columns:
            raise UsageError(f"The recording {path} is cut or damaged in line {number}: get it again.")
        yield row


def _trade_frame(symbol: str, row: list[str]) -> RecordedFrame:
    time_us = as_time_us(int(row[4]))
    maker = row[5].lower() == "true"
    trade = Trade(symbol, int(row[0]), time_us, parse_e8(row[1]), parse_e8(row[2]), maker)
    return RecordedFrame(time_us, f"{symbol.lower()}@trade", time_us, None, trade)


def _kline(row: list[str]) -> Candle:
    return Candle(
        open_time_us=as_time_us(int(row[0])),
        open_e8=parse_e8(row[1]),
        high_e8=parse_e8(row[2]),
        low_e8=parse_e8(row[3]),
        close_e8=parse_e8(row[4]),
        volume_e8=parse_e8(row[5]),
        quote_volume_e16=parse_e8(row[7]) * E8,
        trades=int(row[8]),
        taker_buy_volume_e8=parse_e8(row[9]),
        taker_buy_quote_volume_e16=parse_e8(row[10]) * E8,
        source=CandleSource.KLINE,
    )


def _interval_of(path: Path, klines: list[Candle]) -> Interval:
    """Return the exchange's interval that these klines have: named in the file's name, or their smallest distance."""
    for interval in EXCHANGE_INTERVALS:
        if f"-{interval.name}-" in path.name or f"-{interval.name}." in path.name:
            return interval
    distances = {later.open_time_us - earlier.open_time_us for earlier, later in pairwise(klines)}
    for interval in EXCHANGE_INTERVALS:
        if interval.length_us in distances:
            return interval
    raise UsageError(f"{path} does not say its interval: name it as Binance does, such as BTCUSDT-1m-2024-08.csv.")


def _unknown(path: Path) -> UsageError:
    return UsageError(
        f"{path} is no recording: give a dump of stream frames, or an archive CSV of trades or klines (also .gz, .zip)."
    )

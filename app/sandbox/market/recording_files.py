"""
Readers of recordings: the content of a file as frames to replay, or as klines of the past.

The first line of a file shows its format:

- a dump of frames, ``<receive time in nanoseconds> <json>`` or ``<seconds>: <json>`` per line;
- a CSV of Binance's archive with trades (7 columns) or klines (12 columns), whose symbol is in the file's name.

Each may be compressed (.gz, .zip). Lines of a dump that are not an event of a stream (snapshots, comments, a cut last
line) are skipped. A CSV has no such lines, so there a bad one is an error.
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
# Milliseconds reach this number in the year 5138; microseconds passed it in 1973.
_FIRST_MICROSECONDS = 100_000_000_000_000
_NAME_EXAMPLE = "such as BTCUSDT-trades-2024-08-08.csv"
_TRADE_COLUMNS, _AGGREGATE_COLUMNS, _KLINE_COLUMNS = 7, 8, 12


class RecordedFrame(NamedTuple):
    """
    One recorded event.

    ``receive_us`` (UTC microseconds) paces the replay. ``time_us`` is the exchange's, None if the event has none.
    ``payload`` is the JSON of the raw event, None if it must be encoded from ``trade``.
    """

    receive_us: int
    stream: str
    time_us: int | None
    payload: bytes | None
    trade: Trade | None


@dataclass(slots=True)
class RecordedFile:
    """The content of one file: frames in order of receipt, or klines of ``interval`` in order of their open times."""

    frames: list[RecordedFrame] = field(default_factory=list)
    klines: list[Candle] = field(default_factory=list)
    symbol: str = ""
    interval: Interval | None = None


class _RecordedTrade(msgspec.Struct):
    E: int
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


class _EventHead(msgspec.Struct):
    s: str = ""
    e: str = ""


class _CombinedFrame(msgspec.Struct):
    data: msgspec.Raw
    stream: str = ""


_decode_trade = msgspec.json.Decoder(_RecordedTrade).decode
_decode_combined = msgspec.json.Decoder(_CombinedFrame).decode
_decode_head = msgspec.json.Decoder(_EventHead).decode


def read_recording(path: Path) -> RecordedFile:
    """
    Return the content of a recording.

    Raises:
        UsageError: If it cannot be read or has nothing to replay.
    """
    try:
        with _open(path) as file:
            recorded = _read(path, file)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        reason = "is damaged" if path.exists() else "does not exist"
        if isinstance(error, PermissionError):
            reason = "may not be read"
        raise UsageError(f"The recording {path} {reason}: name another file.") from error
    if not recorded.frames and not recorded.klines:
        raise _not_a_recording(path)
    return recorded


def as_time_us(time: int) -> int:
    """Return a recorded time, given in milliseconds or microseconds, as UTC microseconds."""
    return time if time >= _FIRST_MICROSECONDS else time * 1000


def _open(path: Path) -> IO[bytes]:
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
        raise _not_a_recording(path)
    name = _SYMBOL_IN_NAME.match(path.name)
    if name is None:
        raise UsageError(f"{path} does not say its symbol: name it as Binance does, {_NAME_EXAMPLE}.")
    symbol = name[1].upper()
    rows = _csv_rows(path, lines, columns)
    try:
        if columns == _TRADE_COLUMNS:
            return RecordedFile(frames=[_trade_frame(symbol, row) for row in rows], symbol=symbol)
        klines = sorted(_kline(row) for row in rows)
        return RecordedFile(klines=klines, symbol=symbol, interval=_kline_interval(path, klines))
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
        # A recorder's clock may step back, but the order of its lines is the order of receipt.
        newest_us = max(newest_us, _receive_us(match[1]))
        stream, payload = event
        frame = _frame(newest_us, stream, payload)
        if frame is not None:
            yield frame


def _receive_us(text: bytes) -> int:
    if b"." in text:
        return int(float(text) * 1e6)
    # Nanoseconds have 19 digits, microseconds 16, milliseconds 13.
    return int(text) // 1000 if len(text) > 16 else as_time_us(int(text))


def _event(text: bytes) -> tuple[str, bytes] | None:
    """Return the stream and the raw event of a frame of ``/stream`` or ``/ws``; None if it is neither."""
    try:
        if text.startswith(b'{"stream":'):
            combined = _decode_combined(text)
            return combined.stream, bytes(combined.data)
        event = _decode_head(text)
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
        # Some archives begin with a line of column names.
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


def _kline_interval(path: Path, klines: list[Candle]) -> Interval:
    """Return the interval of klines: the one in the file's name, or the shortest distance between their open times."""
    for interval in EXCHANGE_INTERVALS:
        if f"-{interval.name}-" in path.name or f"-{interval.name}." in path.name:
            return interval
    distances = {later.open_time_us - earlier.open_time_us for earlier, later in pairwise(klines)}
    for interval in EXCHANGE_INTERVALS:
        if interval.length_us in distances:
            return interval
    raise UsageError(f"{path} does not say its interval: name it as Binance does, such as BTCUSDT-1m-2024-08.csv.")


def _not_a_recording(path: Path) -> UsageError:
    return UsageError(
        f"{path} is no recording: give a dump of stream frames, or an archive CSV of trades or klines (also .gz, .zip)."
    )

"""
Any mix of good and bad rows, cut into any blocks, gives the rows that a slow and obvious reader gives.

The slow reader is Python's csv module, a line at a time, with exact fractions.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.ports.row_files import CandleBatch, ReadingOptions, TradeBatch
from storage.files.readers.formats.csv_file import CsvFile, csv_head
from storage.files.readers.head import understand
from storage.files.readers.names import NameFacts

OPTIONS = ReadingOptions(symbol="BTCUSDT", interval=Interval.parse("1m"))
NAMES = "trade_id,time,price,quantity,is_buyer_maker,note"
GOOD = "1,1723161255342,1.5,2,true,x"
NUMBER = re.compile(r"(-(?=0*\.?0*$)|\+)?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
UNIT_US = {10: Fraction(1_000_000), 13: Fraction(1000), 16: Fraction(1), 19: Fraction(1, 1000)}
TRUE, FALSE = {"true", "t", "yes", "y", "1"}, {"false", "f", "no", "n", "0"}


class Bytes(NamedTuple):
    """A text in memory, in pieces of one size; a `ByteSource`."""

    data: bytes
    piece: int
    path: Path = Path("x.csv")
    name: str = "x.csv"

    def blocks(self) -> Iterator[bytes]:
        for begin in range(0, len(self.data), self.piece):
            yield self.data[begin : begin + self.piece]

    def progress(self) -> float:
        return 0.0

    def verify(self) -> None:
        pass


def fraction(text: str) -> Fraction | None:
    text = text.strip(" \t")
    return Fraction(text) if NUMBER.fullmatch(text) else None


def amount(text: str) -> int | None:
    number = fraction(text)
    scaled = None if number is None else number * 10**8
    return int(scaled) if scaled is not None and scaled.denominator == 1 and 0 <= scaled < 2**63 else None


def whole(text: str) -> int | None:
    number = fraction(text)
    return int(number) if number is not None and number.denominator == 1 and 0 <= number < 2**63 else None


def time_us(text: str) -> int | None:
    number = fraction(text)
    if number is None:
        return None
    for digits, factor in UNIT_US.items():
        scale = 10 ** (digits - 10)
        if 946_684_800 * scale <= number < 4_102_444_800 * scale:
            return int(number * factor // 1)
    return None


def truth(text: str) -> bool | None:
    word = text.strip().lower()
    return True if word in TRUE else False if word in FALSE else None


def slow_trades(text: str) -> tuple[list[tuple[object, ...]], list[int]]:
    """Return the good trades with their numbers, and the numbers of the refused rows."""
    good, refused = [], []
    lines = [line.strip("\r") for line in text.split("\n")]
    for number, line in enumerate([line for line in lines if line.strip()], 1):
        try:
            cells = next(csv.reader([line]), [])
        except csv.Error:
            cells = []
        values: list[object] = [None]
        if len(cells) == 6:
            values = [whole(cells[0]), time_us(cells[1]), amount(cells[2]) or None, amount(cells[3]), truth(cells[4])]
        if None in values:
            refused.append(number)
        else:
            good.append((number, *values))
    return good, refused


def read_trades(text: str, piece: int, block: int, smallest: int) -> tuple[list[tuple[object, ...]], list[int]]:
    source = Bytes(f"{NAMES}\n{text}".encode(), piece)
    head, dialect = csv_head(source)
    file = CsvFile(source, dialect, understand(head, NameFacts(), OPTIONS), block_bytes=block, smallest_piece=smallest)
    good, refused, rows = [], [], 0
    for batch in file.batches():
        assert isinstance(batch, TradeBatch)
        assert batch.numbers is not None
        columns = (
            batch.numbers,
            batch.trade_id,
            batch.time_us,
            batch.price_e8,
            batch.quantity_e8,
            batch.is_buyer_maker,
        )
        good += list(zip(*(column.tolist() for column in columns), strict=True))
        refused += [row.number for row in batch.refused]
        rows += batch.rows
    assert rows == len(good) + len(refused)
    return good, refused


numbers = st.one_of(
    st.integers(0, 2**64).map(str),
    st.decimals(0, 10**12, allow_nan=False, places=8).map(str),
    st.decimals(-5, 10**6, allow_nan=False, places=9).map(str),
    st.sampled_from(
        "0 -0 -0.0 +5 .5 5. 1e3 6.1e-06 1E-8 1e-9 1e400 0x1F 1_000 007 nan inf NA null -1 1,5 １２ 1.50000000".split()
    ),
    st.sampled_from(["", " 7", "7 ", '"7"', '" 7"', '""', "\t7", "1 000", "1.2.3", "--1", "9223372036854775807.5"]),
)
times = st.one_of(
    st.integers(946_684_800, 4_102_444_799).flatmap(
        lambda second: st.sampled_from([str(second * scale) for scale in (1, 10**3, 10**6, 10**9)])
    ),
    st.sampled_from(
        ["1723161255.5", "1723161255342.25", "0", "99999999999", "1e9", "", "17231612553421", " 1723161255342"]
    ),
)
makers = st.sampled_from(
    ["true", "False", "TRUE", "1", "0", "t", "f", "yes", "", "maybe", " true", "2", '"true"', "tRUE"]
)
notes = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0\x1c\x1d\x1e\x85\u2028\u2029"), max_size=8)
good_row = st.builds(
    lambda number, time, price, quantity, maker: f"{number},{time},{price},{quantity},{maker},",
    st.integers(0, 2**40),
    st.integers(1_500_000_000_000, 1_900_000_000_000),
    st.decimals("0.00000001", 10**6, places=8).map(lambda number: f"{number:f}"),
    st.decimals(0, 10**6, places=8).map(lambda number: f"{number:f}"),
    st.sampled_from(["True", "False"]),
)
mixed_row = st.builds(lambda *cells: ",".join(cells), numbers, times, numbers, numbers, makers, notes)
any_row = st.one_of(
    good_row, good_row, good_row, mixed_row, notes, st.sampled_from(["", ",,,,,", "1,2", GOOD + ",more"])
)
ends = st.sampled_from(["\n", "\r\n", "\n\n"])


@given(
    st.lists(st.tuples(any_row, ends), max_size=15),
    st.booleans(),
    st.integers(1, 3000),
    st.integers(1, 2000),
    st.integers(1, 400),
)
@example(
    [('1,1723161255342,1,1,true,"', "\n"), (GOOD, "\n"), ('2,1723161255342,1,1,true,"', "\n")], True, 999, 999, 999
)
@example([("1,1723161255342,1,1,true,a\rb", "\n"), (GOOD, "\n")], True, 999, 999, 999)
def test_any_mix_of_rows_in_any_blocks(
    lines: list[tuple[str, str]], is_ended: bool, piece: int, block: int, smallest: int
) -> None:
    text = f"{GOOD}\n" + "".join(line + end for line, end in lines)
    text = text if is_ended else text.rstrip("\r\n")
    assert read_trades(text, piece, block, smallest) == slow_trades(text)


prices = st.integers(1, 10**14)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6),
            prices,
            prices,
            prices,
            prices,
            st.integers(0, 10**15),
            st.integers(0, 10**30),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(50, 2000),
)
def test_any_candles_to_the_digit(rows: list[tuple[int, ...]], block: int) -> None:
    expected, refused, lines = [], [], ["open_time,open,high,low,close,volume,quote_volume,first_trade_id"]
    for number, (minute, open_, high, low, close, volume, quote, has_id) in enumerate(rows, 1):
        fields = [Fraction(price, 10**8) for price in (open_, high, low, close, volume)]
        shown = [f"{field.numerator * (10**8 // field.denominator):09d}" for field in fields]
        quoted = f"{quote:017d}"
        lines.append(
            ",".join(
                [
                    str(1_700_000_040_000 + minute * 60_000),
                    *(f"{text[:-8]}.{text[-8:]}" for text in shown),
                    f"{quoted[:-16]}.{quoted[-16:]}",
                    str(number) if has_id else "",
                ]
            )
        )
        if low <= min(open_, close) and high >= max(open_, close):
            open_us = 1_700_000_040_000_000 + minute * 60_000_000
            expected.append((open_us, open_, high, low, close, volume, quote, number if has_id else None))
        else:
            refused.append(number)
    source = Bytes("\n".join(lines).encode(), 700)
    head, dialect = csv_head(source)
    file = CsvFile(source, dialect, understand(head, NameFacts(), OPTIONS), block_bytes=block, smallest_piece=100)
    found: list[Candle] = []
    numbers: list[int] = []
    for batch in file.batches():
        assert isinstance(batch, CandleBatch)
        found += batch.candles
        numbers += [row.number for row in batch.refused]
    assert [(*candle[:7], candle.first_trade_id) for candle in found] == expected
    assert numbers == refused

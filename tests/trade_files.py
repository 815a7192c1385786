"""Any trades, and trades as an exported file, for tests that bring them through files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from hypothesis import strategies as st

from app.market.columns.wide_decimals import decimal_array
from app.market.file_columns import RowsOf
from app.market.file_format import FileFormat, FileLayout
from app.market.trade import Trade
from storage.files.arrangement import trade_schema
from storage.files.export_file import rows_file
from storage.files.target import NewFile

FIRST_US, LAST_US = 946_684_800_000_000, 4_102_444_799_999_999  # the years 2000 to 2099
MOST = 2**63 - 1
FIFTEEN_DIGITS = 10**15 - 1
ZONES = ["UTC", "America/New_York", "Asia/Kathmandu"]


def amounts(most: int = MOST) -> st.SearchStrategy[int]:
    """Return counts of 1e-8 from 1 on, of all lengths."""
    return st.one_of(st.integers(1, most), st.integers(1, 999), st.sampled_from([1, 10**8, most]))


def any_trades(*, most: int = MOST, step_us: int = 1) -> st.SearchStrategy[list[Trade]]:
    """Return trades with ids of any length, in milliseconds and, if ``step_us`` is 1, in microseconds."""
    micros = st.integers(FIRST_US, LAST_US).map(lambda time_us: time_us // step_us * step_us)
    times = st.one_of(micros, micros.map(lambda time_us: time_us // 1_000 * 1_000), st.just(FIRST_US))
    ids = st.one_of(st.integers(0, 2**63 - 2), st.sampled_from([0, 2**53, 2**53 + 1, 2**63 - 2]))
    trade = st.builds(Trade, st.just("BTCUSDT"), ids, times, amounts(most), amounts(most), st.booleans())
    return st.lists(trade, min_size=1, max_size=20)


def write_trades(
    trades: Sequence[Trade],
    path: Path,
    file_format: FileFormat,
    layout: FileLayout = FileLayout(),  # noqa: B008, because the default is a tuple, which nobody can change
) -> Path:
    """Write the trades of one symbol into a file, as an export does, some at a time, and return the path."""
    schema = trade_schema()
    file = rows_file(NewFile(path.parent, path.name), file_format, layout, RowsOf.TRADES)
    for start in range(0, len(trades), 3):
        symbols, ids, times, prices, quantities, makers = map(list, zip(*trades[start : start + 3], strict=True))
        columns = [pa.array(symbols), pa.array(ids), pa.array(times, schema.field(2).type)]
        columns += [decimal_array(counts, schema.field(3).type) for counts in (prices, quantities)]
        file.write(pa.RecordBatch.from_arrays([*columns, pa.array(makers)], schema=schema))
    file.finish(path.name, {"symbol": trades[0].symbol, "interval": "trades", "zone": layout.zone})
    return path

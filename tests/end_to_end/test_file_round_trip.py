"""Any trades that are stored come back from a file of any format into another database: rows, ids and candles."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.live.transfers.import_report import ImportReport
from app.live.transfers.imports import FileImport, ImportSource
from app.live.transfers.trade_transfer import TradeTransfer
from app.market.export_plan import RowsRequest
from app.market.file_columns import RowsOf
from app.market.file_format import FileFormat, FileLayout
from app.market.ports.row_files import ReadingOptions
from app.market.trade import Trade
from storage.database import Database
from storage.files.export_file import rows_file
from storage.files.readers.open_rows import open_rows
from storage.files.target import NewFile
from storage.integrity.verify import verify
from storage.postgres.connection import connect
from tests.depth import examples
from tests.servers import EMBEDDED, shared_server
from tests.tables import our_tables
from tests.trade_files import FIFTEEN_DIGITS, LAST_US, MOST, amounts

DECADE_US = 3_650 * 86_400 * 1_000_000
NUMBERS = itertools.count(1)


class Databases(NamedTuple):
    source: Database
    target: Database


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    with ExitStack() as ending:
        opened = []
        for name in Databases._fields:
            url = ending.enter_context(our_tables(shared_server(EMBEDDED)))
            opened.append(Database.open(url, tmp_path_factory.mktemp(name)))
            ending.callback(opened[-1].close)
        yield Databases(*opened)


@st.composite
def markets(draw: st.DrawFn) -> tuple[FileFormat, list[Trade]]:
    """Trades of one symbol by rising ids with gaps, over years or within a second, and a format for them."""
    file_format = draw(st.sampled_from(FileFormat))
    most = FIFTEEN_DIGITS if file_format is FileFormat.XLSX else MOST
    step_us = draw(st.sampled_from([1, 1_000]))
    symbol, trades = f"F{next(NUMBERS)}USDT", list[Trade]()
    trade_id = draw(st.sampled_from([0, 1, 3_735_683_259, 2**53, 2**63 - 2 - 40]))
    span_us = draw(st.sampled_from([10**6, 10**10, DECADE_US]))
    times = st.integers(0, span_us).map(lambda after_us: (LAST_US - after_us) // step_us * step_us)
    for time_us in sorted(draw(st.lists(times, min_size=1, max_size=20))):
        row = (draw(amounts(most)), draw(amounts(most)), draw(st.booleans()))
        trades.append(Trade(symbol, trade_id, time_us, *row))
        trade_id += draw(st.sampled_from([1, 1, 2]))
    return file_format, trades


def exported(database: Database, symbol: str, path: Path, file_format: FileFormat) -> None:
    async def run() -> None:
        transfer = TradeTransfer(RowsRequest(symbol, RowsOf.TRADES, None, None), database.store)
        await transfer.count()
        file = rows_file(NewFile(path.parent, path.name), file_format, FileLayout(), RowsOf.TRADES)
        await transfer.run(file, "1", lambda *_: path.name)

    asyncio.run(run())


def imported(database: Database, path: Path) -> ImportReport:
    with closing(database.bulk_loader()) as loader:
        return FileImport([ImportSource(path, ReadingOptions())], open_rows, loader).run()


@given(drawn=markets())
@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_trades_come_back_from_a_file_of_any_format(
    databases: Databases, tmp_path: Path, drawn: tuple[FileFormat, list[Trade]]
) -> None:
    file_format, trades = drawn
    symbol, source, target = trades[0].symbol, databases.source.store, databases.target.store
    assert databases.source.writer.put(trades)
    assert databases.source.writer.drain(30.0)
    path = tmp_path / f"export.{file_format}"
    exported(databases.source, symbol, path, file_format)
    report = imported(databases.target, path)
    missing = trades[-1].trade_id - trades[0].trade_id + 1 - len(trades)
    assert [report.total(one) for one in ("read", "stored", "refused", "missing")] == [*[len(trades)] * 2, 0, missing]
    step_us = 1_000 if file_format is FileFormat.XLSX else 1  # a sheet's times never move to the millisecond after
    assert source.trades(symbol, 0, MOST) == trades
    expected = [one._replace(time_us=one.time_us // step_us * step_us) for one in trades]
    assert target.trades(symbol, 0, MOST) == expected
    assert target.coverage(symbol) == source.coverage(symbol)
    with connect(databases.target.url) as connection:
        assert not verify(connection).totals
    for database in databases:
        assert imported(database, path).total("held") == len(trades)

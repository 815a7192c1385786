"""Quotes written to a file of any format are read from it as they were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.live.transfers.quotes.quote_report import QuoteReport
from app.live.transfers.quotes.quote_rows import collected_ticks
from app.market.columns.quote_columns import quote_rows
from app.market.export_plan import RowsRequest
from app.market.file_columns import RowsOf
from app.market.file_format import FileFormat, FileLayout
from app.market.ports.row_files import ReadingOptions, RefusedFile, RowKind
from app.market.quotes.tick import Tick
from storage.files.export_file import rows_file
from storage.files.readers.open_rows import open_rows
from storage.files.target import NewFile
from tests.depth import examples, mostly_deep
from tests.tick_candles import with_places

SYMBOL = "oanda:EURUSD"
START_US = 1_549_238_400_000_000
amounts = st.integers(1, 10**15)
ticks = st.lists(
    st.tuples(st.integers(0, 2_000_000), amounts, amounts, st.integers(0, 10**14), st.integers(0, 10**14)),
    min_size=1,
    max_size=12,
)


def placed(rows: Sequence[tuple[int, ...]]) -> list[Tick]:
    """Return rows of steps, prices and sizes as ticks."""
    times = START_US + np.cumsum([step for step, *_ in rows])
    return list(
        with_places(Tick(SYMBOL, time_us, 0, *row[1:]) for time_us, row in zip(times.tolist(), rows, strict=True))
    )


def write(path: Path, file_format: FileFormat, zone: str, pages: Sequence[Sequence[Tick]]) -> None:
    file = rows_file(NewFile(path.parent, path.name), file_format, FileLayout(zone=zone), RowsOf.QUOTES)
    for page in pages:
        file.write(quote_rows(page))
    report = QuoteReport(RowsRequest(SYMBOL, RowsOf.QUOTES), sum(map(len, pages)), None, [])
    file.finish(path.name, report.facts("1"))


def read(path: Path) -> list[Tick]:
    (file,) = open_rows(path, ReadingOptions())
    assert not isinstance(file, RefusedFile), file
    assert file.kind is RowKind.QUOTES
    found = list(collected_ticks(file.batches()))  # type: ignore[arg-type]  # because all are of quotes
    assert not [row for one in found for row in one.unread]
    return [tick for one in found for tick in one.ticks]


@given(ticks, st.sampled_from(FileFormat), st.sampled_from(["UTC", "Europe/Berlin"]))
@settings(max_examples=examples(60), deadline=None)
def test_every_format_keeps_quotes_to_the_digit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, ...]], file_format: FileFormat, zone: str
) -> None:
    path = tmp_path_factory.mktemp("quotes") / f"oanda-EURUSD-quotes.{file_format}"
    expected = placed(rows)
    write(path, file_format, zone, [expected])
    found = read(path)
    if file_format is FileFormat.XLSX:  # its numbers are doubles
        assert [tick[:3] for tick in found] == [tick[:3] for tick in expected]
    else:
        assert found == expected


LARGE = [FileFormat.CSV_GZ, FileFormat.PARQUET, FileFormat.FEATHER, FileFormat.JSONL]


@pytest.mark.parametrize("file_format", mostly_deep(LARGE, LARGE[:3]))
def test_a_hundred_thousand_quotes(tmp_path: Path, file_format: FileFormat) -> None:
    dice = np.random.default_rng(1)
    steps = dice.choice([0, 1_000, 250_000], 100_000)
    bids = dice.integers(10**8, 2 * 10**8, 100_000)
    sizes = dice.integers(0, 10**10, 100_000)
    expected = placed(np.column_stack((steps, bids, bids + 1_000, sizes, sizes)).tolist())
    path = tmp_path / f"oanda-EURUSD-quotes.{file_format}"
    write(path, file_format, "UTC", [expected[start : start + 10_000] for start in range(0, 100_000, 10_000)])
    assert read(path) == expected

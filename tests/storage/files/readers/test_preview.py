"""A person sees ten rows of a file and how it is understood, also where it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions, RowKind
from storage.files.readers.preview import MAPPABLE_COLUMNS, preview


def test_a_file_that_is_understood_shows_what_its_columns_are(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text(
        "time,open,high,low,close,Volume\n" + "".join(f"{1723161240 + 60 * n},1,2,1,2,5\n" for n in range(99))
    )
    seen = preview(path)
    assert (seen.kind, seen.symbol, seen.interval, seen.problem) == (RowKind.CANDLES, "BTCUSDT", "1m", "")
    assert seen.header == ("time", "open", "high", "low", "close", "Volume")
    assert seen.columns["open_time"] == "time"
    assert seen.columns["volume"] == "Volume"
    assert len(seen.rows) == 10
    assert seen.rows[1] == ("1723161300", "1", "2", "1", "2", "5")


def test_a_file_that_is_not_understood_shows_its_rows_and_why(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_text("nr,when,kurs,menge,seite\n1,2024-08-08T00:00:00Z,5.5,2,sell\n")
    seen = preview(path)
    assert seen.header == ("nr", "when", "kurs", "menge", "seite")
    assert seen.rows == (("1", "2024-08-08T00:00:00Z", "5.5", "2", "sell"),)
    assert "say which is what with --map" in seen.problem
    own = {"trade_id": "nr", "time": "when", "price": "kurs", "quantity": "menge", "side": "seite"}
    mapped = preview(path, ReadingOptions(columns=own))
    assert (mapped.problem, mapped.columns, mapped.kind) == ("", own, RowKind.TRADES)


def test_columns_without_a_header_are_numbered_from_one(tmp_path: Path) -> None:
    path = tmp_path / "ETHUSDT-1m.csv"
    path.write_text("1723161240,1,2,1,2,5\n1723161300,1,2,1,2,5\n")
    seen = preview(path)
    assert seen.header == ("1", "2", "3", "4", "5", "6")
    assert (seen.columns["open_time"], seen.recognised_by) == ("1", "ccxt")


def test_a_file_that_cannot_be_read_has_no_preview(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        preview(tmp_path / "none.csv")


@pytest.mark.parametrize("name", ["ws_raw/examples_spot_btcusdt_20240808.gz", "trades/nautilus_btcusdt-trades.parquet"])
def test_recordings_and_typed_files_have_one_too(shared_data: Callable[[str], Path], name: str) -> None:
    seen = preview(shared_data(name), rows=3)
    assert (seen.kind, len(seen.rows), seen.problem) == (RowKind.TRADES, 3, "")
    assert set(seen.columns) <= set(MAPPABLE_COLUMNS[RowKind.TRADES])

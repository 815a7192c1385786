"""Other programs open what is meant for them: pandas, DuckDB, and what freqtrade and backtesting.py ask of a file."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from app.market.columns.candle_columns import columns_of
from app.market.file_format import FileFormat, FileLayout, Preset, freqtrade_name
from app.market.interval import Interval
from app.market.trade import Trade
from storage.files.export_file import rows_file
from storage.files.target import NewFile
from tests.live.helpers import START_US
from tests.storage.files.test_export_file import EPOCH, FACTS, MINUTE, some_candles
from tests.trade_files import write_trades

CLOSES = [61837.0, 61837.0, 61837.0]
OPENS = [61837.63000001, 61837.0, 61837.63000001]


def written(path: Path, file_format: FileFormat, preset: Preset = Preset.DEFAULT) -> Path:
    file = rows_file(NewFile(path.parent, path.name), file_format, FileLayout(preset), MINUTE)
    file.write(columns_of(some_candles()))
    file.finish(path.name, FACTS)
    return path


def test_freqtrade_reads_its_feather_and_json_files(tmp_path: Path) -> None:
    """As freqtrade's FeatherDataHandler and JsonDataHandler do in ``_ohlcv_load``."""
    columns = ["date", "open", "high", "low", "close", "volume"]
    feather = written(
        tmp_path / freqtrade_name("ETHUSDT", MINUTE, FileFormat.FEATHER), FileFormat.FEATHER, Preset.FREQTRADE
    )
    assert feather.name == "ETH_USDT-1m.feather"
    stored = pd.read_feather(feather)
    assert list(stored.columns) == columns
    assert str(stored["date"].dtype) in ("datetime64[us, UTC]", "datetime64[ms, UTC]", "datetime64[ns, UTC]")
    assert {str(kind) for kind in stored.dtypes[1:]} == {"float64"}
    text = written(tmp_path / "ETH_USDT-1m.json", FileFormat.JSON, Preset.FREQTRADE)
    loaded = pd.read_json(text, orient="values")
    loaded.columns = columns
    loaded = loaded.astype(dtype=dict.fromkeys(columns[1:], "float"))
    for frame in (stored, loaded):
        frame["date"] = pd.to_datetime(frame["date"], unit="ms", utc=True)
        assert frame["date"].tolist() == list(pd.date_range("2024-08-09", periods=3, freq="min", tz="UTC"))
        assert (frame["open"].tolist(), frame["close"].tolist()) == (OPENS, CLOSES)


def test_freqtrade_s_names_of_files() -> None:
    month = Interval.parse("1M")
    assert freqtrade_name("BTCUSDT", month, FileFormat.FEATHER) == "BTC_USDT-1Mo.feather"
    assert freqtrade_name("ADABTC", MINUTE, FileFormat.JSON) == "ADA_BTC-1m.json"
    assert freqtrade_name("oanda:EURJPY", MINUTE, FileFormat.JSON) == "EUR_JPY-1m.json"  # no file may have a colon
    assert freqtrade_name("oanda:SPX500USD", MINUTE, FileFormat.JSON) == "oanda-SPX500USD-1m.json"
    assert freqtrade_name("WBTCUSDT", MINUTE, FileFormat.JSON, ("WBTC", "USDT")) == "WBTC_USDT-1m.json"


@pytest.mark.parametrize("file_format", [FileFormat.PARQUET, FileFormat.FEATHER, FileFormat.CSV, FileFormat.XLSX])
def test_backtesting_gets_a_frame_with_a_time_index(tmp_path: Path, file_format: FileFormat) -> None:
    path = written(tmp_path / f"a.{file_format}", file_format, Preset.VECTORBT)
    if file_format is FileFormat.CSV:
        frame = pd.read_csv(path, index_col=0, parse_dates=True)
    elif file_format is FileFormat.XLSX:
        frame = pd.read_excel(path, index_col=0, engine="openpyxl")
    else:
        frame = (pd.read_parquet if file_format is FileFormat.PARQUET else pd.read_feather)(path)
    assert list(frame.columns) == ["Open", "High", "Low", "Close", "Volume"]
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert frame["Open"].tolist() == pytest.approx(OPENS, rel=1e-14)
    assert {str(kind) for kind in frame.dtypes} <= {"float64", "int64"}


def test_duckdb_reads_decimals_times_and_facts(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", FileFormat.PARQUET)
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        kinds = dict(session.execute(f"SELECT column_name, column_type FROM (DESCRIBE FROM '{path}')").fetchall())
        assert (kinds["open"], kinds["quote_volume"]) == ("DECIMAL(20,8)", "DECIMAL(38,16)")
        assert kinds["open_time"] == "TIMESTAMP WITH TIME ZONE"
        assert session.execute(f"SELECT sum(open), count(*) FROM '{path}' WHERE complete").fetchone() == (
            Decimal("123674.63000001"),
            2,
        )
        facts = session.execute(f"SELECT value FROM parquet_kv_metadata('{path}') WHERE key = 'cryptopipe'").fetchone()
        assert facts is not None
        assert json.loads(facts[0]) == FACTS
        assert session.execute(
            f"SELECT count(*) FROM read_csv('{written(tmp_path / 'a.csv', FileFormat.CSV)}')"
        ).fetchone() == (3,)


TRADES = [
    Trade("BTCUSDT", 2**53 + at, START_US + at * 1_000_001, 6_183_763_000_001 + at, 10**at, at % 2 == 0)
    for at in range(12)
]
TEXTS = [FileFormat.CSV, FileFormat.TSV, FileFormat.CSV_GZ]


@pytest.mark.parametrize("file_format", [one for one in FileFormat if one is not FileFormat.XLSX])
def test_pandas_and_duckdb_read_trades_to_the_digit(tmp_path: Path, file_format: FileFormat) -> None:
    path = write_trades(TRADES, tmp_path / f"trades.{file_format}", file_format)
    if file_format in TEXTS:
        frame = pd.read_csv(path, sep=None, engine="python", dtype=str)
    elif file_format in (FileFormat.JSON, FileFormat.JSONL):
        frame = pd.read_json(path, lines=file_format is FileFormat.JSONL, dtype=False)
    else:
        frame = (pd.read_parquet if file_format is FileFormat.PARQUET else pd.read_feather)(path)
    source = "frame" if file_format is FileFormat.FEATHER else f"'{path}'"  # which DuckDB reads by way of pandas
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        query = f"""
            SELECT symbol, trade_id::BIGINT, epoch_us(time::TIMESTAMPTZ), price::DECIMAL(20, 8),
                quantity::DECIMAL(20, 8), is_buyer_maker::BOOLEAN FROM {source}
        """
        if file_format in TEXTS:
            query = query.replace(source, f"read_csv({source}, all_varchar = true)")
        rows = session.execute(query).fetchall()
    wanted = [(*one[:3], *(Decimal(count).scaleb(-8) for count in one[3:5]), one.is_buyer_maker) for one in TRADES]
    assert rows == wanted
    read = zip(
        frame["symbol"],
        frame["trade_id"].astype("int64"),
        (pd.to_datetime(frame["time"], format="ISO8601", utc=True) - EPOCH) // pd.Timedelta("1us"),
        map(Decimal, frame["price"]),
        map(Decimal, frame["quantity"]),
        frame["is_buyer_maker"].map(lambda one: str(one).lower() == "true"),
        strict=True,
    )
    assert list(read) == wanted

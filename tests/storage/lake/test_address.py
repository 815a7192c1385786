"""Where a lake is, and how its parts are named."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.errors import UsageError
from storage.lake.address import check_endpoint, parse_address
from storage.lake.partition import DAY_US, LakeKind, Partition, day_text, part_range, partition_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket//a//b/", "s3://bucket/a/b"),
        (" S3A://Bucket/a ", "s3://Bucket/a"),
        ("/data/lake", "/data/lake"),
        ("lake", str(Path("lake").absolute())),
        ("~/lake", str(Path("~/lake").expanduser())),
    ],
)
def test_an_address_is_a_folder_or_a_bucket_with_a_prefix(text: str, shown: str) -> None:
    assert str(parse_address(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "gs://bucket",
        "s3://",
        "s3:///x",
        "s3://a b/x",
        "s3://key:hush@bucket/x",
        "s3://key:hush/x@bucket",
        "s3://key:hush/bucket",
        "s3://bucket/../x",
    ],
)
def test_what_is_no_address_gets_one_sentence_without_a_secret(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert "hush" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "text", ["example.com", "ftp://example.com", "http://", "https://u:hush@example.com", "http://a:b"]
)
def test_an_endpoint_is_an_address_without_a_key(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_endpoint(text)
    assert "hush" not in str(caught.value)


def test_an_endpoint_loses_the_slash_at_its_end() -> None:
    assert check_endpoint(" http://127.0.0.1:9000/ ") == "http://127.0.0.1:9000"
    assert check_endpoint("") == ""


symbols = st.sampled_from(["BTCUSDT", "1INCHUSDT", "oanda:EURUSD", "dukascopy:EURUSD"])
days = st.dates(date(1970, 1, 1), date(2099, 12, 31))


@given(kind=st.sampled_from([LakeKind.TRADES, LakeKind.QUOTES]), symbol=symbols, day=days, first=st.integers(0, 2**63))
def test_a_key_tells_its_partition_and_its_first_and_last_row(
    kind: LakeKind, symbol: str, day: date, first: int
) -> None:
    partition = Partition(kind, symbol, day.isoformat())
    name = partition.part_name(first, first + 7)
    assert partition_of(f"{partition.folder}/{name}") == (partition, name)
    assert part_range(name) == (first, first + 7)
    assert partition.end_us - partition.start_us == DAY_US
    assert day_text(partition.start_us) == day_text(partition.end_us - 1) == day.isoformat()


@given(symbol=symbols, year=st.integers(1970, 2098))
def test_a_year_of_candles_lies_under_its_interval(symbol: str, year: int) -> None:
    partition = Partition(LakeKind.CANDLES, symbol, str(year), "1m")
    assert partition_of(partition.manifest_key) == (partition, "_manifest.json")
    length = timedelta(microseconds=partition.end_us - partition.start_us)
    assert length == date(year + 1, 1, 1) - date(year, 1, 1)


@pytest.mark.parametrize(
    "key",
    [
        "trades/broker=binance/symbol=BTCUSDT/date=2024-02-30/trades-1-2.parquet",
        "trades/broker=binance/symbol=BTCUSDT/year=2024/trades-1-2.parquet",
        "candles/broker=binance/symbol=BTCUSDT/year=2024/candles-1-2.parquet",
        "trades/broker=binance/symbol=BTCUSDT/date=2024-08-08",
        "candles/broker=binance/symbol=BTCUSDT/interval=1m/year=9999/candles-1-2.parquet",
        "candles/broker=binance/symbol=BTCUSDT/interval=1m/year=0000/candles-1-2.parquet",
        "README.md",
    ],
)
def test_other_keys_are_of_no_partition(key: str) -> None:
    assert partition_of(key) is None

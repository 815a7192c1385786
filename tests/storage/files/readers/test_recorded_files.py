"""Every recording of trades or candles that the project knows opens with the right kind, symbol and number of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.market.ports.row_files import ReadingOptions, RowKind
from tests.storage.files.readers.helpers import Reading, drained, opened, read

TRADES, AGG, KLINES, CANDLES = RowKind.TRADES, RowKind.AGGTRADES, RowKind.KLINES, RowKind.CANDLES
OCTOBOT = "klines/octobot_ADABTC_all_intervals_ExchangeHistoryDataCollector_1588110698.1060486.data.gz"
FILES = [
    ("archive/BTCUSDT-1m-2020-01-01.zip", KLINES, "BTCUSDT", 1440),
    ("archive/BTCUSDT-1m-2020-01-02.zip", KLINES, "BTCUSDT", 1440),
    ("archive/BTCUSDT-5m-2024-08.csv.gz", KLINES, "BTCUSDT", 8928),
    ("archive/BTCUSDT-5m-2024-12.csv.gz", KLINES, "BTCUSDT", 8928),
    ("archive/BTCUSDT-5m-2025-01.csv.gz", KLINES, "BTCUSDT", 8928),
    ("agg/BTCUSDT-aggTrades-2026-01-01.rows1-2500.csv", AGG, "BTCUSDT", 2500),
    ("agg/freqtrade_XRP_OLD-trades.json.gz", AGG, "XRPETH", 12_477),
    ("trades/lasota_trxusdt_trade_stream_us.first1000.csv", TRADES, "TRXUSDT", 1000),
    ("trades/nautilus_btcusdt-trades.parquet", TRADES, "BTCUSDT", 2001),
    ("klines/derived_BTCUSDT-1m_20240726-20240825.csv.gz", CANDLES, "BTCUSDT", 43_209),
    ("klines/derived_expected_1m_btcusdt_20240808_2354-0005.csv", CANDLES, "BTCUSDT", 12),
    ("klines/mintanam_BTC_USDT-1m.feather", CANDLES, "BTCUSDT", 43_209),
    (OCTOBOT, CANDLES, "ADABTC", 6451),
    ("klines/pinets_BTCUSDC-4h-1704067200000.json.gz", KLINES, "BTCUSDC", 4140),
    ("ws_raw/examples_spot_btcusdt_20240808.gz", TRADES, "BTCUSDT", 9757),
    ("ws_raw/examples_spot_btcusdt_20240809.gz", TRADES, "BTCUSDT", 10_147),
]


def symbols_of(reading: Reading) -> set[str]:
    return {row[0] for rows in (reading.trades, reading.agg_trades, reading.candles) for row in rows}


@pytest.mark.parametrize(("name", "kind", "symbol", "rows"), FILES, ids=[name for name, *_ in FILES])
def test_a_recording_is_recognised_and_read_whole(
    shared_data: Callable[[str], Path], name: str, kind: RowKind, symbol: str, rows: int
) -> None:
    reading = read(shared_data(name))
    assert (reading.kind, symbols_of(reading), reading.rows, reading.refused) == (kind, {symbol}, rows, [])
    used: dict[RowKind, Sequence[object]] = {TRADES: reading.trades, AGG: reading.agg_trades}
    assert len(used.get(kind, reading.candles)) == rows


def test_trades_have_their_own_time_and_not_the_recorders(shared_data: Callable[[str], Path]) -> None:
    first = read(shared_data("ws_raw/examples_spot_btcusdt_20240808.gz")).trades[0]
    assert first == ("BTCUSDT", 3735683259, 1723161255342000, 6183763000000, 2000000, True)
    first = read(shared_data("trades/lasota_trxusdt_trade_stream_us.first1000.csv")).trades[0]
    assert first == ("TRXUSDT", 348656870, 1741046401271497, 23120000, 261940000000, True)


def test_ids_of_recorded_trades_are_consecutive(shared_data: Callable[[str], Path]) -> None:
    trades = [
        trade
        for day in ("08", "09")
        for trade in read(shared_data(f"ws_raw/examples_spot_btcusdt_202408{day}.gz")).trades
    ]
    assert [trade.trade_id for trade in trades] == list(range(3735683259, 3735703163))
    nautilus = [trade.trade_id for trade in read(shared_data("trades/nautilus_btcusdt-trades.parquet")).trades]
    assert nautilus == list(range(nautilus[0], nautilus[0] + 2001))


def test_agg_trades_stand_for_consecutive_trades(shared_data: Callable[[str], Path]) -> None:
    rows = read(shared_data("agg/freqtrade_XRP_OLD-trades.json.gz")).agg_trades
    assert [row.agg_id for row in rows] == list(range(rows[0].agg_id, rows[0].agg_id + 12_477))
    assert rows[-1].last_trade_id - rows[0].first_trade_id + 1 == 14_672
    assert rows[0][2:5] == (1570752011620000, 141342, 2300000000)


def test_one_file_can_hold_candles_of_many_intervals(shared_data: Callable[[str], Path]) -> None:
    candles = read(shared_data(OCTOBOT)).candles
    assert len({interval for _, interval, _ in candles}) == 15
    minutes = [candle for _, interval, candle in candles if interval == "1m"]
    assert len(minutes) == 500
    assert [minutes[0].open_time_us, minutes[0].open_e8, minutes[0].volume_e8] == [1588080720000000, 611, 3400000000]
    assert sum(candle.volume_e8 == 0 for candle in minutes) == 17


def test_the_rest_answers_of_a_year_keep_their_digits(shared_data: Callable[[str], Path]) -> None:
    candle = read(shared_data("klines/pinets_BTCUSDC-4h-1704067200000.json.gz")).candles[0][2]
    assert candle[:6] == (1704067200000000, 4227427000000, 4275770000000, 4223791000000, 4233021000000, 13397914000)
    assert (candle.quote_volume_e16, candle.trades) == (569525577507 * 10**11, 2847)


def test_a_recording_of_several_kinds_and_symbols_names_each(shared_data: Callable[[str], Path]) -> None:
    reading = read(shared_data("ws_raw/cryptofeed_BINANCE.ws.1.0"))
    assert (reading.kind, symbols_of(reading)) == (AGG, {"NKNUSDT", "LRCBTC"})
    only = read(shared_data("ws_raw/cryptofeed_BINANCE.ws.1.0"), ReadingOptions(symbol="NKNUSDT"))
    assert (only.symbol, len(only.agg_trades), only.rows) == ("NKNUSDT", 1, 1)


def test_trades_of_another_exchange_never_pass_for_those_of_binance(shared_data: Callable[[str], Path]) -> None:
    reading = read(shared_data("coinbase/cryptofeed_COINBASE.ws.28.0.gz"))
    assert reading.rows == len(reading.trades) == 107
    assert all(symbol.startswith("coinbase:") for symbol in symbols_of(reading))
    # Coinbase names the maker's side.
    last: dict[str, int] = {}
    for trade in reading.trades:
        assert trade.trade_id == last.get(trade.symbol, trade.trade_id - 1) + 1
        last[trade.symbol] = trade.trade_id


def test_a_list_of_trades_without_a_symbol_needs_one(shared_data: Callable[[str], Path]) -> None:
    reading = read(shared_data("orderflow/public_trades_list.csv"), ReadingOptions(symbol="ETHUSDT"))
    assert (len(reading.trades), reading.symbol) == (1000, "ETHUSDT")
    assert reading.trades[0] == ("ETHUSDT", 1206419187, 1675329600138000, 166680000000, 2606200000, False)
    assert [trade.trade_id for trade in reading.trades] == list(range(1206419187, 1206420187))


def test_a_folder_of_recordings_opens_whole(shared_data: Callable[[str], Path]) -> None:
    assert len(opened(shared_data("ws_raw"))) == 3
    assert sum(drained(file).rows for file in opened(shared_data("klines"))) == 43_209 * 2 + 12 + 6451 + 4140


def test_recorded_rest_answers_are_three_files(shared_data: Callable[[str], Path]) -> None:
    trades, agg_trades, klines = map(drained, opened(shared_data("rest/gocryptotrader_public_rest_subset.json.gz")))
    assert (trades.refused, klines.refused) == ([], [])
    # The recording itself lacks the name of that field in some of its trimmed answers.
    assert {row.reason for row in agg_trades.refused} == {"is_buyer_maker is empty"}
    assert (trades.kind, len(trades.trades), symbols_of(trades)) == (TRADES, 1017, {"BTCUSDT", "ETHBTC"})
    assert trades.trades[0] == ("BTCUSDT", 870281750, 1621933655947000, 3817211000000, 15000000, True)
    assert agg_trades.agg_trades[0][:4] == ("BTCUSDT", 284861205, 1588749117459000, 903974000000)
    assert {interval for _, interval, _ in klines.candles} >= {"1m", "5m", "1h", "1d"}

import gzip
import zipfile

import pytest

from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.trade import Trade
from app.sandbox.market.recording_files import read_recording
from tests.sandbox.helpers import FIRST_ID, trade_dump, trade_line

TRADES_CSV = "10,61837.63,0.02,1236.7526,1723161255342,True,True\n11,61837.64,0.5,30918.82,1723161255900,False,True\n"
KLINES_CSV = (
    "1723161300000,10.0,12.0,9.0,11.0,5.0,1723161599999,55.0,7,2.0,22.0,0\n"
    "1723161600000,11.0,11.5,10.0,10.5,4.0,1723161899999,43.0,6,1.0,11.0,0\n"
)


def written(path, text):
    data = text.encode()
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(data))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(path.stem + ".csv", data)
    else:
        path.write_bytes(data)
    return path


def test_a_dump_keeps_frames_to_the_byte_and_reads_their_trades(tmp_path):
    (frame,) = read_recording(trade_dump(tmp_path / "dump", 1)).frames
    assert frame.payload is not None
    assert frame.payload in trade_line(0).encode()
    assert frame.stream == "abcusdt@trade"
    assert frame.trade == Trade("ABCUSDT", FIRST_ID, 1_700_000_000_000_000, 50_000_000, 200_000_000, True)
    assert (frame.receive_us, frame.time_us) == (1_700_000_000_020_000, 1_700_000_000_001_000)


def test_lines_of_a_dump_other_than_events_are_skipped(tmp_path):
    junk = '1700000000000000000 {"lastUpdateId":7,"bids":[],"asks":[]}\n# a comment\n\n'
    cut = trade_line(2)[:-20]
    path = written(tmp_path / "dump.gz", trade_line(0) + junk + trade_line(1) + cut)
    assert [frame.trade.trade_id for frame in read_recording(path).frames if frame.trade] == [FIRST_ID, FIRST_ID + 1]


def test_raw_events_get_the_name_of_their_stream(tmp_path):
    path = written(
        tmp_path / "raw", '1700000000.5: {"e":"trade","E":1700000000000,"s":"ABCUSDT","t":1,'
        '"p":"1.0","q":"2.0","T":1700000000000,"m":true,"M":true}\n'
    )  # fmt: skip
    (frame,) = read_recording(path).frames
    assert (frame.stream, frame.receive_us) == ("abcusdt@trade", 1_700_000_000_500_000)


def test_the_dumps_of_another_recorder_are_read(shared_data):
    recorded = read_recording(shared_data("ws_raw/cryptofeed_BINANCE.ws.1.0"))
    streams = {frame.stream for frame in recorded.frames}
    assert len(recorded.frames) == 265
    assert {"nknusdt@kline_1m", "blzeth@depth@100ms", "lrcbtc@aggTrade"} <= streams


@pytest.mark.parametrize("name", ["ABCUSDT-trades-2024-08-09.csv", "ABCUSDT-trades.csv.gz", "ABCUSDT-trades.zip"])
@pytest.mark.parametrize("header", ["", "id,price,qty,quote_qty,time,is_buyer_maker,is_best_match\n"])
def test_archive_trades_are_read_packed_or_not_with_a_header_or_without(tmp_path, name, header):
    first, second = read_recording(written(tmp_path / name, header + TRADES_CSV)).frames
    assert first.trade == Trade("ABCUSDT", 10, 1_723_161_255_342_000, 6_183_763_000_000, 2_000_000, True)
    assert second.trade is not None
    assert not second.trade.is_buyer_maker
    assert second.stream == "abcusdt@trade"


def test_archive_klines_are_history_in_milliseconds_or_microseconds(tmp_path, shared_data):
    recorded = read_recording(written(tmp_path / "ABCUSDT-5m-2024-08.csv", KLINES_CSV))
    assert (recorded.symbol, recorded.interval) == ("ABCUSDT", Interval(300))
    assert [kline.open_time_us for kline in recorded.klines] == [1_723_161_300_000_000, 1_723_161_600_000_000]
    modern = read_recording(shared_data("archive/BTCUSDT-5m-2025-01.csv.gz"))
    assert modern.klines[0].open_time_us == 1_735_689_600_000_000
    assert len(modern.klines) == 31 * 288


def test_the_interval_of_klines_is_derived_from_their_distance_if_the_name_has_none(tmp_path):
    assert read_recording(written(tmp_path / "ABCUSDT-klines.csv", KLINES_CSV)).interval == Interval(300)


def test_a_genuine_archive_day_is_read(shared_data):
    recorded = read_recording(shared_data("archive/BTCUSDT-1m-2020-01-01.zip"))
    assert (len(recorded.klines), recorded.interval) == (1440, Interval(60))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("notes.txt", "hello\n", "is no recording"),
        ("empty", "", "is no recording"),
        ("ABCUSDT-aggTrades.csv", "1,2.0,3.0,4,4,1723161255342,True,True\n", "aggregated trades"),
        ("trades.csv", TRADES_CSV, "does not say its symbol"),
        ("ABCUSDT-trades.csv", TRADES_CSV + "12,61837.64\n", "cut or damaged in line 3"),
        ("ABCUSDT-trades.csv", TRADES_CSV + "12,x,0.5,30918.82,1723161255900,False,True\n", "neither a trade nor"),
        ("ABCUSDT-klines.csv", KLINES_CSV.splitlines()[0], "does not say its interval"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_refused_in_one_sentence(tmp_path, name, text, says):
    with pytest.raises(UsageError, match=says) as refusal:
        read_recording(written(tmp_path / name, text))
    assert "\n" not in str(refusal.value)


def test_missing_cut_and_false_archives_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        read_recording(tmp_path / "absent.gz")
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(trade_line(0).encode() * 100)[:-30])
    false_zip, false_gz = written(tmp_path / "false", "no zip"), written(tmp_path / "nogz", "no gz")
    for path in (cut, false_zip.rename(tmp_path / "false.zip"), false_gz.rename(tmp_path / "false.gz"), tmp_path):
        with pytest.raises(UsageError, match="is damaged"):
            read_recording(path)
